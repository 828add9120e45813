// The life of instances while the host runs: starts them in order, follows what becomes of their sandboxes, and does what the operator asks. The registry owns the states, the supervisor the processes.
import type { DegradedPlugin, Diagnostic, PluginState, PluginView } from '../schemas/control.ts';
import type { Trigger } from '../schemas/quarantine.ts';
import { toTimestamp, type Clock } from './clock.ts';
import type { ChannelLife } from './channels/channel-life.ts';
import type { ResolvedConfig } from './config.ts';
import { GatehouseError, problemOf, type ErrorCode } from './errors.ts';
import { publish, subscribe } from './events.ts';
import type { Log } from './log.ts';
import { bundleOf, sweepEvidence, writeBundle, type Bundle, type Findings } from './quarantine/evidence.ts';
import type { Recent } from './quarantine/recent.ts';
import { triggerOfCode, triggerOfStrike, triggerOfViolation } from './quarantine/triggers.ts';
import { isExcused, LOSSES, lossOf } from './registry/crash-classes.ts';
import { diagnosticOf, severityFor } from './registry/diagnostics.ts';
import { isAvailable, isComing, MOVES } from './registry/lifecycle.ts';
import { inStartOrder } from './registry/members.ts';
import type { Because, Instance, Registry } from './registry/registry.ts';
import type { ResolvedPlugin } from './registry/resolve.ts';
import type { SandboxSpec } from './sandbox/sandbox.ts';
import type { VerifiedRelease } from './trust/verify.ts';
import { ALWAYS_UP, type Standing } from './supervisor/hibernation.ts';
import type { QuarantineEvidence, StateChange, Strike, Supervisor } from './supervisor/supervisor.ts';
import { Violations, type Violation } from './supervisor/violations.ts';

export interface PluginLifeParts {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly channels: Pick<ChannelLife, 'onActive' | 'onDown' | 'view'>;
  /** Somebody came back, or left; what was held for a gate may go on, and what the host holds for whoever left is let go. */
  readonly onMembershipChange: () => void;
  /** What happened lately, for evidence. */
  readonly recent: Pick<Recent, 'of'>;
  /** What else belongs into the evidence of an instance: asked while it still has its secrets. */
  readonly about: (entry: Instance) => Pick<Findings, 'host' | 'secretValues' | 'review'> & { readonly egressBytesToday: number };
  /** The host must not go on without this instance: a loss of class `fatal` at run time. Its evidence is written. */
  onFatalLoss(instance: string, reason: string): void;
}

/** Why the host gives an instance up, by its own judgement. */
export interface Sentence {
  readonly code: ErrorCode;
  readonly reason: string;
  /** Default: what the code stands for, else a reviewer's word. */
  readonly trigger?: Trigger;
  /** Default `quarantined`. */
  readonly to?: 'quarantined' | 'revoked';
  /** Another release takes its place at once: its evidence is kept, and the instance is not lost. */
  readonly isReplaced?: boolean;
}

export interface Settled {
  readonly active: readonly string[];
  readonly degraded: readonly DegradedPlugin[];
}

/** Strikes within the registry's window that end an instance. */
const STRIKES_TO_QUARANTINE = 3;

export class PluginLife {
  readonly #parts: PluginLifeParts;
  readonly #violations: Violations;
  readonly #unsubscribe: readonly (() => void)[];
  /** Until then a loss is a finding of the start, told together with all others. */
  #settled = false;

