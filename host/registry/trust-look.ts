// Whom a home trusts at a look, and what it revoked: records, successions, revokers, lists, held together with what is remembered. Called by the survey and by commands that verify.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { RevocationList } from '../trust/revocation.ts';
import { loadRevokers, NO_REVOKERS, type Revokers } from '../trust/revokers.ts';
import { loadSuccessions, withSuccessions, type Succeeded, type SuccessionFile } from '../trust/successions.ts';
import type { TrustFiles } from '../trust/trust-files.ts';
import type { Learned, TrustMemory } from '../trust/trust-memory.ts';
import { loadTrust, type TrustStore } from '../trust/trust-store.ts';
import { diagnosticOf } from './diagnostics.ts';
import { lookForRevocations, type RevocationsLook } from './revocations.ts';

/** What counts, and goes on counting at the next look wherever something cannot be read. */
export interface UnderstoodTrust {
  /** With the keys that successions introduce. */
  readonly store: TrustStore;
  readonly records: Known<TrustStore>;
  readonly successions: Known<readonly SuccessionFile[]>;
  readonly revokers: Known<Revokers>;
}

interface Known<T> {
  readonly found: T;
  readonly diagnostics: readonly Diagnostic[];
}

export interface TrustLookContext {
  readonly home: string;
  /** Folders of publisher records. */
  readonly publishers: readonly string[];
  readonly files: TrustFiles;
  readonly strict: boolean;
  readonly memory: TrustMemory;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of a running host: what it understood before, and how it looks. */
  readonly last?: { readonly understood: UnderstoodTrust; isUnsettled(path: string): boolean; isRunning(packageDigest: string): boolean } | undefined;
}

export interface TrustLook {
  readonly understood: UnderstoodTrust;
  readonly revocations: RevocationsLook;
  readonly successions: Succeeded['accepted'];
  readonly learned: Learned;
  readonly diagnostics: readonly Diagnostic[];
  /** The next moment, in milliseconds since the epoch, at which time alone changes what counts. */
  readonly changesAt: number | undefined;
}

export async function lookAtTrust(context: TrustLookContext): Promise<TrustLook> {
  const { publishers, files, memory, now, last } = context;
  const [records, revokers, successions] = await Promise.all([readRecords(publishers, last), readRevokers(files.revokers, context), readSuccessions(files.successions, last)]);
  const revocations = await lookForRevocations({ ...context, revokers: revokers.counts.found, isEveryRevokerKnown: revokers.diagnostics.length === 0 });
  const succeeded = succeed(records.counts.found, successions, revocations.understood, { now, memory, last });
  const { store, accepted } = succeeded;
  const instants = [
    ...store.records.flatMap(({ record }) => record.keys).flatMap(({ notBefore, notAfter }) => [notBefore, after(notAfter)]),
    ...accepted.map(({ notBefore }) => notBefore),
    ...[...revocations.current.values()].map(({ expiresAt }) => expiresAt),
  ].flatMap((time) => (time === undefined ? [] : [typeof time === 'number' ? time : Date.parse(time)]));
  return {
    understood: { store, records: records.counts, successions: succeeded.known, revokers: revokers.counts },
    revocations,
    successions: accepted,
    learned: { revocations: revocations.found, lists: revocations.lists, successions: accepted },
    diagnostics: [...records.diagnostics, ...revokers.diagnostics, ...revocations.diagnostics, ...succeeded.diagnostics],
    changesAt: earliestAfter(now, instants),
  };
}

/** A key counts until its last millisecond is over. */
const after = (notAfter: string | undefined) => (notAfter === undefined ? undefined : Date.parse(notAfter) + 1);

export function earliestAfter(now: number, instants: readonly number[]): number | undefined {
  return instants.filter((each) => each > now).reduce<number | undefined>((earliest, each) => (earliest === undefined || each < earliest ? each : earliest), undefined);
}

type Last = TrustLookContext['last'];

