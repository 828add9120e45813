// The instances of this home and the state of each. host.ts opens it, the supervisor moves instances, the pipeline asks who takes part.
import { createHash } from 'node:crypto';
import { resolve as resolvePath } from 'node:path';
import type { ApprovalView, DegradedPlugin, Diagnostic, PluginState, PluginView } from '../../schemas/control.ts';
import type { RevocationView } from '../../schemas/revocation.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { publish } from '../events.ts';
import type { Ids } from '../ids.ts';
import type { ScanResult, ScanView } from '../../schemas/scan.ts';
import type { Store } from '../store/store.ts';
import type { AuditLog } from '../trust/log/audit-log.ts';
import { revocationId, type Revoked } from '../trust/revocation.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import type { RememberedRevocation } from '../trust/trust-memory.ts';
import type { Reviewers } from '../trust/reviewers.ts';
import type { PluginRow, TransitionRow } from '../store/tables.ts';
import { isExcused } from './crash-classes.ts';
import { rememberApprovals } from './approval-memory.ts';
import { diagnosticOf, severityFor } from './diagnostics.ts';
import { writeEnabled, type OnWriting } from './enablement-file.ts';
import { loadHistory, NO_HISTORY, type History } from './history.ts';
import { Entry, findingsOf, type Because, type Findings, type Instance } from './instance.ts';
import { Journal } from './journal.ts';
import { assertMove, isAvailable, isComing } from './lifecycle.ts';
import { rememberLists } from './listed-memory.ts';
import { lockText } from './lock.ts';
import { membersOf, type Members } from './members.ts';
import { RememberedTrust } from './remembered-trust.ts';
import { lift, revocationViews, revoke, type Revoking } from './revoking.ts';
import { KeptScans, type Place, type Scans } from './scans.ts';
import { openSecondOpinions } from './second-opinions.ts';
import type { ResolvedPlugin } from './resolve.ts';
import { openSightings, type KeptSightings } from './sightings.ts';
import type { SecretPlaces } from './secrets.ts';
import { survey, targetOf, type LastLook, type Survey, type Understood } from './survey.ts';
import { updateOf } from './trust-decisions.ts';
import type { VerifiedRelease } from '../trust/verify.ts';

export type { Because, Findings, Instance } from './instance.ts';
export type { Members } from './members.ts';

export interface RegistryParts {
  readonly config: ResolvedConfig;
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'commit'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly env: SecretPlaces['env'];
  /** Told of each enablement the registry is about to write, so that nobody takes it for the operator's. */
  readonly onWriting?: OnWriting;
}

/** Strikes older than this no longer count towards quarantine. */
export const STRIKE_WINDOW_MS = 60 * 60 * 1000;

export class Registry {
  readonly #parts: RegistryParts;
  readonly #journal: Journal;
  readonly #trust: RememberedTrust;
  readonly #sightings: KeptSightings;
  readonly #scans: KeptScans;
  #history: History = NO_HISTORY;
  /** By instance name, in their order. */
  readonly #entries = new Map<string, Entry>();
  /** What the store remembers of instances that no enablement names. */
  readonly #absent: Map<string, PluginRow>;
  /** What edits a file or looks at the home, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #understood: Understood | undefined;
  #members: Members | undefined;
  #changesAt: number | undefined;
  /** Of the lock that was last told of. */
  #lockText: string | undefined;
  #approvals: readonly ApprovalView[] = [];
  #diagnostics: readonly Diagnostic[] = [];
  /** Where each revocation stood at the newest look. */
  #listed: Survey['listed'] = new Map();

  private constructor(parts: RegistryParts, journal: Journal, trust: RememberedTrust, seen: KeptSightings, scans: KeptScans, rows: ReadonlyMap<string, PluginRow>) {
    this.#parts = parts;
    this.#journal = journal;
    this.#trust = trust;
    this.#sightings = seen;
    this.#scans = scans;
    this.#absent = new Map(rows);
  }

