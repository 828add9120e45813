// Writes a file so that nobody ever sees half of it. Used by everything in this folder that writes.
import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Writes beside the target and renames; `mode` is 0644 unless told otherwise. On failure the old file stays as it was. */
export async function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await using file = await open(draft, 'wx', mode);
    await file.writeFile(content);
    await file.sync();
    await rename(draft, path);
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
}
