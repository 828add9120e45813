// Writes a file so that nobody ever sees half of it. Used by everything in this folder that writes.
import { randomUUID } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Writes beside the target and renames; `mode` is 0644 unless told otherwise. On failure the old file stays as it was. */
export async function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await withDraft(path, content, mode, (draft) => rename(draft, path));
}

/** The same, but a file that is there stays as it is: of several who write at once the first wins, and false tells the others. */
export async function writeFileOnce(path: string, content: string | Uint8Array, mode = 0o644): Promise<boolean> {
  try {
    await withDraft(path, content, mode, (draft) => link(draft, path));
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  }
}

async function withDraft(path: string, content: string | Uint8Array, mode: number, put: (draft: string) => Promise<void>): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await using file = await open(draft, 'wx', mode);
    await file.writeFile(content);
    await file.sync();
    await put(draft);
  } finally {
    await rm(draft, { force: true });
  }
}
