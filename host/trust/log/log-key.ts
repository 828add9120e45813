// The key that signs tree heads: made at the first start in data/keys/, its public half written to manifests/trust/log.json. host.ts asks for it before anything is logged.
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LogTrust } from '../../../schemas/audit.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { problemOf } from '../../errors.ts';
import { compileSchema, parseDocument } from '../../schema.ts';
import { generateKey, readKeyFile, readPublicKey, toKeyFile, type SigningKey } from '../keys.ts';

/** What stands for a publisher in the key file; no plugin id can begin with it unless somebody trusts it for that, and nothing makes a trust record of it. */
const LOG_NAME = 'gatehouse-log';

const logTrust = compileSchema(LogTrust);

export const logKeyFile = (dataDir: string) => join(dataDir, 'keys', 'log.key.json');
export const logTrustFile = (manifestsDir: string) => join(manifestsDir, 'trust', 'log.json');

/** Reads it, or makes it (mode 0600) where there is none; of several who make it at once the first wins. Throws KEY_FILE. */
export async function openLogKey(dataDir: string): Promise<SigningKey> {
  const file = logKeyFile(dataDir);
  const found = await readIfThere(file);
  if (found) return readKeyFile(found, file);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const made = `${JSON.stringify(toKeyFile(generateKey(LOG_NAME)), null, 2)}\n`;
  await withDraft(file, made, 0o600, async (draft) => {
    try {
      await link(draft, file);
    } catch (thrown) {
      if (!isCode(thrown, 'EEXIST')) throw thrown;
    }
  });
  return readKeyFile(await readFile(file), file);
}

/** The keys of a log.json. Throws JSON_…, SCHEMA_…, KEY_REFUSED. */
export function readLogTrust(bytes: Uint8Array, source: string): LogTrust {
  const trust = parseDocument(bytes, logTrust, { source, maxBytes: BOUNDS.manifestBytes, maxDepth: 4 });
  for (const { publicKey, keyid } of trust.keys) readPublicKey(publicKey, keyid);
  return trust;
}

/**
 * Adds the public half to log.json unless it is there; keys of other data directories stay. `onWriting` is told of the file's text before anybody can see it, and
 * also when it is there already, so that the watcher takes it for nobody's change. A home that cannot be written is not a reason to stop: returns what the problem is.
 */
export async function publishLogKey(key: SigningKey, { file, since, onWriting }: { readonly file: string; readonly since: string; readonly onWriting?: ((path: string, text: string) => void) | undefined }): Promise<string | undefined> {
  try {
    const bytes = await readIfThere(file);
    const keys = bytes ? readLogTrust(bytes, file).keys : [];
    if (keys.some(({ keyid }) => keyid === key.keyid)) return undefined;
    const trust: LogTrust = { keys: [...keys, { keyid: key.keyid, publicKey: key.publicKey.toString('base64'), since }] };
    const text = `${JSON.stringify(trust, null, 2)}\n`;
    await mkdir(dirname(file), { recursive: true });
    onWriting?.(file, text);
    await withDraft(file, text, 0o644, (draft) => rename(draft, file));
    return undefined;
  } catch (thrown) {
    return problemOf(thrown);
  }
}

/** The raw key that this id names in log.json, if it does. */
export function keyIn({ keys }: LogTrust, keyid: string): Buffer | undefined {
  const found = keys.find((each) => each.keyid === keyid);
  return found && readPublicKey(found.publicKey, found.keyid);
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (thrown) {
    if (isCode(thrown, 'ENOENT')) return undefined;
    throw thrown;
  }
}

async function withDraft(file: string, text: string, mode: number, put: (draft: string) => Promise<void>): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.${randomUUID()}`);
  try {
    await using handle = await open(draft, 'wx', mode);
    await handle.writeFile(text);
    await handle.sync();
    await put(draft);
  } finally {
    await rm(draft, { force: true });
  }
}

const isCode = (thrown: unknown, code: string) => thrown instanceof Error && 'code' in thrown && thrown.code === code;