  constructor(parts: PluginLifeParts) {
    this.#parts = parts;
    this.#violations = new Violations(parts.clock);
    this.#unsubscribe = [
      subscribe('capability.denied', ({ instance, capability, code }) => void (REACHING.has(code) && this.#onViolation(instance, 'reach', capability))),
      subscribe('egress.request', ({ instance, code }) => void (code === 'EGRESS_DENIED' && this.#onViolation(instance, 'reach', 'http.fetch'))),
      subscribe('secret.leaked', ({ instance, isRead }) => void (isRead && this.#onViolation(instance, 'leak', 'secret.use'))),
    ];
  }

  /** Begins them in their order, none waiting for another. Resolves when each has settled or the boot deadline has passed. */
  async startAll(): Promise<Settled> {
    const { registry, config } = this.#parts;
    const startable = inStartOrder(registry.list().filter(({ state }) => state === 'approved'));
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), config.boot.deadlineMs);
    const passed = new Promise<void>((resolve) => deadline.signal.addEventListener('abort', () => resolve(), { once: true }));
    // The supervisor knows all of them before this returns: work from before the host's end waits for those that still start.
    const all = Promise.all(startable.map((each) => this.start(each)));
    await Promise.race([all, passed]);
    clearTimeout(timer);
    this.#settled = true;
    for (const diagnostic of this.#sinceStart()) if (diagnostic.severity === 'degraded') publish('plugin.degraded', { diagnostic });
    const active = registry.list().filter(({ state }) => isAvailable(state));
    return { active: active.map(({ instance }) => instance), degraded: registry.degraded() };
  }

  /** What the files said, and what became of instances since. */
  diagnostics(): Diagnostic[] {
    return [...this.#parts.registry.diagnostics, ...this.#sinceStart()];
  }

  /** Trouble that the files did not foretell. */
  #sinceStart(): Diagnostic[] {
    const { registry, config } = this.#parts;
    const foretold = new Set(registry.diagnostics.filter(({ severity }) => severity !== 'warning').map(({ instance }) => instance));
    const troubled = registry.list().filter((each) => !isAvailable(each.state) && each.state !== 'disabled' && !foretold.has(each.instance));
    return troubled.map((each) => runtimeDiagnostic(each, config.boot.deadlineMs));
  }

  ready(): boolean {
    return this.#parts.registry.list().every(({ required, state }) => !required || state === 'disabled' || isAvailable(state));
  }

  /** Throws PLUGIN_NOT_FOUND. */
  view(instance: string): PluginView {
    const { registry, supervisor } = this.#parts;
    const view = registry.view(instance);
    const stats = supervisor.stats(instance);
    return stats ? { ...view, restarts: stats.restarts, calls: stats.calls, cpuMs: stats.cpuUs / 1000 } : view;
  }

  /** With what it may use, when it is tried again, and what a channel can do. Throws PLUGIN_NOT_FOUND. */
  details(instance: string): PluginView {
    const { registry, supervisor, channels } = this.#parts;
    const position = inStartOrder(registry.list().filter(({ state }) => state !== 'disabled')).findIndex((each) => each.instance === instance);
    const { resolved } = registry.get(instance);
    const channel = channels.view(instance);
    return { ...this.view(instance), ...(position === -1 ? {} : { startPosition: position + 1 }), ...(resolved ? { limits: resolved.limits } : {}), ...(resolved?.release.provenance ? { madeFrom: resolved.release.provenance } : {}), retry: supervisor.retry, ...(channel ? { channel } : {}) };
  }

  views(): readonly PluginView[] {
    return this.#parts.registry.list().map(({ instance }) => this.view(instance));
  }

  async enable(instance: string, actor: string): Promise<PluginView> {
    const { registry } = this.#parts;
    const { state } = registry.get(instance);
    if (isAvailable(state) || isComing(state)) return this.view(instance);
    const entry = await registry.enable(instance, { actor, reason: 'enabled by the operator' });
    if (entry.state === 'approved') await this.start(entry);
    return this.view(instance);
  }

  async disable(instance: string, actor: string, reason: string, check?: () => void): Promise<PluginView> {
    const { registry, supervisor } = this.#parts;
    if (registry.get(instance).state === 'disabled') return this.view(instance);
    await registry.disable(instance, { actor, reason }, check);
    await supervisor.stop(instance, 0, { farewell: true });
    this.#parts.onMembershipChange();
    return this.view(instance);
  }

  async quarantine(instance: string, actor: string, reason: string, check?: () => void): Promise<PluginView> {
    const { registry } = this.#parts;
    if (registry.get(instance).state === 'quarantined') return this.view(instance);
    check?.(); // from here to the move nothing is waited for
    await this.#giveUp(instance, { actor, reason, code: 'PLUGIN_QUARANTINED', trigger: 'reviewer' }, 'operator');
    return this.view(instance);
  }

  /**
   * The host's own judgement: the instance is out of every stage at once, its calls are cancelled, its evidence is written, and where docs/operate.md says so the
   * host ends. Resolves when all that is done; nothing happens to one that is given up already. Throws PLUGIN_NOT_FOUND, and what the store throws.
   */
  async condemn(instance: string, { code, reason, trigger = triggerOfCode(code), to = 'quarantined', isReplaced = false }: Sentence): Promise<void> {
    const { state } = this.#parts.registry.get(instance);
    if (state === to || state === 'disabled' || (state === 'revoked' && to === 'quarantined')) return;
    await this.#giveUp(instance, { actor: 'host', reason, code, trigger }, 'host', to, isReplaced);
  }

  async release(instance: string, actor: string, reason: string, check?: () => void): Promise<PluginView> {
    const { registry } = this.#parts;
    const entry = await registry.release(instance, { actor, reason }, check);
    if (entry.state === 'approved') await this.start(entry);
    return this.view(instance);
  }

  /** What the supervisor tells of an instance's sandbox. `stopped` and `quarantined` are decided here and in the registry; the supervisor only carries them out. */
  follow({ instance, state, code, message = '' }: StateChange): void {
    if (state === 'starting') this.#moveIfAllowed(instance, 'starting', { actor: 'host', reason: 'its sandbox starts' });
    else if (state === 'active') {
      this.#moveIfAllowed(instance, 'active', { actor: 'host', reason: 'its sandbox is ready' });
      this.#parts.channels.onActive(instance);
      this.#parts.onMembershipChange();
    }
    else if (state === 'hibernated') this.#moveIfAllowed(instance, 'hibernated', { actor: 'host', reason: 'its sandbox was idle' });
    else if (state === 'backoff') this.#moveIfAllowed(instance, 'backoff', { actor: 'host', reason: message, ...(code === undefined ? {} : { code }) });
    // Ended for a reason that lasts: not tried again before somebody has put it right.
    else if (state === 'stopped' && code !== undefined) this.#moveIfAllowed(instance, 'rejected', { actor: 'host', reason: message, code });
    if (state !== 'active') this.#parts.channels.onDown(instance);
  }

  /** For the supervisor. Optional skills and tools may wait for a start; what is started first stands in the way of messages, and observers are not waited for. */
  standingOf(instance: string): Standing {
    const { registry, config } = this.#parts;
    const found = registry.find(instance);
    if (!found || isFirst(found)) return ALWAYS_UP;
    const maySleep = (found.kind === 'skill' || found.kind === 'tool') && found.enablement.hibernate;
    return { rank: 'back', ...(maySleep ? { hibernateAfterMs: config.sandbox.hibernateAfterMs } : {}) };
  }

  /** Strikes are remembered in the store, so that restarting the host forgives nothing. */
  strike(instance: string, { cause, detail }: Strike): void {
    if (this.#parts.registry.strike(instance) >= STRIKES_TO_QUARANTINE) this.#condemnSoon(instance, triggerOfStrike(cause), `three strikes in 60 minutes, the last: ${detail}`);
  }

  /** The supervisor gave the instance up. */
  exhausted(instance: string, { reason, strikes }: QuarantineEvidence): void {
    this.#condemnSoon(instance, triggerOfStrike(strikes.at(-1)?.cause ?? 'load'), reason);
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** A change that lost a race against the operator (disabled while restarting) comes too late, and the operator's word stands. */
  #moveIfAllowed(instance: string, to: PluginState, because: Because): void {
    const { registry, log } = this.#parts;
    const { state } = registry.get(instance);
    if (state !== to && MOVES[state].includes(to)) registry.move(instance, to, because);
    else if (state !== to) log.debug({ instance, state, to }, 'a state change came too late');
  }

  #onViolation(instance: string, violation: Violation, capability: string): void {
    if (!this.#parts.registry.find(instance)) return;
    const streak = this.#violations.count(instance, violation);
    if (streak !== undefined) this.#condemnSoon(instance, triggerOfViolation(violation, capability), `${streak}: it reaches for what it was not given`);
  }

  #condemnSoon(instance: string, trigger: Trigger, reason: string): void {
    this.condemn(instance, { code: 'PLUGIN_QUARANTINED', trigger, reason }).catch((error: unknown) => this.#parts.log.error({ instance, err: problemOf(error) }, 'a quarantine could not be recorded'));
  }

  /** Starts an approved instance; resolves once its first try has ended, however it ended. */
  async start(entry: Instance): Promise<void> {
    const { supervisor, config, log } = this.#parts;
    const { instance, resolved } = entry;
    if (!resolved) return;
    try {
      await supervisor.start(specOf(resolved, config));
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      // The supervisor goes on trying until it works or three strikes end it; meanwhile the state says why.
      log.warn({ instance, code: error.code, problem: error.message }, 'a plugin did not start');
    }
  }

  async #giveUp(instance: string, sentence: Required<Pick<Sentence, 'code' | 'reason' | 'trigger'>> & { readonly actor: string }, by: 'host' | 'operator', to: 'quarantined' | 'revoked' = 'quarantined', isReplaced = false): Promise<void> {
    const { registry, supervisor, log, onMembershipChange } = this.#parts;
    const loss = lossOf(registry.get(instance), by, to);
    const bundle = this.#bundle(instance, sentence, to);
    this.#keep(bundle, instance);
    // Out of every stage: from this moment nothing is given to it any more, and nothing it gave is committed.
    registry.move(instance, to, { ...sentence, evidenceDigest: bundle.digest });
    this.#violations.forget(instance);
    onMembershipChange();
    try {
      await supervisor.stop(instance);
      await registry.written();
    } finally {
      if (this.#settled && !isReplaced && LOSSES[loss].class === 'fatal') {
        log.fatal({ instance, loss, reason: sentence.reason }, 'the host ends: it must not go on without this plugin');
        this.#parts.onFatalLoss(instance, sentence.reason);
      }
    }
  }

  #bundle(instance: string, sentence: Pick<Findings, 'code' | 'reason' | 'trigger' | 'actor'>, state: Findings['state']): Bundle {
    const { registry, clock, config, recent, about } = this.#parts;
    const entry = registry.get(instance);
    const { plugin, kind, version, digest, grants, grantsDigest, calls, cpuMs, restarts, strikes } = this.view(instance);
    const { required, enablement: { onQuarantine }, findings: { file }, resolved } = entry;
    const { egressBytesToday, ...others } = about(entry);
    return bundleOf(config.dataDir, {
      instance, plugin, kind, version, packageDigest: digest, at: toTimestamp(clock.now()), state, ...sentence,
      ...(resolved ? { release: signedBy(resolved.release), limits: resolved.limits } : {}),
      enablement: { file, required, ...(onQuarantine === undefined ? {} : { onQuarantine }) },
      grants,
      ...(grantsDigest === undefined ? {} : { grantsDigest }),
      secrets: resolved?.secrets ?? {},
      counters: { calls, cpuMs, restarts, strikes, egressBytesToday },
      lately: recent.of(instance),
      ...others,
    });
  }

  /** A full disk keeps nobody in. */
  #keep(bundle: Bundle, instance: string): void {
    const { registry, config, log } = this.#parts;
    try {
      writeBundle(bundle);
      const stopped = registry.list().filter(({ state }) => state === 'quarantined' || state === 'revoked');
      sweepEvidence(config.dataDir, new Set([instance, ...stopped.map((each) => each.instance)]));
    } catch (error) {
      log.error({ instance, err: problemOf(error) }, 'the evidence of a quarantine could not be written');
    }
  }
}

function signedBy({ publisher, keyid, development, issuedAt, expiresAt, provenance, path }: VerifiedRelease): NonNullable<Findings['release']> {
  return { publisher, keyid, development, issuedAt, ...(expiresAt === undefined ? {} : { expiresAt }), ...(provenance && { provenance }), path };
}

/** Refusals that say the plugin reached for what it was not given; others are mistakes, or quotas. Addresses are counted where they are judged, for channels' actions too. */
const REACHING: ReadonlySet<string> = new Set<ErrorCode>(['CAPABILITY_DENIED', 'CAPABILITY_UNKNOWN']);

const isFirst = ({ required, kind, moderation }: Instance) => required || kind === 'channel' || moderation?.mode === 'gate';

/** What the sandbox of an instance is started with. */
export function specOf({ instance, release, config, limits }: ResolvedPlugin, { sandbox }: ResolvedConfig): SandboxSpec {
  const { id, kind, channel } = release.manifest;
  return { instance, plugin: id, kind, source: release.source, config, limits, jitless: sandbox.jitless, ...(channel ? { abilities: channel.abilities } : {}) };
}

function runtimeDiagnostic(found: Instance, deadlineMs: number): Diagnostic {
  const { instance, plugin, resolved, state, code, message } = found;
  const required = found.required && !(state === 'quarantined' && isExcused(found));
  const error = new GatehouseError('PLUGIN_NOT_READY', { instance, state, deadlineMs });
  const place = { severity: severityFor({ required }), stage: 'start', rule: 'active', plugin, instance, ...(resolved ? { manifest: resolved.manifestFile } : {}) } as const;
  const diagnostic = diagnosticOf(error, place);
  return code === undefined || message === undefined ? diagnostic : { ...diagnostic, code, message };
}
