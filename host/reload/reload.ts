// Takes up what changes in the home while the host runs: looks, plans, begins every change in turn with operators' actions, and says what became of it. host.ts owns it.
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Diagnostic, PluginView, ReloadChange, ReloadView } from '../../schemas/control.ts';
import type { StatusView } from '../../schemas/status.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { publish, subscribe } from '../events.ts';
import type { Log } from '../log.ts';
import type { PluginLife } from '../plugin-life.ts';
import { diagnosticOf } from '../registry/diagnostics.ts';
import { approvalsNeeded, refusalByApprovals } from '../registry/admission/approvals.ts';
import { refusalByScan } from '../registry/admission/scan.ts';
import { refusalByLists } from '../registry/admission/lists.ts';
import { findingsOf } from '../registry/instance.ts';
import { isAvailable, isComing } from '../registry/lifecycle.ts';
import { at } from '../registry/lock.ts';
import { resolveGrant } from '../registry/plugin-config.ts';
import type { Findings, Registry } from '../registry/registry.ts';
import type { ResolvedPlugin } from '../registry/resolve.ts';
import type { Survey } from '../registry/survey.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { Due } from './due.ts';
import type { HomeRecord } from './home-record.ts';
import type { IdentityFile } from './identity-file.ts';
import { OwnWrites } from './own-writes.ts';
import { planOf, type Change, type Sighting, type Standing, type Withdrawal } from './plan.ts';
import { Replacing } from './replacing.ts';
import { goesOn, held as heldBack, Trouble } from './trouble.ts';
import { openWatcher, type Watcher } from './watcher.ts';

export interface ReloadParts {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly life: Pick<PluginLife, 'start' | 'condemn' | 'enable' | 'view'>;
  /** What the registry writes, so that the watcher does not take it for a change. */
  readonly ownWrites: OwnWrites;
  /** Who is who. */
  readonly identityFile: Pick<IdentityFile, 'look'>;
  /** Tells the transparency log which files changed. */
  readonly homeRecord: Pick<HomeRecord, 'look'>;
  /** Nothing is judged before every instance of the start has settled. */
  readonly booted: () => Promise<unknown>;
  /** Somebody came or left; what was held for a gate may go on. */
  readonly onMembershipChange: () => void;
}

/** How the last look ended, for `status`. */
export type ReloadStatus = StatusView['reload'];

/** Timers may come this much too early. */
const TIMER_MS = 2;
/** Where changes are noticed, the host looks this often all the same: for what expires, and for what the system forgot to tell. */
const ROUND_MS = 60_000;

