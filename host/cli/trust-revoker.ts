// `gatehouse trust add` for the record of a revoker, whose signed lists of revocations then count. Called by commands/trust.ts.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RevokerRecord } from '../../schemas/revocation.ts';
import { writeFileWhole } from '../authoring/write-file.ts';
import { readRevokerRecord } from '../trust/revokers.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import { configOf } from './context.ts';
import { plain, type Io } from './io.ts';
import { readInput } from './read-input.ts';

export interface AddedRevoker {
  readonly file: string;
  readonly revoker: string;
  readonly keyids: readonly string[];
}

/** Keys that are there stay, so that a revoker can change keys; a key given again replaces its entry. Undefined for the record of somebody else. Throws TRUST_RECORD, KEY_REFUSED. */
export async function addRevoker(io: Io, file: string): Promise<AddedRevoker | undefined> {
  const bytes = await readInput(io, file);
  if (!isRevokerRecord(bytes)) return undefined;
  const { record: given } = readRevokerRecord(bytes, file);
  const target = join(trustFilesOf(configOf(io)).revokers, `${given.revoker}.json`);
  const before = existsSync(target) ? readRevokerRecord(await readFile(target), target).record.keys : [];
  const record: RevokerRecord = { ...given, keys: [...before.filter(({ keyid }) => !given.keys.some((each) => each.keyid === keyid)), ...given.keys] };
  io.say(plain(`'${record.revoker}' could revoke every key, package and plugin of this host, with ${record.keys.map(({ keyid }) => keyid).join(', ')}; and in strict the host would not start without its current list.`));
  io.say('Compare the key id with what the revoker tells you in another way.');
  await io.confirm(`Let ${record.revoker} revoke for this host?`);
  await mkdir(dirname(target), { recursive: true });
  await writeFileWhole(target, `${JSON.stringify(record, null, 2)}\n`);
  return { file: target, revoker: record.revoker, keyids: record.keys.map(({ keyid }) => keyid) };
}

/** By its one telling key; whether the rest is right is judged when it is read. */
function isRevokerRecord(bytes: Uint8Array): boolean {
  try {
    return Object.hasOwn(Object(JSON.parse(Buffer.from(bytes).toString('utf8'))), 'revoker');
  } catch {
    return false; // no JSON: the reader of records says what is wrong with it
  }
}
