// Reads a file that an operator edits, that lies in a source, or that a mirror brings: a regular one, whole, and not without end. Anything else that can stand under a name would keep the host waiting, or never end. Used for enablements, trust records, revocations, approvals and builds.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { GatehouseError } from '../errors.ts';

/** As long as any file that Gatehouse reads whole; whoever reads a shorter kind says so when it parses it. */
export const MOST_BYTES = 16 * 1024 * 1024;
/** Read at once beyond what the file was said to have. */
const CHUNK_BYTES = 64 * 1024;
/** A pipe is opened without waiting for its other end, and a terminal without becoming the host's. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Rejects as `readFile` does, for a folder, pipe, socket or device, and with JSON_TOO_LARGE before it has read more than `mostBytes`, also of a file that grows meanwhile. Links are followed. */
export async function readRegularFile(path: string, mostBytes = MOST_BYTES): Promise<Buffer> {
  await using handle = await open(path, FLAGS);
  const found = await handle.stat();
  if (!found.isFile()) throw new Error('not a regular file');
  if (found.size > mostBytes) throw new GatehouseError('JSON_TOO_LARGE', { source: path, size: found.size, limit: mostBytes });
  const chunks: Buffer[] = [];
  for (let length = 0, room = found.size + 1; ; room = CHUNK_BYTES) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(room, mostBytes - length + 1));
    const { bytesRead } = await handle.read(chunk);
    length += bytesRead;
    if (length > mostBytes) throw new GatehouseError('JSON_TOO_LARGE', { source: path, size: length, limit: mostBytes });
    if (bytesRead > 0) chunks.push(chunk.subarray(0, bytesRead));
    else return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
  }
}
