// A whole host under fire: home, plugins, traffic, a host process that can be struck, and the verdict of the checker on what became of it all.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aHome, type TestHome } from '../support/home.ts';
import { LAUNCHER, startProcess, type HostProcess } from '../support/process.ts';
import { startReceiver } from '../support/receiver.ts';
import { mayMount, mountSmallDisk } from '../support/small-disk.ts';
import type { Boundary, Fault, Order, Report } from './faults.ts';
import type { Verdict } from './checker.ts';
import { addPlugins, newCanaries, type Canaries } from './messages.ts';
import { Traffic } from './traffic.ts';
import type { Exported } from './records.ts';

const STRIKE = join(import.meta.dirname, 'strike.ts');
const CHECKER = join(import.meta.dirname, 'checker.ts');

/** What a struck host can still be told. */
export interface StruckHost extends HostProcess {
  /** Resolves with the fault once it was done, or when the process died of it. */
  strike(fault: Fault, at: Boundary, after: number): Promise<Fault>;
  heal(): Promise<void>;
  /** SIGKILL to one plugin process, whichever. */
  killOne(): void;
}

export interface FireOptions {
  /** Sets its wall clock off from the start. */
  readonly wallOffsetMs?: number;
  /** The disk that `disk full` fills. */
  readonly smallDisk?: string;
  /** Hears everything it prints. */
  readonly onOutput?: (text: string) => void;
}

