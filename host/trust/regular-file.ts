// Reads a file that an operator edits, or that lies in a source: a regular one, whole. Anything else that can stand under a name would keep the host waiting, or never end. Used for enablements, trust records, revocations and builds.
import { readFile, stat } from 'node:fs/promises';

/** Rejects as `readFile` does, and for a folder, pipe, socket or device, and for more than `most` bytes, of which none is read. Links are followed. */
export async function readRegularFile(path: string, most = Infinity): Promise<Buffer> {
  const about = await stat(path);
  if (!about.isFile()) throw new Error('not a regular file');
  if (about.size > most) throw new Error(`it has ${about.size} bytes; the limit is ${most}`);
  return await readFile(path);
}