/** Records that hold together count. While the host runs, a mistake in one of them takes trust from nobody: until it is mended, the records count as they last did. */
async function readRecords(folders: readonly string[], last: Last): Promise<{ readonly counts: Known<TrustStore>; readonly diagnostics: readonly Diagnostic[] }> {
  const before = last?.understood.records;
  if (!last || !before) {
    const { store, diagnostics } = await loadTrust(folders);
    return { counts: { found: store, diagnostics }, diagnostics };
  }
  const asBefore = (file: string, problem: string) => {
    const error = new GatehouseError('FILE_UNREADABLE', { file, problem });
    return { counts: before, diagnostics: [diagnosticOf(error, { severity: 'degraded', stage: 'trust', rule: 'trust-record', manifest: file })] };
  };
  if (folders.some((folder) => last.isUnsettled(folder))) return { counts: before, diagnostics: [] };
  const gone = folders.find((folder) => !existsSync(folder) && before.found.records.some(({ source }) => dirname(source) === folder));
  if (gone !== undefined) return asBefore(gone, 'the folder is gone');
  let found: Known<TrustStore>;
  try {
    const { store, diagnostics } = await loadTrust(folders);
    found = { found: store, diagnostics };
  } catch (thrown) {
    return asBefore(folders.join(', '), problemOf(thrown));
  }
  return { counts: isWorse(found.diagnostics, before.diagnostics) ? before : found, diagnostics: found.diagnostics };
}

const isWorse = (now: readonly Diagnostic[], before: readonly Diagnostic[]): boolean => {
  const known = new Set(before.map(textOf));
  return now.some((each) => !known.has(textOf(each)));
};

const textOf = ({ code, manifest, message }: Diagnostic) => `${code} ${manifest} ${message}`;

async function readSuccessions(folder: string, last: Last): Promise<Known<readonly SuccessionFile[]>> {
  const before = last?.understood.successions;
  if (before && (last.isUnsettled(folder) || (!existsSync(folder) && !existsSync(dirname(folder))))) return before;
  try {
    const { files, diagnostics } = await loadSuccessions(folder);
    return { found: files, diagnostics };
  } catch (thrown) {
    return { found: before?.found ?? [], diagnostics: [unreadable(folder, thrown, { rule: 'key-succession', isFatal: !last })] };
  }
}

/** As with records: while the host runs, a mistake in one of them makes nobody deaf to the others. In strict whoever may revoke must be heard, so that every such mistake is fatal at a start. */
async function readRevokers(folder: string, { strict, last }: TrustLookContext): Promise<{ readonly counts: Known<Revokers>; readonly diagnostics: readonly Diagnostic[] }> {
  const before = last?.understood.revokers;
  if (before && (last.isUnsettled(folder) || (!existsSync(folder) && !existsSync(dirname(folder))))) return { counts: before, diagnostics: before.diagnostics };
  try {
    const { revokers, diagnostics: found } = await loadRevokers(folder);
    const diagnostics = found.map((each) => (strict ? { ...each, severity: 'fatal' as const } : each));
    return { counts: before && isWorse(diagnostics, before.diagnostics) ? before : { found: revokers, diagnostics }, diagnostics };
  } catch (thrown) {
    return { counts: before ?? { found: NO_REVOKERS, diagnostics: [] }, diagnostics: [unreadable(folder, thrown, { rule: 'trust-record', isFatal: strict || !last })] };
  }
}

/** A folder that is none, or that may not be read: a start does not go on beside it, and for a running host it is no reason not to look at the others. */
function unreadable(folder: string, thrown: unknown, { rule, isFatal }: { readonly rule: string; readonly isFatal: boolean }): Diagnostic {
  const error = new GatehouseError('FILE_UNREADABLE', { file: folder, problem: problemOf(thrown) }, { cause: thrown });
  return diagnosticOf(error, { severity: isFatal ? 'fatal' : 'degraded', stage: 'trust', rule, manifest: folder });
}

/** A file that is refused counts as it last did, if it did: a mistake takes trust from nobody. What is revoked and what time has ended is judged anew all the same. */
function succeed(records: TrustStore, { found, diagnostics: unread }: Known<readonly SuccessionFile[]>, revocations: RevocationList, { now, memory, last }: { readonly now: number; readonly memory: TrustMemory; readonly last: Last }) {
  const judge = (files: readonly SuccessionFile[]) => withSuccessions(records, files, { now, revocations, remembered: (oldKeyid) => memory.succession(oldKeyid) });
  const { store, accepted, diagnostics: refused } = judge(found);
  const diagnostics = [...unread, ...refused];
  const troubled = new Set(diagnostics.map(({ manifest }) => manifest));
  const earlier = last?.understood.successions.found.filter(({ source }) => troubled.has(source)) ?? [];
  if (earlier.length === 0) return { store, accepted, diagnostics, known: { found, diagnostics } };
  const files = [...found.filter(({ source }) => !earlier.some((each) => each.source === source)), ...earlier].sort((a, b) => (a.source < b.source ? -1 : 1));
  return { ...judge(files), diagnostics, known: { found: files, diagnostics } };
}