/** With the preload that strikes. */
export async function startUnderFire(home: string, { wallOffsetMs = 0, smallDisk, onOutput }: FireOptions = {}): Promise<StruckHost> {
  const env = { STRIKE_WALL_OFFSET_MS: String(wallOffsetMs), ...(smallDisk === undefined ? {} : { STRIKE_SMALL_DISK: smallDisk }) };
  const host = await startProcess(home, [], LAUNCHER, {
    nodeArgs: ['--import', STRIKE],
    env,
    ipc: true,
    onSpawn: ({ stdout, stderr }) => {
      for (const stream of [stdout, stderr]) stream?.on('data', (data: Buffer | string) => onOutput?.(String(data)));
    },
  });
  const report = async (fits: (report: Report) => boolean): Promise<void> => {
    await new Promise<void>((resolve) => {
      const hear = (message: unknown) => {
        if (!fits(message as Report)) return;
        host.child.off('message', hear);
        resolve();
      };
      host.child.on('message', hear);
      void host.exited.then(() => resolve());
    });
  };
  const order = (order: Order) => void (host.child.connected && host.child.send(order));
  return {
    ...host,
    async strike(strike, at, after) {
      const done = report((each) => 'struck' in each && each.struck === strike);
      order({ strike, at, after });
      await done;
      return strike;
    },
    async heal() {
      const done = report((each) => 'healed' in each);
      order({ heal: true });
      await done;
    },
    killOne: () => order({ killOne: true }),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

export interface UnderFire extends AsyncDisposable {
  readonly home: TestHome;
  readonly canaries: Canaries;
  readonly traffic: Traffic;
  /** Whether a host is there. */
  readonly running: boolean;
  /** The host there is; started, and joined by the traffic, when there is none. */
  host(options?: Pick<FireOptions, 'wallOffsetMs'>): Promise<StruckHost>;
  /** All that its hosts printed. */
  output(): string;
  /** Starts a host and ends it with SIGKILL after so many milliseconds, ready or not. */
  stillborn(afterMs: number): Promise<void>;
  /** Waits for `work`, and starts the host again whenever it dies meanwhile. */
  through(work: Promise<void>): Promise<void>;
  /** Ends the host with SIGKILL, if it has not ended. */
  kill(): Promise<void>;
  /** Waits until everything is answered, and asks the checker, which is a process of its own. */
  verdict(): Promise<Verdict>;
}

export interface UnderFireOptions {
  /** Conversations over HTTP whose replies are read, those whose replies are posted, and those over sockets. */
  readonly hooks?: number;
  readonly posts?: number;
  readonly chats?: number;
  /** Puts the data directory on a disk of this size, where the machine lets us. */
  readonly diskMegabytes?: number;
  /** Default error. */
  readonly logLevel?: 'debug' | 'error';
}

export async function underFire({ hooks = 3, posts = 2, chats = 3, diskMegabytes, logLevel = 'error' }: UnderFireOptions = {}): Promise<UnderFire> {
  const receiver = await startReceiver((request) => traffic.received(request));
  const home = await aHome([], { log: { level: logLevel }, egress: { allow: [receiver.exception] } });
  await mkdir(join(home.path, 'data'), { mode: 0o700 });
  const disk = diskMegabytes !== undefined && mayMount ? mountSmallDisk(join(home.path, 'data'), diskMegabytes) : undefined;
  const canaries = newCanaries();
  await addPlugins(home, canaries, `${receiver.origin}/replies`);
  const traffic = new Traffic({ dir: home.path, canaries, hooks, posts, chats });
  let host: StruckHost | undefined;
  const printed: string[] = [];
  const running = () => host !== undefined && host.child.exitCode === null && host.child.signalCode === null;

  const fire: UnderFire = {
    home,
    canaries,
    traffic,
    output: () => printed.join(''),
    get running() {
      return running();
    },
    async stillborn(afterMs) {
      const spawned = Promise.withResolvers<ChildProcess>();
      const started = startProcess(home.path, [], LAUNCHER, { onSpawn: spawned.resolve });
      const child = await spawned.promise;
      setTimeout(() => child.kill('SIGKILL'), afterMs);
      await started.then(({ exited }) => exited, () => undefined);
    },
    async host(options) {
      if (host && running()) return host;
      host = await startUnderFire(home.path, { ...options, onOutput: (text) => void printed.push(text), ...(disk && { smallDisk: disk.path }) });
      traffic.attach(host.address);
      return host;
    },
    async through(work) {
      const over = work.then(() => 'over' as const);
      while ((await Promise.race([over, fire.host().then(({ exited }) => exited)])) !== 'over');
    },
    async kill() {
      if (!host || !running()) return;
      host.child.kill('SIGKILL');
      await host.exited;
    },
    async verdict() {
      const { address } = await fire.host();
      // What is missing is for the checker to say; it knows more than who waited for it.
      const missing = await traffic.answered().then(() => undefined, (error: unknown) => error);
      const exported = await exportMessages(address, home.path);
      await writeFile(join(home.path, 'export.jsonl'), exported.map((each) => `${JSON.stringify(each)}\n`).join(''));
      const verdict = await check(home.path);
      if (verdict.ok && missing instanceof Error) throw missing;
      return verdict;
    },
    async [Symbol.asyncDispose]() {
      await traffic[Symbol.asyncDispose]();
      await fire.kill();
      await receiver[Symbol.asyncDispose]();
      await disk?.[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
  return fire;
}

/** Runs the checker over a folder that holds the three files. */
export async function check(folder: string): Promise<Verdict> {
  const child = spawn(process.execPath, [CHECKER, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await new Promise((resolve) => child.on('close', resolve));
  return JSON.parse(text) as Verdict;
}

const UNFINISHED = new Set(['accepted', 'pending', 'held']);
const TRIES = 200;
const AGAIN_MS = 50;

/** Everything the API lists, once nothing of it is unfinished; after ten seconds as it is, for the checker to say what is wrong. */
export async function exportMessages(address: string, home: string): Promise<readonly Exported[]> {
  const token = (await readFile(join(home, 'data/admin-token'), 'utf8')).trim();
  for (let tries = 1; ; tries += 1) {
    const all = await everyMessage(address, token);
    if (tries === TRIES || all.every(({ outcome }) => !UNFINISHED.has(outcome))) return all;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function everyMessage(address: string, token: string): Promise<Exported[]> {
  const all: Exported[] = [];
  let cursor = '';
  for (;;) {
    const response = await fetch(`${address}/api/v1/messages?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`, { headers: { authorization: `Bearer ${token}` } });
    if (response.status !== 200) throw new Error(`export: ${response.status} ${await response.text()}`);
    const page = (await response.json()) as { readonly items: readonly Exported[]; readonly cursor: string | null };
    for (const { id, instance, conversation, direction, outcome, text, senderMessageId, inReplyTo } of page.items) {
      all.push({ id, instance, conversation, direction, outcome, ...(text === undefined ? {} : { text }), ...(senderMessageId === undefined ? {} : { senderMessageId }), ...(inReplyTo === undefined ? {} : { inReplyTo }) });
    }
    if (page.cursor === null) return all;
    cursor = page.cursor;
  }
}
