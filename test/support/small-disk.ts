// A disk of a few megabytes that can really be full: a tmpfs of the test's own, where the machine lets us mount one.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './temp.ts';

const MIB = 2 ** 20;

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Leaves no byte free. */
  fill(): void;
  /** Takes back what `fill` took. */
  free(): void;
}

/** Whether this machine lets us; tests say by their skipping that it does not. */
export const mayMount: boolean = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt']).status === 0;

export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const dir = await tempDir('gatehouse-disk-');
  const disk = mountSmallDisk(dir.path, megabytes);
  return {
    ...disk,
    async [Symbol.asyncDispose]() {
      await disk[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Over a folder that is there. */
export function mountSmallDisk(path: string, megabytes: number): SmallDisk {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'gatehouse-test', path]);
  return {
    path,
    fill: () => fillDisk(path),
    free: () => freeDisk(path),
    [Symbol.asyncDispose]: async () => void execFileSync('umount', ['--lazy', path]),
  };
}

const FILLER = 'filler';

/** Writes `filler` in this folder until the disk takes no more. */
export function fillDisk(folder: string): void {
  const file = openSync(join(folder, FILLER), 'a', 0o600);
  try {
    for (let chunk = MIB; chunk >= 512; chunk /= 2) while (wrote(file, chunk));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export function freeDisk(folder: string): void {
  rmSync(join(folder, FILLER), { force: true });
}

function wrote(file: number, bytes: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(bytes, 'filler')) === bytes;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
