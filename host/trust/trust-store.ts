// Whom the operator trusts: publisher records from the home's manifests and, for first-party plugins, its data directory. Used by verify and `trust`.
import type { Diagnostic } from '../../schemas/control.ts';
import { TrustRecord } from '../../schemas/release.ts';
import { GatehouseError } from '../errors.ts';
import { keysOfRecord, parseRecord, readRecords, recordRefusal, refuseRecord } from './record-files.ts';

/** One key that may sign, and for what. */
export interface TrustedSigner {
  readonly publisher: string;
  readonly prefixes: readonly string[];
  readonly keyid: string;
  readonly publicKey: Buffer;
  /** RFC 3339; open when absent. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly development: boolean;
  /** The record's file, or of a key that an older one introduced, the succession's. */
  readonly source: string;
  /** The key that introduced it, where no record names it. */
  readonly introducedBy?: string;
}

export interface TrustStore {
  /** Every record that holds together, in the order of their publishers. */
  readonly records: readonly { readonly record: TrustRecord; readonly source: string }[];
  /** Who may sign with this key; a key that two publishers claim has two signers. */
  signers(keyid: string): readonly TrustedSigner[];
}

/** Parses and judges one record: the file's bytes, and for a stored one its file name. Throws TRUST_RECORD or KEY_REFUSED. */
export function readTrustRecord(bytes: Uint8Array, source: string): { readonly record: TrustRecord; readonly signers: readonly TrustedSigner[] } {
  const record = parseRecord(TrustRecord, bytes, source);
  const { publisher, prefixes, keys } = record;
  const foreign = prefixes.find((prefix) => !prefix.startsWith(`${publisher}.`));
  if (foreign !== undefined) refuseRecord(source, `the prefix '${foreign}' does not start with '${publisher}.'`);
  const development = new Set(keys.filter((key) => key.development === true).map(({ keyid }) => keyid));
  return { record, signers: keysOfRecord(keys, source).map((key) => ({ publisher, prefixes, ...key, development: development.has(key.keyid), source })) };
}

/**
 * Reads every `<publisher>.json` of the folders, no hidden files and no `.key.json`; a folder that is not there holds none. A record that is refused is left out and reported, and so are both
 * of two records whose prefixes overlap: nobody knows which of them is meant.
 */
export async function loadTrust(folders: readonly string[]): Promise<{ readonly store: TrustStore; readonly diagnostics: readonly Diagnostic[] }> {
  const { loaded, diagnostics } = await readRecords(folders, 'trust-record', readTrustRecord);
  const refused = new Set<Loaded>();
  for (const [index, first] of loaded.entries()) {
    for (const second of loaded.slice(index + 1)) {
      const overlap = overlapOf(first.record, second.record);
      if (!overlap) continue;
      refused.add(first).add(second);
      diagnostics.push(recordRefusal(new GatehouseError('TRUST_OVERLAP', { ...overlap, first: first.source, second: second.source }), first.source));
    }
  }
  return { store: storeOf(loaded.filter((each) => !refused.has(each))), diagnostics };
}

/** The two prefixes that claim the same ids, if any do. Prefixes end in a dot, so one claims ids of another exactly when it begins it. */
export function overlapOf(first: TrustRecord, second: TrustRecord): { readonly prefix: string; readonly other: string } | undefined {
  for (const prefix of first.prefixes) {
    const other = second.prefixes.find((each) => each.startsWith(prefix) || prefix.startsWith(each));
    if (other !== undefined) return { prefix, other };
  }
  return undefined;
}

interface Loaded {
  readonly record: TrustRecord;
  readonly signers: readonly TrustedSigner[];
  readonly source: string;
}

function storeOf(loaded: readonly Loaded[]): TrustStore {
  const signers = Map.groupBy(loaded.flatMap((each) => each.signers), (signer) => signer.keyid);
  const records = loaded.map(({ record, source }) => ({ record, source })).sort((a, b) => (a.record.publisher < b.record.publisher ? -1 : 1));
  return { records, signers: (keyid) => signers.get(keyid) ?? [] };
}
