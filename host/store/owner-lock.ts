// One owner per data directory: a numbered lock file that names the owner's process. `lmdb.ts` takes it before it opens anything.
//
// Node has no flock, and "remove the stale file, then create mine" lets two starters remove each other's. So files are only ever added with a greater
// number, by link(2), which fails if the name exists and shows the content whole. The highest number is the owner; it is never removed by anyone but a
// holder of a still higher one, so the highest number only grows, and whoever sees a higher one than its own knows that it came too late.
import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { GatehouseError } from '../errors.ts';

export interface OwnerLock {
  /** Whether the owner before gave the directory back. Not so after a crash, and where there was none. */
  readonly wasReleased: boolean;
  /** Marks the directory as free; the next owner removes the file. */
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process, as proc_pid_stat(5) gives it; a reused pid has another. Null where there is no /proc. */
  readonly startedTicks: string | null;
  /** Ticks count from boot, so they mean nothing after the next one. */
  readonly boot: string | null;
  readonly released: boolean;
}

const LOCK_FILE = /^owner-(\d{1,15})\.json$/;
const ROUNDS = 100;
const DYING_LOOKS = 20;
const DYING_LOOK_MS = 50;

/** Throws STORE_LOCKED naming the live owner. A dead owner's lock, or one whose pid was reused, is taken over. Makes the directory, mode 0700. */
export async function takeOwnerLock(dir: string): Promise<OwnerLock> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const me: Owner = { pid: process.pid, startedTicks: await startedTicks(process.pid), boot: await bootId(), released: false };
  for (let round = 0; round < ROUNDS; round += 1) {
    const highest = Math.max(0, ...(await lockNumbers(dir)));
    const owner = highest > 0 ? await readOwner(dir, highest) : undefined;
    if (owner && !(await diesSoon(owner))) throw new GatehouseError('STORE_LOCKED', { dir, pid: owner.pid });
    const mine = highest + 1;
    if (!(await add(dir, mine, me))) continue;
    const numbers = await lockNumbers(dir);
    if (numbers.some((number) => number > mine)) {
      await rm(fileOf(dir, mine), { force: true });
      continue;
    }
    for (const number of numbers) if (number < mine) await rm(fileOf(dir, number), { force: true });
    return { wasReleased: owner?.released ?? false, release: () => giveUp(dir, mine, { ...me, released: true }) };
  }
  throw new GatehouseError('STORE_FAILED', { problem: `the lock of ${dir} changes hands without end` });
}

const fileOf = (dir: string, number: number) => join(dir, `owner-${number}.json`);

async function lockNumbers(dir: string): Promise<number[]> {
  return (await readdir(dir)).flatMap((name) => Number(LOCK_FILE.exec(name)?.[1] ?? []));
}

/** Undefined when it is gone, or damaged: the content is linked whole, so damage means a power cut, and no owner survived that. */
async function readOwner(dir: string, number: number): Promise<Owner | undefined> {
  try {
    const parsed: Partial<Owner> = JSON.parse(await readFile(fileOf(dir, number), 'utf8'));
    const { pid, startedTicks = null, boot = null, released = false } = parsed;
    return Number.isInteger(pid) ? { pid: Number(pid), startedTicks, boot, released } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isMissing(error)) return undefined;
    throw error;
  }
}

/** False when the number is taken. */
async function add(dir: string, number: number, owner: Owner): Promise<boolean> {
  const draft = await writeDraft(dir, owner);
  try {
    await link(draft, fileOf(dir, number));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** On a full disk nothing new can be written, and what is there can be written over. One that takes no writes at all keeps the lock of a process that is about to end: that frees it too. */
async function giveUp(dir: string, number: number, owner: Owner): Promise<void> {
  await replace(dir, number, owner)
    .catch(() => writeFile(fileOf(dir, number), `${JSON.stringify(owner)} \n`, { flag: 'r+' }))
    .catch(() => undefined);
}

async function replace(dir: string, number: number, owner: Owner): Promise<void> {
  await rename(await writeDraft(dir, owner), fileOf(dir, number));
}

async function writeDraft(dir: string, owner: Owner): Promise<string> {
  const draft = join(dir, `.owner-${randomUUID()}`);
  await writeFile(draft, `${JSON.stringify(owner)}\n`, { mode: 0o600, flag: 'wx' });
  return draft;
}

/** A process that was killed a moment ago may still be waiting for the disk; one that lives stays, and nobody waits for it. True once it is gone, false after a second. */
async function diesSoon(owner: Owner): Promise<boolean> {
  for (let look = 0; look < DYING_LOOKS; look += 1) {
    if (!(await isLive(owner))) return true;
    if (!(await isDying(owner.pid))) return false;
    await setTimeout(DYING_LOOK_MS);
  }
  return !(await isLive(owner));
}

/** Bit of SIGKILL in the masks of proc_pid_status(5). */
const SIGKILL_BIT = 1n << 8n;
/** PF_EXITING in field 9 of proc_pid_stat(5). */
const EXITING = 0x4;

/** Whether a SIGKILL waits for it, or it is on its way out already. True where there is no /proc, which tells. */
async function isDying(pid: number): Promise<boolean> {
  const fields = await statOf(pid);
  const status = await readProc(`/proc/${pid}/status`);
  if (!fields || status === null) return true;
  const pending = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)].map(([, mask = '0']) => BigInt(`0x${mask}`));
  return (Number(fields[6]) & EXITING) !== 0 || pending.some((mask) => (mask & SIGKILL_BIT) !== 0n);
}

async function isLive(owner: Owner): Promise<boolean> {
  if (owner.released || owner.boot !== (await bootId())) return false;
  if (owner.startedTicks !== null) return (await startedTicks(owner.pid)) === owner.startedTicks;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Field 22 of proc_pid_stat(5). A zombie is dead. */
async function startedTicks(pid: number): Promise<string | null> {
  const fields = await statOf(pid);
  return !fields || fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

/** Fields 3 and on of proc_pid_stat(5); the name in field 2 may hold spaces and brackets, so count from its last bracket. */
async function statOf(pid: number): Promise<readonly string[] | null> {
  const stat = await readProc(`/proc/${pid}/stat`);
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function bootId(): Promise<string | null> {
  const id = await readProc('/proc/sys/kernel/random/boot_id');
  return id === null ? null : id.trim();
}

async function readProc(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}
