// Makes a reviewer's key: the sealed private file to keep, and the trust record to hand out. Used by `keys generate --reviewer`.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReviewerRecord } from '../../schemas/approval.ts';
import { GatehouseError } from '../errors.ts';
import { sealNewKey } from '../trust/sealed-key.ts';
import { writeFileWhole } from './write-file.ts';

export interface NewReviewerKey {
  readonly reviewer: string;
  readonly keyid: string;
  /** `<reviewer>.key.json`, readable by its owner alone, and by nobody without the passphrase. */
  readonly keyFile: string;
  /** `<reviewer>.json`, for operators. */
  readonly trustRecord: string;
}

/** Throws FILE_EXISTS rather than replace a key, PASSPHRASE_WEAK. */
export async function writeNewReviewerKey(reviewer: string, passphrase: string, out: string): Promise<NewReviewerKey> {
  const keyFile = join(out, `${reviewer}.key.json`);
  const trustRecord = join(out, `${reviewer}.json`);
  const present = [keyFile, trustRecord].find((file) => existsSync(file));
  if (present !== undefined) throw new GatehouseError('FILE_EXISTS', { file: present });
  const sealed = await sealNewKey(reviewer, passphrase);
  const { keyid, publicKey } = sealed;
  const record: ReviewerRecord = { reviewer, keys: [{ keyid, publicKey }] };
  await mkdir(out, { recursive: true });
  await writeFileWhole(keyFile, `${JSON.stringify(sealed, null, 2)}\n`, 0o600);
  await writeFileWhole(trustRecord, `${JSON.stringify(record, null, 2)}\n`);
  return { reviewer, keyid, keyFile, trustRecord };
}
