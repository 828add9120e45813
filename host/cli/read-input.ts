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
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
    throw new GatehouseError('FILE_UNREADABLE', { file, problem: PROBLEMS[code] ?? problemOf(thrown) }, { cause: thrown });
  }
}

const PROBLEMS: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', ENOTDIR: 'there is no such file', EISDIR: 'it is a folder', EACCES: 'you may not read it', ENAMETOOLONG: 'its name is too long' };
