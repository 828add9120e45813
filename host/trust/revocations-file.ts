// Edits the operator's list of revocations and leaves everything else in it as it is. Used by the registry, and by `trust revoke` where no host runs.
import { randomUUID } from 'node:crypto';
import { mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Revocations } from '../../schemas/revocation.ts';
import { readRegularFile } from './regular-file.ts';
import { readRevocations, revocationId, revocationsIn, type Revocation, type Revoked } from './revocation.ts';

/** Told of the real path and the new text before anybody can see it. */
type OnWriting = (path: string, text: string) => void;

/** Whether it was not there before. Throws for a list that cannot be understood, and what the system throws. */
export function addRevocation(file: string, revocation: Revocation, onWriting?: OnWriting): Promise<boolean> {
  return edit(file, onWriting, (entries, list) => {
    if (entries.some((each) => revocationId(each) === revocationId(revocation))) return undefined;
    const { reason, at } = revocation;
    const about = { ...(reason === undefined ? {} : { reason }), ...(at === undefined ? {} : { at }) };
    if ('keyid' in revocation) return { ...list, keys: [...(list.keys ?? []), { keyid: revocation.keyid, ...about }] };
    if ('digest' in revocation) return { ...list, digests: [...(list.digests ?? []), { digest: revocation.digest, ...about }] };
    return { ...list, plugins: [...(list.plugins ?? []), { id: revocation.id, range: revocation.range, ...about }] };
  });
}

/** Whether it was there. Throws as `addRevocation` does. */
export function removeRevocation(file: string, revoked: Revoked, onWriting?: OnWriting): Promise<boolean> {
  const id = revocationId(revoked);
  const isOther = (list: Pick<Revocations, 'keys' | 'digests' | 'plugins'>) => revocationsIn(list).every((each) => revocationId(each) !== id);
  return edit(file, onWriting, (entries, { keys, digests, plugins, ...rest }) => {
    if (entries.every((each) => revocationId(each) !== id)) return undefined;
    return {
      ...rest,
      ...(keys ? { keys: keys.filter((each) => isOther({ keys: [each] })) } : {}),
      ...(digests ? { digests: digests.filter((each) => isOther({ digests: [each] })) } : {}),
      ...(plugins ? { plugins: plugins.filter((each) => isOther({ plugins: [each] })) } : {}),
    };
  });
}

async function edit(file: string, onWriting: OnWriting | undefined, change: (entries: readonly Revocation[], list: Revocations) => Revocations | undefined): Promise<boolean> {
  const before = await textOf(file);
  const entries = readRevocations(Buffer.from(before ?? '{}'), file);
  const after = change(entries, JSON.parse(before ?? '{}'));
  if (!after) return false;
  const target = before === undefined ? file : await realpath(file);
  const text = `${JSON.stringify(after, null, 2)}\n`;
  readRevocations(Buffer.from(text), file); // what is written can be read: not one entry too many
  await mkdir(dirname(target), { recursive: true });
  const draft = join(dirname(target), `.${basename(target)}.${randomUUID()}`);
  try {
    await using handle = await open(draft, 'wx', before === undefined ? 0o644 : (await stat(target)).mode & 0o777);
    await handle.writeFile(text);
    await handle.sync();
    onWriting?.(target, text);
    await rename(draft, target);
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
  return true;
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return (await readRegularFile(file)).toString('utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw thrown;
  }
}
