// data/run.json: where the running host answers. Written by main.ts while a host runs; read by commands that talk to it.
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RunFile {
  readonly pid: number;
  readonly address: string;
  readonly startedAt: string;
}

export const runFilePath = (dataDir: string) => join(dataDir, 'run.json');

export function writeRunFile(dataDir: string, run: RunFile): void {
  const temporary = `${runFilePath(dataDir)}.${run.pid}`;
  writeFileSync(temporary, `${JSON.stringify(run)}\n`, { mode: 0o600 });
  renameSync(temporary, runFilePath(dataDir));
}

/** Only one's own: a later host may have written another. */
export function removeRunFile(dataDir: string, pid: number): void {
  if (readRunFile(dataDir)?.pid === pid) rmSync(runFilePath(dataDir), { force: true });
}

/** What the file says, or undefined when there is none or it makes no sense. */
export function readRunFile(dataDir: string): RunFile | undefined {
  const path = runFilePath(dataDir);
  if (!statSync(path, { throwIfNoEntry: false })) return undefined;
  const run: unknown = parse(readFileSync(path, 'utf8'));
  const isRun = run instanceof Object && 'pid' in run && typeof run.pid === 'number' && 'address' in run && typeof run.address === 'string' && 'startedAt' in run && typeof run.startedAt === 'string';
  return isRun ? { pid: Number(run.pid), address: String(run.address), startedAt: String(run.startedAt) } : undefined;
}

/** A host killed outright leaves the file behind; its pid tells. Another user's process counts as alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM';
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
