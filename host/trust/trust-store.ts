// Whom the operator trusts: publisher records from the home's manifests and, for first-party plugins, its data directory. Used by verify and `trust`.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import { TrustRecord } from '../../schemas/release.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readPublicKey } from './keys.ts';
import { readRegularFile } from './regular-file.ts';
import { isInstant } from './statement.ts';

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

const RECORD_BYTES = 64 * 1024;

/** Parses and judges one record: the file's bytes, and for a stored one its file name. Throws TRUST_RECORD or KEY_REFUSED. */
export function readTrustRecord(bytes: Uint8Array, source: string): { readonly record: TrustRecord; readonly signers: readonly TrustedSigner[] } {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new GatehouseError('TRUST_RECORD', { source, problem }, { cause });
  };
  let record: TrustRecord;
  try {
    record = parseDocument(bytes, compileSchema(TrustRecord), { source, maxBytes: RECORD_BYTES, maxDepth: 4 });
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return refuse(thrown.message.replace(/\.$/, ''), thrown);
    throw thrown;
  }
  const { publisher, prefixes, keys } = record;
  const foreign = prefixes.find((prefix) => !prefix.startsWith(`${publisher}.`));
  if (foreign !== undefined) refuse(`the prefix '${foreign}' does not start with '${publisher}.'`);
  const repeated = keys.find(({ keyid }, index) => keys.findIndex((each) => each.keyid === keyid) !== index);
  if (repeated) refuse(`it names ${repeated.keyid} twice`);
  const signers = keys.map(({ keyid, publicKey, notBefore, notAfter, development = false }) => {
    const impossible = [notBefore, notAfter].find((time) => time !== undefined && !isInstant(time));
    if (impossible !== undefined) refuse(`there is no such time as ${impossible}`);
    if (notBefore !== undefined && notAfter !== undefined && notBefore >= notAfter) refuse(`${keyid} ends before it begins`);
    return { publisher, prefixes, keyid, publicKey: readPublicKey(publicKey, keyid), development, source, ...(notBefore === undefined ? {} : { notBefore }), ...(notAfter === undefined ? {} : { notAfter }) };
  });
  return { record, signers };
}

/**
 * Reads every `<publisher>.json` of the folders, no hidden files and no `.key.json`; a folder that is not there holds none. A record that is refused is left out and reported, and so are both
 * of two records whose prefixes overlap: nobody knows which of them is meant.
 */
export async function loadTrust(folders: readonly string[]): Promise<{ readonly store: TrustStore; readonly diagnostics: readonly Diagnostic[] }> {
  const diagnostics: Diagnostic[] = [];
  const loaded: Loaded[] = [];
  for (const source of (await Promise.all(folders.map(recordFiles))).flat()) {
    try {
      loaded.push({ ...readTrustRecord(await readRegularFile(source), source), source });
    } catch (thrown) {
      diagnostics.push(recordRefusal(thrown, source));
    }
  }
  const refused = new Set<Loaded>();
  for (const [index, first] of loaded.entries()) {
    for (const second of loaded.slice(index + 1)) {
      const overlap = overlapOf(first.record, second.record);
      if (!overlap) continue;
      refused.add(first).add(second);
      diagnostics.push(diagnosticOf(new GatehouseError('TRUST_OVERLAP', { ...overlap, first: first.source, second: second.source }), first.source));
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

/** Every record of a folder, in the order of their names. */
export async function recordFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith('.json') && !name.endsWith('.key.json') && !name.startsWith('.')).sort().map((name) => join(folder, name));
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  }
}

/** How a record that is left out is told, whatever kept it from being read. */
export function recordRefusal(thrown: unknown, source: string): Diagnostic {
  return diagnosticOf(thrown instanceof GatehouseError ? thrown : new GatehouseError('TRUST_RECORD', { source, problem: `it cannot be read (${problemOf(thrown).split(':')[0]})` }, { cause: thrown }), source);
}

function diagnosticOf(error: GatehouseError, manifest: string): Diagnostic {
  return { code: error.code, severity: 'degraded', manifest, stage: 'trust', rule: 'trust-record', message: error.message, fix: error.fix };
}
