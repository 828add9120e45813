// The life of instances while the host runs: starts them in order, follows what becomes of their sandboxes, and does what the operator asks. The registry owns the states, the supervisor the processes.
import type { DegradedPlugin, Diagnostic, PluginState, PluginView } from '../schemas/control.ts';
import type { Clock } from './clock.ts';
import type { ResolvedConfig } from './config.ts';
import { GatehouseError, problemOf } from './errors.ts';
import { publish, subscribe } from './events.ts';
import { bundleOf, writeBundle } from './evidence.ts';
import type { Log } from './log.ts';
import { diagnosticOf, severityFor } from './registry/diagnostics.ts';
import { isAvailable, isComing, MOVES } from './registry/lifecycle.ts';
import type { Because, Instance, Registry } from './registry/registry.ts';
import type { ResolvedPlugin } from './registry/resolve.ts';
import type { SandboxSpec } from './sandbox/sandbox.ts';
import type { QuarantineEvidence, StateChange, Strike, Supervisor } from './supervisor/supervisor.ts';

export interface PluginLifeParts {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  /** Somebody came back, or left for good; what was held for a gate may go on. */
  readonly onMembershipChange: () => void;
  /** A required plugin is lost for good at run time. */
  onRequiredLost(instance: string, reason: string): void;
}

export interface Settled {
  readonly active: readonly string[];
  readonly degraded: readonly DegradedPlugin[];
}

/** Strikes within the registry's window that end an instance. */
const STRIKES_TO_QUARANTINE = 3;

/** Facts kept for an evidence bundle, the newest of each instance. */
const HISTORY_KEPT = 50;

