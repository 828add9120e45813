// Whose approvals count: reviewers' trust records from the home's manifests. Used by approvals.ts, the survey and `trust`.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ReviewerRecord } from '../../schemas/approval.ts';
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readPublicKey } from './keys.ts';
import { readRegularFile } from './regular-file.ts';
import { isInstant } from './statement.ts';

/** One key of one person. */
export interface ReviewerKey {
  readonly reviewer: string;
  readonly keyid: string;
  readonly publicKey: Buffer;
  /** RFC 3339; open when absent. */
  readonly notBefore?: string;
  readonly notAfter?: string;
}

export interface Reviewers {
  /** Every record that counts, in the order of names. */
  readonly records: readonly { readonly record: ReviewerRecord; readonly source: string }[];
  find(keyid: string): ReviewerKey | undefined;
}

const RECORD_BYTES = 64 * 1024;

/** Parses and judges one record by itself. Throws TRUST_RECORD or KEY_REFUSED. */
export function readReviewerRecord(bytes: Uint8Array, source: string): { readonly record: ReviewerRecord; readonly keys: readonly ReviewerKey[] } {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new GatehouseError('TRUST_RECORD', { source, problem }, { cause });
  };
  let record: ReviewerRecord;
  try {
    record = parseDocument(bytes, compileSchema(ReviewerRecord), { source, maxBytes: RECORD_BYTES, maxDepth: 4 });
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return refuse(thrown.message.replace(/\.$/, ''), thrown);
    throw thrown;
  }
  const { reviewer } = record;
  const repeated = record.keys.find(({ keyid }, index) => record.keys.findIndex((each) => each.keyid === keyid) !== index);
  if (repeated) refuse(`it names ${repeated.keyid} twice`);
  const keys = record.keys.map(({ keyid, publicKey, notBefore, notAfter }) => {
    const impossible = [notBefore, notAfter].find((time) => time !== undefined && !isInstant(time));
    if (impossible !== undefined) refuse(`there is no such time as ${impossible}`);
    if (notBefore !== undefined && notAfter !== undefined && notBefore >= notAfter) refuse(`${keyid} ends before it begins`);
    return { reviewer, keyid, publicKey: readPublicKey(publicKey, keyid), ...(notBefore === undefined ? {} : { notBefore }), ...(notAfter === undefined ? {} : { notAfter }) };
  });
  return { record, keys };
}

/**
 * Reads every `<reviewer>.json` of the folder, no hidden files and no `.key.json`. Left out and reported are: a record that is wrong by itself; all records that name one reviewer,
 * or share a key, for then one person could be counted as two. A publisher who signs with one of their keys is the business of one-trade.ts.
 */
export async function loadReviewers(folder: string): Promise<{ readonly store: Reviewers; readonly diagnostics: readonly Diagnostic[] }> {
  const diagnostics: Diagnostic[] = [];
  const loaded: Loaded[] = [];
  for (const source of await recordFiles(folder)) {
    try {
      loaded.push({ ...readReviewerRecord(await readRegularFile(source), source), source });
    } catch (thrown) {
      const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('TRUST_RECORD', { source, problem: `it cannot be read (${problemOf(thrown).split(':')[0]})` }, { cause: thrown });
      diagnostics.push(diagnosticOf(error, source));
    }
  }
  const counting = loaded.filter((each) => {
    const problem = problemAmong(each, loaded.filter((other) => other !== each));
    if (problem !== undefined) diagnostics.push(diagnosticOf(new GatehouseError('TRUST_RECORD', { source: each.source, problem }), each.source));
    return problem === undefined;
  });
  const keys = new Map(counting.flatMap((each) => each.keys).map((key) => [key.keyid, key]));
  const records = counting.map(({ record, source }) => ({ record, source })).sort((a, b) => (a.record.reviewer < b.record.reviewer ? -1 : 1));
  return { store: { records, find: (keyid) => keys.get(keyid) }, diagnostics };
}

interface Loaded {
  readonly record: ReviewerRecord;
  readonly keys: readonly ReviewerKey[];
  readonly source: string;
}

function problemAmong({ record: { reviewer }, keys }: Loaded, others: readonly Loaded[]): string | undefined {
  const namesake = others.find(({ record }) => record.reviewer === reviewer);
  if (namesake) return `'${reviewer}' has another record, ${namesake.source}`;
  for (const { keyid } of keys) {
    const other = others.find((each) => each.keys.some((key) => key.keyid === keyid));
    if (other) return `its key ${keyid} is in ${other.source} as well`;
  }
  return undefined;
}

async function recordFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith('.json') && !name.endsWith('.key.json') && !name.startsWith('.')).sort().map((name) => join(folder, name));
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  }
}

function diagnosticOf(error: GatehouseError, manifest: string): Diagnostic {
  return { code: error.code, severity: 'degraded', manifest, stage: 'trust', rule: 'reviewer-record', message: error.message, fix: error.fix };
}
