// Reads a file that was named on the command line. Called by commands that take files.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Io } from './io.ts';

/** The bytes of a file named relative to the current directory. Throws FILE_UNREADABLE. */
export async function readInput(io: Io, file: string): Promise<Buffer> {
  try {
    return await readFile(resolve(io.cwd, file));
  } catch (thrown) {
    const isMissing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    throw new GatehouseError('FILE_UNREADABLE', { file, problem: isMissing ? 'there is no such file' : problemOf(thrown) }, { cause: thrown });
  }
}