export class Reload implements AsyncDisposable {
  readonly #parts: ReloadParts;
  readonly #replacing: Replacing;
  readonly #trouble: Trouble;
  readonly #due: Due;
  readonly #unsubscribe: () => void;
  /** Since when each package that looks changed does: condemned when it still does a time of quiet later. */
  #suspects: ReadonlyMap<string, number> = new Map();
  #watcher: Watcher | undefined;
  #watchTrouble: Diagnostic | undefined;
  #identityTrouble: Diagnostic | undefined;
  #last: ReloadView | undefined;
  /** A look that was asked for and has not begun. */
  #queued: Promise<ReloadView> | undefined;
  /** What the newest look found and does not take up; what failed since is asked for when it is called. */
  #explained: () => Diagnostic[] = () => [];
  /** Instances whose change waits for the one that is under way, by the newest look. */
  #waiting: ReadonlySet<string> = new Set();
  /** Instances whose files were still being written at the newest look. */
  #settling: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #rounds: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#replacing = new Replacing({ ...parts, onFree: () => this.#waiting.size > 0 && this.#soon() });
    this.#trouble = new Trouble(parts.registry, parts.log);
    this.#due = new Due(parts.clock, () => this.#judgeUnasked());
    const unsubscribe = [
      subscribe('plugin.state', ({ to }) => void (to === 'active' && queueMicrotask(() => this.#closed || this.#trouble.settleStates()))),
      // What was big waits for this, and is taken up by the look that follows.
      subscribe('scan.ended', ({ isBig }) => isBig && this.#watcher && this.#soon()),
    ];
    this.#unsubscribe = () => unsubscribe.forEach((each) => each());
  }

  get status(): ReloadStatus {
    return { watching: this.#watcher !== undefined && this.#watchTrouble === undefined, last: this.#last ?? null };
  }

  /** What the files say of an instance and is not taken up. Throws PLUGIN_NOT_FOUND. */
  diagnosticsOf(instance: string): Diagnostic[] {
    return this.#trouble.of(this.#parts.registry.get(instance));
  }

  /** Takes up by itself what only has to wait, from what the start found on. */
  expect(): void {
    if (!this.#closed) this.#due.expect(this.#parts.registry.changesAt);
  }

  /** Notices changes from now on. Resolves once it does; a system that does not tell of changes is reported, not thrown. */
  async watch(): Promise<void> {
    const { config, clock, ownWrites, log } = this.#parts;
    const onTrouble = (problem: unknown) => {
      if (this.#watchTrouble || this.#closed) return;
      const error = new GatehouseError('WATCH_FAILED', { home: config.home, problem: problemOf(problem) });
      this.#watchTrouble = diagnosticOf(error, { severity: 'degraded', stage: 'reload', rule: 'watch' });
      log.error({ err: problemOf(problem) }, 'changes of the home are not all noticed');
    };
    const onDue = () => this.#judgeUnasked();
    try {
      const watcher = await openWatcher({ config, clock, ownWrites, onDue, onTrouble });
      if (this.#closed) return await watcher[Symbol.asyncDispose]();
      this.#watcher = watcher;
      watcher.follow(this.#packages(this.#parts.registry.list().map(({ findings }) => findings)));
      this.#rounds = setInterval(onDue, ROUND_MS).unref();
    } catch (error) {
      onTrouble(error);
    }
  }

  /**
   * Looks now, and a second time where the first gave reason to. Resolves once what it began has ended: started, switched over, rolled back, left.
   * Throws STOPPING, and what the store throws; nothing has changed then.
   */
  async judge(): Promise<ReloadView> {
    const first = await this.#judgeSoon();
    const wasScanning = await this.#parts.registry.scanned();
    if (this.#suspects.size === 0 && !wasScanning) return first;
    clearTimeout(this.#timer); // that look is this one
    if (this.#suspects.size > 0) await sleep(this.#parts.config.reload.quietMs);
    const second = await this.#judgeSoon();
    return { ...second, durationMs: first.durationMs + second.durationMs, changes: [...first.changes, ...second.changes] };
  }

  /** An operator's word for one instance: looks now, and again once its files have settled, with what is wider agreed to and what failed tried again; then switches it on if it is off. Throws PLUGIN_NOT_FOUND, TRANSITION_ILLEGAL. */
  async enable(instance: string, actor: string): Promise<PluginView> {
    const { registry, life, clock, config: { reload: { quietMs, mostMs } } } = this.#parts;
    const settledBy = clock.monotonicMs() + quietMs + mostMs;
    let isSettling: boolean;
    do {
      await this.#replacing.untilFree(instance);
      await this.#judge({ instance, actor });
      isSettling = this.#settling.has(instance) && clock.monotonicMs() < settledBy;
      if (isSettling) await sleep(quietMs);
    } while (((await registry.scanned()) || this.#waiting.has(instance) || isSettling) && !this.#closed);
    const { state } = registry.get(instance);
    return isAvailable(state) || isComing(state) ? life.view(instance) : await life.enable(instance, actor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    clearTimeout(this.#timer);
    clearInterval(this.#rounds);
    this.#due[Symbol.dispose]();
    this.#replacing[Symbol.dispose]();
    await this.#watcher?.[Symbol.asyncDispose]();
  }

  #judgeSoon(): Promise<ReloadView> {
    this.#queued ??= this.#judge();
    return this.#queued;
  }

  /** Nobody waits for it. */
  #judgeUnasked(): void {
    this.#judgeSoon().catch((error: unknown) => this.#closed || this.#parts.log.error({ err: problemOf(error) }, 'a look at the home failed; what runs goes on'));
  }

  async #judge(confirmed?: { readonly instance: string; readonly actor: string }): Promise<ReloadView> {
    const { clock, log, registry, booted, onMembershipChange } = this.#parts;
    await booted();
    const startedAt = clock.monotonicMs();
    const steps = await registry.inTurn(async () => {
      if (!confirmed) this.#queued = undefined; // whoever asks from now on is too late for this look
      return this.#look(confirmed?.instance);
    });
    onMembershipChange();
    const changes = (await Promise.all(steps)).filter((change) => change !== undefined);
    this.#trouble.learn(this.#explained());
    const durationMs = Math.round(clock.monotonicMs() - startedAt);
    const refused = this.#trouble.diagnostics.filter(({ severity }) => severity !== 'warning');
    const view: ReloadView = { at: toTimestamp(clock.now()), durationMs, changes, refused: [...refused] };
    this.#last = view;
    publish('reload.judged', { changes, refused, durationMs });
    if (changes.length > 0) log.info({ changes: changes.map(({ kind, instance }) => `${kind} ${instance}`), refused: refused.length, durationMs, ...(confirmed ? { actor: confirmed.actor } : {}) }, 'the home was looked at, and what changed is taken up');
    return view;
  }

  /** Looks, plans and begins: when it returns, everything that must stop has stopped, and what takes longer is on its way. */
  async #look(confirmed: string | undefined) {
    const { registry, clock, config } = this.#parts;
    const isUnsettled = (path: string) => this.#watcher?.isUnsettled(path) ?? false;
    await this.#record();
    this.#identityTrouble = await this.#parts.identityFile.look();
    const survey = await registry.look(isUnsettled, confirmed);
    if (this.#closed) throw new GatehouseError('STOPPING');
    const found = findingsOf(survey);
    const agreed = confirmed === undefined ? undefined : found.get(confirmed);
    if (agreed) registry.agree(agreed);
    this.#replacing.keepOnly(found);
    const plan = planOf(this.#standings(), this.#sighting(survey, found, isUnsettled, confirmed));
    const drifted = plan.filter(({ kind }) => kind === 'drift').map(({ instance }) => instance);
    const now = clock.monotonicMs();
    const since = drifted.map((instance) => [instance, this.#suspects.get(instance) ?? now] as const);
    this.#suspects = new Map(since.filter(([, at]) => now - at < config.reload.quietMs - TIMER_MS));
    const changes = plan.map((change) => (this.#suspects.has(change.instance) ? ({ kind: 'wait', instance: change.instance, until: 'settled' } as const) : change));

    const waitingUntil = (until: 'free' | 'settled') => new Set(changes.flatMap((change) => (change.kind === 'wait' && change.until === until ? [change.instance] : [])));
    this.#waiting = waitingUntil('free');
    this.#settling = waitingUntil('settled');
    this.#explained = this.#explain(survey, changes);
    const steps = changes.map((change) => this.#carryOut(change));
    this.#watcher?.follow(this.#packages([...found.values(), ...registry.list().map(({ findings }) => findings)]));
    if (this.#suspects.size > 0) this.#soon();
    this.expect();
    return steps;
  }

  /** A disk that is full must not keep a revocation from taking effect: what could not be told now is told at the next look. */
  async #record(): Promise<void> {
    try {
      await this.#parts.homeRecord.look();
    } catch (error) {
      this.#parts.log.error({ err: problemOf(error) }, 'what changed in the home could not be written to the audit log');
    }
  }

  #standings(): Standing[] {
    return this.#parts.registry.list().map(({ instance, state, findings }) => {
      const failed = this.#replacing.failureOf(instance)?.needs;
      return { instance, state, findings, isBusy: this.#replacing.isBusy(instance), ...(failed ? { failed } : {}) };
    });
  }

  #sighting({ understood: { trust, revocations, policy, lock }, approvals }: Survey, found: Sighting['found'], isUnsettled: Sighting['isUnsettled'], confirmed: string | undefined): Sighting {
    const { egress } = this.#parts.config;
    const withdrawal = (by: Withdrawal['by'], { code, message }: GatehouseError): Withdrawal => ({ by, code, message });
    const withdrawalOf = (running: ResolvedPlugin, now: Findings | undefined): Withdrawal | undefined => {
      const { release } = running;
      const { keyid, packageDigest, publisher, manifest: { id, version } } = release;
      const revoked = revocations.reasonFor({ keyid, digest: packageDigest, id, version });
      if (revoked !== undefined) return withdrawal('revocation', new GatehouseError('REVOKED', { plugin: id, problem: revoked }));
      if (!trust.store.signers(keyid).some((signer) => signer.publisher === publisher)) return withdrawal('trust', new GatehouseError('KEY_UNTRUSTED', { plugin: id, keyid, publisher, known: 'its record was withdrawn' }));
      const unlisted = refusalByLists(release, policy);
      if (unlisted) return withdrawal('lists', unlisted);
      const scan = this.#parts.registry.scanOf(release);
      const scanned = scan && refusalByScan(running, scan, policy, approvals);
      if (scanned) return withdrawal(scan.outcome === 'block' ? 'scan' : 'approvals', scanned);
      // What the lock still names goes on, whatever its files lead to meanwhile.
      if (lock && now?.refused?.rule === 'lock' && at(lock, running.instance)?.packageDigest !== packageDigest) return { by: 'lock', code: 'LOCK_MISMATCH', message: now.refused.message };
      const unapproved = refusalByApprovals(running, approvalsNeeded((now ?? running).enablement, policy), approvals);
      return unapproved && withdrawal('approvals', unapproved);
    };
    return { found, withdrawalOf, isUnsettled, confirmed, resolveGrants: (instance, grants, config) => grants.flatMap((grant) => resolveGrant(instance, grant, config, egress) ?? []) };
  }

  // --- One change ---------------------------------------------------------------------------------------------------------------------------------------

  /** What goes wrong with one change is no reason to leave out the others. */
  async #carryOut(change: Change): Promise<ReloadChange | undefined> {
    try {
      return await this.#begin(change);
    } catch (error) {
      if (!this.#closed) this.#parts.log.error({ change: change.kind, instance: change.instance, err: problemOf(error) }, 'a change of the home could not be carried out');
      return undefined;
    }
  }

  /** Its decisive part is done when this returns; resolves, when it has ended, with what took effect. */
  async #begin(change: Change): Promise<ReloadChange | undefined> {
    const { registry, life, supervisor } = this.#parts;
    const { instance } = change;
    switch (change.kind) {
      case 'revoke': {
        // Where the files lead to another release already, that one starts next, and the instance is not lost.
        const ended = life.condemn(instance, { code: 'REVOKED', reason: change.message, to: 'revoked', isReplaced: change.found?.resolved !== undefined });
        if (change.found?.refused) registry.learn(change.found);
        await ended;
        return { kind: 'revoked', instance };
      }
      case 'condemn': {
        const scan = registry.scanOf(change.release);
        if (scan) publish('scan.blocked', { instance, packageDigest: scan.packageDigest, rules: scan.rules, findings: scan.findings });
        const condemned = life.condemn(instance, { code: change.code, reason: change.message });
        if (change.found) registry.learn(change.found);
        await condemned;
        return { kind: 'condemned', instance };
      }
      case 'drift': {
        const { problem, expected, actual, found } = change;
        publish('plugin.drift', { instance, problem, expected, actual });
        const { message } = new GatehouseError('PLUGIN_DRIFT', { instance, problem, expected, actual: actual ?? 'nothing readable' });
        const condemned = life.condemn(instance, { code: 'PLUGIN_DRIFT', reason: message });
        registry.learn(found);
        await condemned;
        return { kind: 'drifted', instance };
      }
      case 'withdraw': {
        registry.move(instance, 'stopped', { actor: 'file', reason: change.message, code: change.code });
        const stopped = supervisor.stop(instance);
        if (change.found) await this.#place(change.found);
        else registry.forget(instance);
        await stopped;
        return { kind: 'withdrawn', instance };
      }
      case 'remove': {
        const { file } = registry.get(instance).findings;
        await this.#replacing.leave(instance, { actor: 'file', reason: `${file} no longer enables it` });
        this.#replacing.forgive(instance);
        this.#parts.onMembershipChange();
        return { kind: 'removed', instance };
      }
      case 'disable':
        await this.#replacing.leave(instance, { actor: 'file', reason: `${change.found.file} says so` }, change.found);
        this.#parts.onMembershipChange();
        return { kind: 'disabled', instance };
      case 'reconfigure': {
        if (!change.restart) registry.learn(change.found);
        else if (!change.found.resolved || !(await this.#replacing.replace(change.found, change.found.resolved))) return undefined;
        return { kind: 'reconfigured', instance, what: [...change.what] };
      }
      case 'upgrade':
        if (!change.found.resolved || !(await this.#replacing.replace(change.found, change.found.resolved))) return undefined;
        return { kind: 'upgraded', instance, from: change.from, to: change.to };
      case 'add': {
        const wasKnown = registry.find(instance) !== undefined;
        return (await this.#place(change.found)) ? { kind: wasKnown ? 'enabled' : 'added', instance } : undefined;
      }
      case 'hold':
      case 'refuse':
      case 'keep':
      case 'wait':
      case 'unchanged':
        return undefined;
      default:
        return change satisfies never;
    }
  }

  /** Whether it may run; then it is started, and resolves once its first try has ended. */
  async #place(findings: Findings): Promise<boolean> {
    const { registry, life } = this.#parts;
    const entry = registry.place(findings);
    if (entry.state !== 'approved') return false;
    await life.start(entry);
    return true;
  }

  // --- What is told -------------------------------------------------------------------------------------------------------------------------------------

  /** The findings of the look, told of what goes on as such, beside what the plan holds back. What fails its self test is known only afterwards, so it is asked for then. */
  #explain(survey: Survey, changes: readonly Change[]): () => Diagnostic[] {
    const { registry } = this.#parts;
    const waiting = new Set(changes.filter(({ kind }) => kind === 'wait').map(({ instance }) => instance));
    const going = new Set(changes.filter(({ kind }) => kind === 'refuse' || kind === 'hold').map(({ instance }) => instance));
    const held = changes.flatMap((change) => (change.kind === 'hold' ? [heldBack(registry.get(change.instance), change)] : []));
    const found = survey.diagnostics
      .filter(({ instance }) => instance === undefined || !waiting.has(instance))
      .filter(({ instance, rule }) => !(rule === 'signer' && held.some((each) => each.instance === instance))) // told with all that goes with it
      .map((each) => ((each.instance !== undefined && going.has(each.instance)) || each.rule === 'enablement' ? goesOn(each) : each));
    for (const { kind, instance } of changes) if (kind !== 'keep' && kind !== 'wait') this.#replacing.forgive(instance);
    return () => [
      ...(this.#watchTrouble ? [this.#watchTrouble] : []),
      ...(this.#identityTrouble ? [this.#identityTrouble] : []),
      ...held,
      ...found,
      ...registry.list().flatMap(({ instance }) => this.#replacing.failureOf(instance)?.diagnostic ?? []),
    ];
  }

  /** Where the packages lie that are in use, or shall be. */
  #packages(all: readonly Findings[]): ReadonlySet<string> {
    const { home } = this.#parts.config;
    return new Set(all.flatMap(({ enablement: { enabled, source }, resolved, refused }) => {
      if (!enabled) return [];
      const path = resolved?.packagePath ?? refused?.packagePath ?? (source === undefined ? undefined : resolve(home, source));
      return path === undefined ? [] : [path];
    }));
  }

  /** Another look, a time of quiet from now. */
  #soon(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#judgeUnasked(), this.#parts.config.reload.quietMs);
  }
}
