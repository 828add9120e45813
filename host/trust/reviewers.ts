// Whose approvals count: reviewers' trust records from the home's manifests. Used by approvals.ts, the survey and `trust`.
import { ReviewerRecord } from '../../schemas/approval.ts';
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import { keysOfRecord, parseRecord, readRecords, recordRefusal, type RecordedKey } from './record-files.ts';

/** One key of one person. */
export interface ReviewerKey extends RecordedKey {
  readonly reviewer: string;
}

export interface Reviewers {
  /** Every record that counts, in the order of names. */
  readonly records: readonly { readonly record: ReviewerRecord; readonly source: string }[];
  find(keyid: string): ReviewerKey | undefined;
}

const RULE = 'reviewer-record';

/** Parses and judges one record by itself. Throws TRUST_RECORD or KEY_REFUSED. */
export function readReviewerRecord(bytes: Uint8Array, source: string): { readonly record: ReviewerRecord; readonly keys: readonly ReviewerKey[] } {
  const record = parseRecord(ReviewerRecord, bytes, source);
  const { reviewer } = record;
  return { record, keys: keysOfRecord(record.keys, source).map((key) => ({ reviewer, ...key })) };
}

/**
 * Reads every `<reviewer>.json` of the folder, no hidden files and no `.key.json`. Left out and reported are: a record that is wrong by itself; all records that name one reviewer,
 * or share a key, for then one person could be counted as two. A publisher who signs with one of their keys is the business of one-trade.ts.
 */
export async function loadReviewers(folder: string): Promise<{ readonly store: Reviewers; readonly diagnostics: readonly Diagnostic[] }> {
  const { loaded, diagnostics } = await readRecords([folder], RULE, readReviewerRecord);
  const counting = loaded.filter((each) => {
    const problem = problemAmong(each, loaded.filter((other) => other !== each));
    if (problem !== undefined) diagnostics.push(recordRefusal(new GatehouseError('TRUST_RECORD', { source: each.source, problem }), each.source, RULE));
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
