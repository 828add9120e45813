// Makes the signing key of a publisher, or of somebody who signs lists of revocations: the private file to keep, and the trust record to hand out. Used by `keys generate`.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustRecord } from '../../schemas/release.ts';
import type { RevokerRecord } from '../../schemas/revocation.ts';
import { GatehouseError } from '../errors.ts';
import { generateKey, toKeyFile } from '../trust/keys.ts';
import { writeFileWhole } from './write-file.ts';

export interface NewKey {
  readonly publisher: string;
  readonly keyid: string;
  /** `<publisher>.key.json`, readable by its owner alone. */
  readonly keyFile: string;
  /** `<publisher>.json`, for operators. */
  readonly trustRecord: string;
}

/** Throws FILE_EXISTS rather than replace a key: what it signed could never be signed again. */
export async function writeNewKey(publisher: string, out: string, role: 'publisher' | 'revoker' = 'publisher'): Promise<NewKey> {
  const keyFile = join(out, `${publisher}.key.json`);
  const trustRecord = join(out, `${publisher}.json`);
  const present = [keyFile, trustRecord].find((file) => existsSync(file));
  if (present !== undefined) throw new GatehouseError('FILE_EXISTS', { file: present });
  const key = generateKey(publisher);
  const keys = [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64') }];
  const record: TrustRecord | RevokerRecord = role === 'revoker' ? { revoker: publisher, keys } : { publisher, prefixes: [`${publisher}.`], keys };
  await mkdir(out, { recursive: true });
  await writeFileWhole(keyFile, `${JSON.stringify(toKeyFile(key), null, 2)}\n`, 0o600);
  await writeFileWhole(trustRecord, `${JSON.stringify(record, null, 2)}\n`);
  return { publisher, keyid: key.keyid, keyFile, trustRecord };
}
