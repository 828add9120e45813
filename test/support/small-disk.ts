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

/** Over a folder that is there: takes no writes from the start, or ever again. */
export interface ReadOnlyDisk extends AsyncDisposable {
  /** What a disk with errors does under its user's hands: from now on every write fails with EROFS, and what is open stays open. */
  turnReadOnly(): void;
}

/** Whether this machine has loop devices and ext4, of which the kernel can be told to give up writing. */
export const mayFail: boolean = mayMount && spawnSync('losetup', ['-f']).status === 0 && spawnSync('mkfs.ext4', ['-V']).status === 0;

export async function mountFailingDisk(path: string, megabytes: number): Promise<ReadOnlyDisk> {
  const dir = await tempDir('gatehouse-image-');
  const image = join(dir.path, 'image');
  execFileSync('truncate', ['-s', `${megabytes}M`, image]);
  execFileSync('mkfs.ext4', ['-q', '-F', image]);
  execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, path]);
  return {
    turnReadOnly: () => void execFileSync('mount', ['-o', 'remount,abort', path]),
    async [Symbol.asyncDispose]() {
      execFileSync('umount', ['--lazy', path]);
      await dir[Symbol.asyncDispose]();
    },
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