export class PluginLife {
  readonly #parts: PluginLifeParts;
  readonly #history = new Map<string, unknown[]>();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(parts: PluginLifeParts) {
    this.#parts = parts;
    this.#unsubscribe = [
      subscribe('sandbox.ended', ({ instance, ...event }) => this.#remember(instance, { event: 'sandbox.ended', ...event })),
      subscribe('plugin.strike', ({ instance, ...event }) => this.#remember(instance, { event: 'plugin.strike', ...event })),
      subscribe('capability.denied', ({ instance, ...event }) => this.#remember(instance, { event: 'capability.denied', ...event })),
    ];
  }

  /** Required instances, gates and channels first, then the rest. Resolves when each has settled or the boot deadline has passed. */
  async startAll(): Promise<Settled> {
    const { registry, config } = this.#parts;
    const startable = registry.list().filter(({ state }) => state === 'approved');
    const first = startable.filter(isFirst);
    const rest = startable.filter((each) => !isFirst(each));
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), config.boot.deadlineMs);
    const passed = new Promise<void>((resolve) => deadline.signal.addEventListener('abort', () => resolve(), { once: true }));
    const all = Promise.all(first.map((each) => this.#start(each))).then(() => Promise.all(rest.map((each) => this.#start(each))));
    await Promise.race([all, passed]);
    clearTimeout(timer);
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

  views(): readonly PluginView[] {
    return this.#parts.registry.list().map(({ instance }) => this.view(instance));
  }

  async enable(instance: string, actor: string): Promise<PluginView> {
    const { registry } = this.#parts;
    const { state } = registry.get(instance);
    if (isAvailable(state) || isComing(state)) return this.view(instance);
    const entry = await registry.enable(instance, { actor, reason: 'enabled by the operator' });
    if (entry.state === 'approved') await this.#start(entry);
    return this.view(instance);
  }

  async disable(instance: string, actor: string, reason: string): Promise<PluginView> {
    const { registry, supervisor } = this.#parts;
    if (registry.get(instance).state === 'disabled') return this.view(instance);
    await registry.disable(instance, { actor, reason });
    await supervisor.stop(instance);
    this.#parts.onMembershipChange();
    return this.view(instance);
  }

  async quarantine(instance: string, actor: string, reason: string): Promise<PluginView> {
    const { registry } = this.#parts;
    if (registry.get(instance).state === 'quarantined') return this.view(instance);
    await this.#quarantine(instance, { actor, reason, code: 'PLUGIN_QUARANTINED' });
    return this.view(instance);
  }

  async release(instance: string, actor: string, reason: string): Promise<PluginView> {
    const { registry } = this.#parts;
    const entry = await registry.release(instance, { actor, reason });
    if (entry.state === 'approved') await this.#start(entry);
    return this.view(instance);
  }

  /** What the supervisor tells of an instance's sandbox. `stopped` and `quarantined` are decided here and in the registry; the supervisor only carries them out. */
  follow({ instance, state, code, message = '' }: StateChange): void {
    if (state === 'starting') this.#moveIfAllowed(instance, 'starting', { actor: 'host', reason: 'its sandbox starts' });
    else if (state === 'active') {
      this.#moveIfAllowed(instance, 'active', { actor: 'host', reason: 'its sandbox is ready' });
      this.#parts.onMembershipChange();
    }
    else if (state === 'backoff') this.#moveIfAllowed(instance, 'backoff', { actor: 'host', reason: message, ...(code === undefined ? {} : { code }) });
  }

  /** Strikes are remembered in the store, so that restarting the host forgives nothing. */
  strike(instance: string, { detail }: Strike): void {
    if (this.#parts.registry.strike(instance) >= STRIKES_TO_QUARANTINE) this.#quarantineSoon(instance, `three strikes in 60 minutes, the last: ${detail}`);
  }

  /** The supervisor gave the instance up. */
  exhausted(instance: string, { reason }: QuarantineEvidence): void {
    this.#quarantineSoon(instance, reason);
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

  #quarantineSoon(instance: string, reason: string): void {
    const { registry, log } = this.#parts;
    if (registry.get(instance).state === 'quarantined') return;
    this.#quarantine(instance, { actor: 'host', reason, code: 'PLUGIN_QUARANTINED' }).catch((error: unknown) => log.error({ instance, err: problemOf(error) }, 'a quarantine could not be recorded'));
  }

  async #start(entry: Instance): Promise<void> {
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

  async #quarantine(instance: string, { actor, reason, code }: { readonly actor: string; readonly reason: string; readonly code: string }): Promise<void> {
    const { registry, supervisor, clock, config } = this.#parts;
    const { plugin, version, digest, required } = registry.view(instance);
    const bundle = bundleOf(config.dataDir, { instance, plugin, version, packageDigest: digest, actor, code, reason, atMs: clock.now(), history: this.#history.get(instance) ?? [] });
    // Out of every stage first: from this moment nothing is given to it any more.
    registry.move(instance, 'quarantined', { actor, reason, code, evidenceDigest: bundle.digest });
    await supervisor.stop(instance);
    await writeBundle(bundle);
    await registry.written();
    if (required && actor === 'host') this.#parts.onRequiredLost(instance, reason);
  }

  #remember(instance: string, fact: object): void {
    const facts = this.#history.get(instance) ?? [];
    facts.push({ at: this.#parts.clock.now(), ...fact });
    if (facts.length > HISTORY_KEPT) facts.shift();
    this.#history.set(instance, facts);
  }
}

const isFirst = ({ required, kind, moderation }: Instance) => required || kind === 'channel' || moderation?.mode === 'gate';

function specOf({ instance, release, config, limits }: ResolvedPlugin, { sandbox }: ResolvedConfig): SandboxSpec {
  return { instance, plugin: release.manifest.id, kind: release.manifest.kind, source: release.source, config, limits, jitless: sandbox.jitless };
}

function runtimeDiagnostic({ instance, plugin, required, resolved, state, code, message }: Instance, deadlineMs: number): Diagnostic {
  const error = new GatehouseError('PLUGIN_NOT_READY', { instance, state, deadlineMs });
  const place = { severity: severityFor({ required }), stage: 'start', rule: 'active', plugin, instance, ...(resolved ? { manifest: resolved.manifestFile } : {}) } as const;
  const diagnostic = diagnosticOf(error, place);
  return code === undefined || message === undefined ? diagnostic : { ...diagnostic, code, message };
}
