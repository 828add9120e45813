// What counts as revoked at a look: the operator's list, signed lists, and everything that was revoked before and never lifted. Called by trust-look.ts.
import { existsSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import { toTimestamp } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import { readSignedList, type RememberedList, type SignedList } from '../trust/revocation-lists.ts';
import { loadRevocations, revocationId, revocationList, type Revocation, type RevocationList } from '../trust/revocation.ts';
import type { Revokers } from '../trust/revokers.ts';
import { signedListFiles, type TrustFiles } from '../trust/trust-files.ts';
import type { RememberedRevocation, TrustMemory } from '../trust/trust-memory.ts';
import { diagnosticOf } from './diagnostics.ts';

export interface RevocationsContext {
  readonly home: string;
  readonly files: TrustFiles;
  readonly strict: boolean;
  readonly memory: TrustMemory;
  readonly revokers: Revokers;
  /** Whether every record of a revoker was understood. */
  readonly isEveryRevokerKnown: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of a running host. */
  readonly last?: { isUnsettled(path: string): boolean; isRunning(packageDigest: string): boolean } | undefined;
}

export interface RevocationsLook {
  /** What releases are held against. Beside a list that cannot be read, or that strict finds stale, nothing counts as permitted but what runs. */
  readonly counts: RevocationList;
  /** What is known to be revoked. */
  readonly understood: RevocationList;
  /** Where each stands that a list names now, by id: `list:<issuer>`, or else `file`. */
  readonly listed: ReadonlyMap<string, string>;
  /** The newest list of each issuer that is a revoker. */
  readonly current: ReadonlyMap<string, RememberedList>;
  readonly lists: readonly SignedList[];
  /** Every entry of the lists, to be remembered. */
  readonly found: readonly RememberedRevocation[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Named in one finding; the rest is counted. */
const NAMED = 3;

export async function lookForRevocations(context: RevocationsContext): Promise<RevocationsLook> {
  const { home, memory, now, last } = context;
  const own = await readOwn(context);
  const known = revocationList([...memory.revocations.values(), ...own.entries]);
  const signed = await readSigned(context, known);
  const found = [...own.entries.map((each) => seen(each, 'file', now)), ...signed.lists.flatMap(({ issuer, revocations }) => revocations.map((each) => seen(each, `list:${issuer}`, now)))];
  const understood = revocationList([...memory.revocations.values(), ...found]);
  const listed = new Map(found.map((each) => [revocationId(each), each.by]));
  const current = new Map(context.revokers.records.flatMap(({ record: { revoker } }) => {
    const list = signed.lists.find(({ issuer }) => issuer === revoker) ?? memory.list(revoker);
    return list ? [[revoker, list] as const] : [];
  }));
  const stale = staleLists(context, current);
  const doubt = own.doubt ?? (context.strict ? doubtInStrict(context, stale) : undefined);
  return {
    counts: doubt === undefined ? understood : doubtful(understood, doubt, last),
    understood, listed, current, lists: signed.lists, found,
    diagnostics: [...own.diagnostics, ...signed.diagnostics, ...stale, ...(own.isWhole ? vanished(home, context.files.revocations, memory, signed.lists, listed) : [])],
  };
}

function doubtInStrict({ isEveryRevokerKnown }: RevocationsContext, stale: readonly Diagnostic[]): string | undefined {
  if (!isEveryRevokerKnown) return 'a record of a revoker cannot be read';
  return stale.length > 0 ? 'the signed list of revocations is not current' : undefined;
}

/** Whatever is not known to be permitted may not begin; what runs goes on. Of a key alone only what is known is said. */
function doubtful(understood: RevocationList, doubt: string, last: RevocationsContext['last']): RevocationList {
  return { reasonFor: (release) => understood.reasonFor(release) ?? (release.digest === undefined || last?.isRunning(release.digest) ? undefined : doubt) };
}

interface Own {
  readonly entries: readonly Revocation[];
  /** Whether the file says what it says: not half written, not gone for now. */
  readonly isWhole: boolean;
  readonly doubt?: string;
  readonly diagnostics: readonly Diagnostic[];
}

/** A list that cannot be read is fatal at start: nobody knows what it revokes. While the host runs, what it ever said goes on counting, and what does not run yet waits. */
async function readOwn({ home, files: { revocations: file }, last }: RevocationsContext): Promise<Own> {
  const isUnsettled = last?.isUnsettled(file) ?? false;
  try {
    const isGoneForNow = last !== undefined && !existsSync(file) && (isUnsettled || !existsSync(dirname(file)));
    return { entries: isGoneForNow ? [] : await loadRevocations(file), isWhole: !isGoneForNow, diagnostics: [] };
  } catch (thrown) {
    const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
    const diagnostics = isUnsettled ? [] : [diagnosticOf(error, { severity: 'fatal', stage: 'trust', rule: 'revocations', manifest: relative(home, file) })];
    return { entries: [], isWhole: false, doubt: 'the list of revocations cannot be read', diagnostics };
  }
}

/** A signed list that is refused says nothing; what its issuer said before is remembered, and expires. */
async function readSigned({ home, files, memory, revokers, now, last }: RevocationsContext, known: RevocationList): Promise<{ readonly lists: readonly SignedList[]; readonly diagnostics: readonly Diagnostic[] }> {
  const newest = new Map<string, SignedList>();
  const diagnostics: Diagnostic[] = [];
  const remembered = (issuer: string) => newest.get(issuer) ?? memory.list(issuer);
  const revokedKey = (keyid: string) => known.reasonFor({ keyid });
  const { names, problem } = await namesOf(files);
  if (problem) diagnostics.push(diagnosticOf(problem, { severity: last ? 'degraded' : 'fatal', stage: 'trust', rule: 'revocation-list', manifest: relative(home, files.signedLists) }));
  for (const file of names) {
    try {
      const list = readSignedList(await readRegularFile(file), { source: relative(home, file), revokers, now, remembered, revokedKey });
      newest.set(list.issuer, list);
    } catch (thrown) {
      if ((thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') || last?.isUnsettled(file)) continue;
      const source = relative(home, file);
      const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('REVOCATION_LIST', { source, problem: problemOf(thrown) }, { cause: thrown });
      diagnostics.push(diagnosticOf(error, { severity: 'degraded', stage: 'trust', rule: 'revocation-list', manifest: source }));
    }
  }
  return { lists: [...newest.values()], diagnostics };
}

/** A folder that is none, or that may not be read, is no reason not to read the list beside it. */
async function namesOf(files: TrustFiles): Promise<{ readonly names: readonly string[]; readonly problem?: GatehouseError }> {
  try {
    return { names: await signedListFiles(files) };
  } catch (thrown) {
    return { names: [files.signedList], problem: new GatehouseError('FILE_UNREADABLE', { file: files.signedLists, problem: problemOf(thrown) }, { cause: thrown }) };
  }
}

/** Whoever may revoke must be heard: a revoker without a current list is a warning, and fatal in strict. */
function staleLists({ home, revokers, strict, now }: RevocationsContext, current: ReadonlyMap<string, RememberedList>): Diagnostic[] {
  return revokers.records.flatMap(({ record: { revoker: issuer }, source }) => {
    const list = current.get(issuer);
    if (list && now < Date.parse(list.expiresAt)) return [];
    const problem = list ? `number ${list.sequence} expired at ${list.expiresAt}` : 'none was ever here';
    return [diagnosticOf(new GatehouseError('REVOCATIONS_STALE', { issuer, problem }), { severity: strict ? 'fatal' : 'warning', stage: 'trust', rule: 'revocation-list', manifest: relative(home, source) })];
  });
}

/** What was revoked, by a list that can be read, and is on none any more. */
function vanished(home: string, file: string, memory: TrustMemory, lists: readonly SignedList[], listed: ReadonlyMap<string, string>): Diagnostic[] {
  const isHeard = (by: string) => !by.startsWith('list:') || lists.some(({ issuer }) => by === `list:${issuer}`);
  const gone = [...memory.revocations].filter(([id, { by }]) => !listed.has(id) && isHeard(by)).map(([id]) => id);
  if (gone.length === 0) return [];
  const what = `${gone.slice(0, NAMED).join(', ')}${gone.length > NAMED ? ` and ${gone.length - NAMED} more` : ''}`;
  const error = new GatehouseError('REVOCATION_VANISHED', { count: gone.length, what });
  return [diagnosticOf(error, { severity: 'warning', stage: 'trust', rule: 'revocations', manifest: relative(home, file) })];
}

const seen = (revocation: Revocation, by: string, now: number): RememberedRevocation => ({ ...revocation, at: revocation.at ?? toTimestamp(now), by });