  /** Surveys the home and places each instance: `approved` may start. Quarantine outlives restarts. What is wrong is in `diagnostics`; nothing is thrown for it. */
  static async open(parts: RegistryParts): Promise<Registry> {
    const { journal, rows } = await Journal.open(parts.store, parts.audit);
    const [trust, seen, scans] = await Promise.all([RememberedTrust.open(parts), openSightings(parts.store, () => parts.clock.now()), KeptScans.open(parts.store, parts.clock, parts.ids)]);
    const registry = new Registry(parts, journal, trust, seen, scans, rows);
    const found = await registry.#survey();
    for (const findings of findingsOf(found).values()) registry.#enter(findings);
    registry.#diagnostics = [...found.diagnostics, ...[...registry.#entries.values()].flatMap(stillQuarantined)];
    await journal.written();
    return registry;
  }

  /** Scans what an instance runs, or would run, whatever is known of it. Throws PLUGIN_NOT_FOUND, and SCAN_IMPOSSIBLE where no genuine release is known. */
  async scan(instance: string): Promise<ScanView> {
    const { findings } = this.#entry(instance);
    const release = findings.resolved?.release ?? findings.refused?.release;
    const view = release && (await this.#scans.again(release, this.#placeOf(release)));
    if (!view) throw new GatehouseError('SCAN_IMPOSSIBLE', { instance, problem: findings.refused?.message ?? 'it is switched off, and its package was not looked at.' });
    await this.#scans.save(this.#parts);
    return view;
  }

  /** What the scanner says of a release that runs, by the lists and policies of now; undefined when it was never looked through. */
  scanOf(release: VerifiedRelease): ScanResult | undefined {
    return this.#scans.verdict(release, this.#placeOf(release));
  }

  /** Resolves once no big package is being looked through any more; with whether there was any. */
  scanned(): Promise<boolean> {
    return this.#scans.scanned();
  }

  #placeOf({ manifest }: VerifiedRelease): Place {
    const { enablements = [], trust, policy = this.#parts.config.trust } = this.#understood ?? {};
    return { trust: policy, records: trust?.store.records ?? [], installed: enablements.map(({ enablement }) => enablement.plugin), isSettled: this.#history.hasRun(manifest.id) };
  }

  /** What was found at opening; a `fatal` one ends the start. */
  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  /** Epoch milliseconds at which a look would find something else, though nobody changes a file; by the newest look. */
  get changesAt(): number | undefined {
    return this.#changesAt;
  }

  /** By instance name. */
  list(): readonly Instance[] {
    return [...this.#entries.values()];
  }

  /** Every approval and rejection in the files, as of the last look. */
  get approvals(): readonly ApprovalView[] {
    return this.#approvals;
  }

  /** Whose word counts, as of the last look. */
  get reviewers(): Reviewers {
    return this.#understood?.reviews.reviewers.store ?? { records: [], find: () => undefined };
  }

  find(instance: string): Instance | undefined {
    return this.#entries.get(instance);
  }

  /** Throws PLUGIN_NOT_FOUND. */
  get(instance: string): Instance {
    return this.#entry(instance);
  }

  /** Who takes part in what, in order; the same object until a state changes. */
  get members(): Members {
    this.#members ??= membersOf(this.list());
    return this.#members;
  }

  /** Takes effect at once, is published, and written soon: await `written` where it must be durable first. Throws PLUGIN_NOT_FOUND, TRANSITION_ILLEGAL. */
  move(instance: string, to: PluginState, because: Because): void {
    const entry = this.#entry(instance);
    const { state: from, plugin } = entry;
    assertMove(instance, from, to);
    const { actor, reason, code, evidenceDigest } = because;
    const at = toTimestamp(this.#parts.clock.now());
    entry.moved(to, because, at);
    this.#members = undefined;
    const transition: TransitionRow = { from, to, actor, reason, at, ...(code === undefined ? {} : { code }), ...(evidenceDigest === undefined ? {} : { evidenceDigest }) };
    this.#journal.record({ instance, row: entry.row, transition: { id: this.#parts.ids.next(), row: transition }, ...(to === 'active' ? entry.versionSeen(at) : {}) });
    publish('plugin.state', { instance, plugin, from, to, actor, reason, ...(code === undefined ? {} : { code }) });
  }

  // --- What is revoked ---------------------------------------------------------------------------------------------------------------------------------

  /** By id, with where each stood at the newest look. */
  revocations(): readonly RevocationView[] {
    return revocationViews(this.#trust, this.#listed);
  }

  /** From the next look on; it is remembered when this resolves, with whether the operator's list says so, too. Throws what the log throws. */
  revoke(revocation: RememberedRevocation): Promise<boolean> {
    return this.inTurn(async () => {
      const written = await revoke(revocation, this.#revoking);
      if (written) this.#listed = new Map([...this.#listed, [revocationId(revocation), 'file'] as const]);
      return written;
    });
  }

  /** No longer revoked from the next look on. Throws REVOCATION_NOT_FOUND, REVOCATION_SIGNED, what reading the list throws. */
  lift(revoked: Revoked, because: Pick<Because, 'actor' | 'reason'>): Promise<void> {
    return this.inTurn(async () => {
      await this.#journal.written();
      const { listed } = await this.#survey();
      await lift(revoked, because, listed, this.#revoking);
    });
  }

  // --- What the files say, taken up while the host runs: within `inTurn` ------------------------------------------------------------------------------

  /** Runs work that looks at the home or changes what was taken from it, after all such work that was asked for before. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** What the files say now, and for an instance with an operator's word for it; nothing is changed. Where one cannot be read, or is still being written, it counts as it was last understood. */
  look(isUnsettled: LastLook['isUnsettled'], agreed?: string): Promise<Survey> {
    return this.#survey(isUnsettled, agreed);
  }

  /** Takes up what the files say of an instance that does not run: a new one, or one that was stopped, rejected, revoked, disabled. It is then `approved`, or says why not. Throws TRANSITION_ILLEGAL. */
  place(findings: Findings): Instance {
    const entry = this.#entries.get(findings.enablement.instance);
    if (!entry) return this.#enter(findings);
    const before = entry.state;
    assertMove(entry.instance, before, 'discovered');
    entry.learn(findings, entry.row);
    this.move(entry.instance, 'discovered', { actor: 'file', reason: `${findings.file} was read again` });
    this.#place(entry, before);
    return entry;
  }

  /** Takes up what the files say of an instance that goes on running: what it may do, its settings, its release. Throws PLUGIN_NOT_FOUND. */
  learn(findings: Findings): void {
    const entry = this.#entry(findings.enablement.instance);
    const before = entry.row;
    entry.learn(findings, before);
    this.#members = undefined;
    const hasRun = isAvailable(entry.state);
    if (hasRun) entry.ran();
    const decisions = updateOf(entry.instance, before, entry.row);
    this.#journal.record({ instance: entry.instance, row: entry.row, decisions, ...(hasRun ? entry.versionSeen(toTimestamp(this.#parts.clock.now())) : {}) });
  }

  /** An operator agrees to whoever signed what the files lead to; kept, since something else may make it wait. */
  agree({ enablement: { instance }, refused }: Findings): void {
    const entry = this.#entries.get(instance);
    const keyid = refused?.release?.keyid;
    if (!entry?.row.signer || keyid === undefined || entry.row.signer.keyid === keyid) return;
    entry.row = { ...entry.row, signer: { ...entry.row.signer, agreed: keyid } };
    this.#journal.record({ instance, row: entry.row });
  }

  /** Its enablement is gone. The store goes on remembering versions, strikes and quarantine: coming back makes nobody innocent. */
  forget(instance: string): void {
    this.#absent.set(instance, this.#entry(instance).row);
    this.#entries.delete(instance);
    this.#members = undefined;
  }

  /** Resolves once every move and strike so far is on disk. Throws STORE_FAILED, STORE_CLOSED. */
  written(): Promise<void> {
    return this.#journal.written();
  }

  /** An instance's moves, newest first, at most 200. Throws PLUGIN_NOT_FOUND. */
  async history(instance: string, limit?: number): Promise<readonly TransitionRow[]> {
    this.#entry(instance);
    await this.#journal.written();
    return this.#journal.history(instance, limit);
  }

  /** Remembers a fault proven in the plugin, beyond this process; returns how many there were within STRIKE_WINDOW_MS. */
  strike(instance: string): number {
    const entry = this.#entry(instance);
    const now = this.#parts.clock.now();
    const strikesAtMs = [...entry.strikesSince(now - STRIKE_WINDOW_MS), now];
    entry.row = { ...entry.row, strikesAtMs };
    this.#journal.record({ instance, row: entry.row });
    return strikesAtMs.length;
  }

  /** `check`, here and below, throws where this is not to be done after all: called in its turn, before anything is changed. Out of quarantine: to `approved`, or `pending-approval` where approvals are asked for, or on to `rejected` when the files say it may not run. Its strikes are forgotten. */
  release(instance: string, because: Because, check?: () => void): Promise<Instance> {
    return this.inTurn(async () => (check?.(), await this.#release(instance, because)));
  }

  /** Switches it on in its file and looks at the home again: it is then `approved`, or refused and says why. Others stay as they are until the next start. */
  enable(instance: string, because: Because): Promise<Instance> {
    return this.inTurn(() => this.#enable(instance, because));
  }

  /** Switches it off in its file and here; ending its sandbox is the caller's. */
  disable(instance: string, because: Because, check?: () => void): Promise<Instance> {
    return this.inTurn(async () => (check?.(), await this.#disable(instance, because)));
  }

  /** What files and store know; restarts and cost are the supervisor's to add. Throws PLUGIN_NOT_FOUND. */
  view(instance: string): PluginView {
    const entry = this.#entry(instance);
    const { plugin, kind, state, required, code, message, resolved, row, findings } = entry;
    const grantsDigest = resolved?.grantsDigest ?? findings.refused?.grantsDigest;
    const { scan } = resolved ?? findings.refused ?? {};
    const strikes = entry.strikesSince(this.#parts.clock.now() - STRIKE_WINDOW_MS).length;
    return {
      instance, plugin, kind, version: row.version, digest: row.digest, state, required, grants: [...(resolved?.grants ?? [])], restarts: 0, strikes, cpuMs: 0, calls: 0,
      ...(grantsDigest === undefined ? {} : { grantsDigest }),
      ...(scan ? { scan: { outcome: scan.outcome, risk: scan.risk, findings: scan.findings.length, at: scan.at } } : {}),
      ...(code === undefined ? {} : { code }),
      ...(message === undefined ? {} : { message }),
    };
  }

  views(): PluginView[] {
    return this.list().map(({ instance }) => this.view(instance));
  }

  /** Enabled instances that take no calls, each with the reason. */
  degraded(): DegradedPlugin[] {
    return this.list()
      .filter(({ state }) => !isAvailable(state) && state !== 'disabled' && state !== 'draining')
      .map(({ instance, state, code = 'PLUGIN_NOT_READY', message = `Instance '${instance}' is ${state}.` }) => ({ instance, state, code, message }));
  }

  async #release(instance: string, { actor, reason }: Because): Promise<Instance> {
    const entry = this.#entry(instance);
    const findings = await this.#lookAgain(instance);
    if (entry.state !== 'quarantined') throw new GatehouseError('TRANSITION_ILLEGAL', { instance, from: entry.state, to: 'approved' });
    const { quarantine: _, ...row } = entry.row;
    const { refused, enablement } = findings;
    entry.learn(findings, { ...row, strikesAtMs: [], ...(refused?.state === 'pending-approval' ? { isReturning: true } : {}) });
    if (!enablement.enabled) this.move(instance, 'disabled', { actor, reason });
    else if (refused?.state === 'pending-approval') this.move(instance, 'pending-approval', { actor, reason, ...troubleOf(refused) });
    else this.move(instance, 'approved', { actor, reason });
    if (refused && refused.state !== 'pending-approval') this.move(instance, refused.state, { actor: 'host', reason: refused.message, ...troubleOf(refused) });
    await this.written();
    return entry;
  }

  async #enable(instance: string, { actor, reason }: Because): Promise<Instance> {
    const entry = this.#entry(instance);
    assertMove(instance, entry.state, 'discovered');
    await writeEnabled(this.#fileOf(entry), true, this.#parts.onWriting);
    const findings = await this.#lookAgain(instance, instance);
    this.agree(findings);
    entry.learn(findings, entry.row);
    this.move(instance, 'discovered', { actor, reason });
    this.#place(entry, 'discovered');
    await this.written();
    return entry;
  }

  async #disable(instance: string, because: Because): Promise<Instance> {
    const entry = this.#entry(instance);
    assertMove(instance, entry.state, 'disabled');
    await writeEnabled(this.#fileOf(entry), false, this.#parts.onWriting);
    this.move(instance, 'disabled', because);
    await this.written();
    return entry;
  }

  /** From `discovered` to where the files and the store say it belongs. */
  #place(entry: Entry, before: PluginState): void {
    const { instance, findings, row } = entry;
    const { enablement, refused } = findings;
    const host = { actor: 'host', reason: 'its release is genuine and may run here' };
    if (!enablement.enabled) {
      if (before === 'disabled') entry.state = 'disabled';
      else this.move(instance, 'disabled', { actor: 'file', reason: `${findings.file} says so` });
    } else if (row.quarantine) {
      const { code, reason, at } = row.quarantine;
      const { message } = new GatehouseError('PLUGIN_QUARANTINED', { instance, at, reason });
      this.move(instance, 'quarantined', { actor: 'host', reason, code, message });
    } else if (refused?.state === 'pending-approval') {
      this.#looked(entry, host);
      this.move(instance, 'pending-approval', { actor: 'host', reason: refused.message, ...troubleOf(refused) });
    } else if (refused) {
      if (refused.code === 'SCAN_BLOCKED') this.#looked(entry, host);
      this.move(instance, refused.state, { actor: 'host', reason: refused.message, ...troubleOf(refused) });
    } else {
      this.#looked(entry, host);
      this.move(instance, 'approved', { actor: 'host', reason: approvedBecause(findings) });
    }
  }

  /** Genuine, and looked through where that has ended. */
  #looked({ instance, findings }: Entry, host: Because): void {
    this.move(instance, 'verified', host);
    const scan = (findings.resolved ?? findings.refused)?.scan;
    if (scan) this.move(instance, 'scanned', { actor: 'host', reason: `the scanner says ${scan.outcome}, risk ${scan.risk}` });
  }

  #enter(findings: Findings): Entry {
    const { instance } = findings.enablement;
    const entry = new Entry(findings, this.#absent.get(instance));
    this.#absent.delete(instance);
    const all = [...this.#entries, [instance, entry] as const].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#entries.clear();
    for (const [name, each] of all) this.#entries.set(name, each);
    this.#members = undefined;
    this.#place(entry, entry.row.state);
    return entry;
  }

  async #survey(isUnsettled: LastLook['isUnsettled'] = () => false, agreed?: string): Promise<Survey> {
    const { config, store, audit, clock, env } = this.#parts;
    const understood = this.#understood;
    // What is revoked or withdrawn stops whether or not the disk is full: the files still say it at the next look, and what was decided here is written with it.
    const troubles: GatehouseError[] = [];
    const goOn = (thrown: unknown) => {
      if (!understood || !(thrown instanceof GatehouseError)) throw thrown;
      troubles.push(thrown);
    };
    await this.#journal.written().catch(goOn);
    const secondOpinion = await openSecondOpinions(store, clock);
    const last = understood && { understood, isUnsettled, isRunning: (digest: string) => this.#isRunning(digest), targets: this.#running().map(targetOf) };
    // Who starts the host waits for a big package; a running host has other things to stop and start meanwhile.
    const scans: Scans = { of: (release, place) => this.#scans.of(release, place, { isWaited: !last }) };
    const history = await loadHistory(store);
    this.#history = history;
    const found = await survey({ config, history, env, now: clock.now(), secondOpinion, memory: this.#trust, sightings: this.#sightings, scans, ...(agreed === undefined ? {} : { agreed }), ...(last ? { last } : {}) });
    await secondOpinion.save().catch(goOn);
    try {
      await this.#trust.learn(found.learned);
      await rememberApprovals(found, { home: config.home, history, audit, now: clock.now() });
      await rememberLists(found.understood.policy, { store, audit, now: clock.now() });
      await this.#tellLock(found.understood.lock);
    } catch (thrown) {
      goOn(thrown);
    }
    // What cannot be written now is written with the next look; until then it is known all the same.
    const saved = Promise.all([this.#sightings.save(), this.#scans.save(this.#parts)]);
    await (last ? saved.catch(() => undefined) : saved);
    this.#understood = found.understood;
    this.#approvals = found.approvalViews;
    this.#listed = found.listed;
    this.#changesAt = found.changesAt;
    return { ...found, diagnostics: [...found.diagnostics, ...troubles.slice(0, 1).map((error) => diagnosticOf(error, { severity: 'degraded', stage: 'trust', rule: 'revocations' }))] };
  }

  get #revoking(): Revoking {
    return { file: trustFilesOf(this.#parts.config).revocations, memory: this.#trust, onWriting: this.#parts.onWriting };
  }

  /** A lock that counts from now on: one more line in the audit log. */
  async #tellLock(lock: Understood['lock']): Promise<void> {
    const text = lock && lockText(lock);
    if (!lock || text === this.#lockText) return;
    const detail = { digest: `sha256:${createHash('sha256').update(text ?? '').digest('hex')}`, instances: Object.keys(lock.instances).length };
    await this.#parts.audit.commit([{ actor: 'file', action: 'lock.take-up', resource: 'gatehouse.lock.json', outcome: 'done', detail }], {});
    this.#lockText = text;
  }

  #isRunning(packageDigest: string): boolean {
    return this.#running().some(({ release }) => release.packageDigest === packageDigest);
  }

  #running(): ResolvedPlugin[] {
    return this.list().flatMap(({ state, resolved }) => (resolved && (isAvailable(state) || isComing(state)) ? [resolved] : []));
  }

  /** For what gives somebody more: it begins with a store that can keep it. Throws PLUGIN_NOT_FOUND when its enablement is gone meanwhile, and what the store throws. */
  async #lookAgain(instance: string, agreed?: string): Promise<Findings> {
    await this.#journal.written();
    const findings = findingsOf(await this.#survey(undefined, agreed)).get(instance);
    if (!findings) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
    return findings;
  }

  #fileOf({ findings }: Entry): string {
    return resolvePath(this.#parts.config.home, findings.file);
  }

  #entry(instance: string): Entry {
    const entry = this.#entries.get(instance);
    if (!entry) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
    return entry;
  }
}

const approvedBecause = ({ resolved }: Findings) => (resolved === undefined || resolved.approvedBy.length === 0 ? 'it needs no approvals' : `approved by ${resolved.approvedBy.join(', ')}`);

const troubleOf = ({ code, message }: { readonly code: string; readonly message: string }) => ({ code, message });

/** A required instance in quarantine keeps the host from starting, unless it is a gate whose enablement says how to go on without it. */
function stillQuarantined(entry: Entry): Diagnostic[] {
  const { instance, plugin, state, required, findings: { file }, row: { quarantine } } = entry;
  if (state !== 'quarantined' || !quarantine) return [];
  const error = new GatehouseError('PLUGIN_QUARANTINED', { instance, at: quarantine.at, reason: quarantine.reason });
  return [diagnosticOf(error, { severity: severityFor({ required: required && !isExcused(entry) }), stage: 'start', rule: 'quarantine', manifest: file, plugin, instance })];
}
