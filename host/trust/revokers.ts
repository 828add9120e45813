// Whose signed lists of revocations count: records in manifests/trust/revokers. Used by the survey, and by `trust add` and `trust list`.
import type { Diagnostic } from '../../schemas/control.ts';
import { RevokerRecord } from '../../schemas/revocation.ts';
import { GatehouseError } from '../errors.ts';
import { keysOfRecord, parseRecord, readRecords, recordRefusal, type RecordedKey } from './record-files.ts';

export interface RevokerKey extends RecordedKey {
  readonly revoker: string;
}

export interface Revokers {
  readonly records: readonly { readonly record: RevokerRecord; readonly source: string }[];
  key(keyid: string): RevokerKey | undefined;
}

export const NO_REVOKERS: Revokers = { records: [], key: () => undefined };

/** Parses and judges one record. Throws TRUST_RECORD or KEY_REFUSED. */
export function readRevokerRecord(bytes: Uint8Array, source: string): { readonly record: RevokerRecord; readonly keys: readonly RevokerKey[] } {
  const record = parseRecord(RevokerRecord, bytes, source);
  const { revoker } = record;
  return { record, keys: keysOfRecord(record.keys, source).map((key) => ({ revoker, ...key })) };
}

/** A record that is refused is left out and reported; so are both of two that name the same revoker, or the same key: nobody knows which is meant. */
export async function loadRevokers(folder: string): Promise<{ readonly revokers: Revokers; readonly diagnostics: readonly Diagnostic[] }> {
  const { loaded, diagnostics } = await readRecords([folder], 'trust-record', readRevokerRecord);
  const claims = Map.groupBy(loaded.flatMap((each) => [each.record.revoker, ...each.keys.map(({ keyid }) => keyid)].map((claim) => ({ claim, each }))), ({ claim }) => claim);
  const disputed = new Set([...claims.values()].filter((all) => all.length > 1).flatMap((all) => all.map(({ each }) => each)));
  for (const { source, record } of disputed) diagnostics.push(recordRefusal(new GatehouseError('TRUST_RECORD', { source, problem: `another record names the revoker '${record.revoker}' or one of its keys` }), source));
  const counting = loaded.filter((each) => !disputed.has(each));
  const keys = new Map(counting.flatMap((each) => each.keys).map((key) => [key.keyid, key]));
  return { revokers: { records: counting.map(({ record, source }) => ({ record, source })), key: (keyid) => keys.get(keyid) }, diagnostics };
}
