// Reads a file that an operator edits: a regular one, whole. Anything else that can stand under a name would keep the host waiting, or never end. Used for enablements, trust records and revocations.
import { readFile, stat } from 'node:fs/promises';

/** Rejects as `readFile` does, and for a folder, pipe, socket or device. Links are followed. */
export async function readRegularFile(path: string): Promise<Buffer> {
  if (!(await stat(path)).isFile()) throw new Error('not a regular file');
  return await readFile(path);
}
