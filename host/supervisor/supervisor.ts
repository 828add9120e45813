// Keeps every plugin instance running within its restart budget, and carries the calls to it. The pipeline calls, host.ts starts and stops, the registry listens.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import type { SandboxPool } from '../sandbox/pool.ts';
import type { CallResult, PluginCall, Sandbox, SandboxHooks, SandboxSpec } from '../sandbox/sandbox.ts';
import { Allowance } from './allowance.ts';
import { ALWAYS_UP, toHibernate, type Standing } from './hibernation.ts';
import { DEFAULT_POLICY, type RestartPolicy } from './restart-policy.ts';
import { SupervisedInstance, type InstanceStats, type QuarantineEvidence, type Replacing, type StateChange, type Strike } from './supervised-instance.ts';

export type { InstanceStats, QuarantineEvidence, Replacing, StateChange, Strike, SupervisedState } from './supervised-instance.ts';

export interface SupervisorParts {
  readonly pool: Pick<SandboxPool, 'open'>;
  readonly clock: Clock;
  /** What serves the host calls and takes the log lines of one instance; asked once per start. */
  readonly hooksFor: (instance: string) => SandboxHooks;
  /** Between the loading of a sandbox and its first call: rejects with why there may be none. Default: nothing is asked. */
  readonly prepare?: (spec: SandboxSpec, sandbox: Sandbox) => Promise<void>;
  /** Before the sandbox of an instance that leaves is ended. Never rejects, and is bounded. */
  readonly farewell?: (spec: SandboxSpec, sandbox: Sandbox) => Promise<void>;
  /** Every change of state, in order; `active` also when another sandbox takes over. Must not throw. */
  readonly onStateChange: (change: StateChange) => void;
  /** A proven offence, told before what follows from it. Must not throw. */
  readonly onStrike?: (instance: string, strike: Strike) => void;
  /** The instance was given up: its sandbox is ending and its calls are answered. Must not throw. */
  readonly onQuarantine: (instance: string, evidence: QuarantineEvidence) => void;
  /** How an instance stands, asked whenever it counts. Default: in front of everything, and never put to sleep. */
  readonly standingOf?: (instance: string) => Standing;
  /** With more sandboxes than this, idle ones are put to sleep before their time, the least recently used first. Default: no bound. */
  readonly mostRunning?: number;
  readonly policy?: RestartPolicy;
  readonly random?: () => number;
  /** Longest the top level of a plugin may run, default 5 s. */
  readonly loadMs?: number;
}

/** How often idle instances are looked for; also whenever one starts. */
const SWEEP_MS = 1000;

const NOTHING = () => Promise.resolve();

export class Supervisor implements AsyncDisposable {
  readonly #parts: SupervisorParts;
  readonly #policy: RestartPolicy;
  readonly #instances = new Map<string, SupervisedInstance>();
  readonly #firstRestarts: Allowance;
  readonly #furtherRestarts: Allowance;
  readonly #sweeping: NodeJS.Timeout;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#policy = parts.policy ?? DEFAULT_POLICY;
    this.#firstRestarts = new Allowance(this.#policy.first);
    this.#furtherRestarts = new Allowance(this.#policy.again);
    this.#sweeping = setInterval(() => this.hibernateIdle(), SWEEP_MS).unref();
  }

  /**
   * Starts an instance anew; strikes of an earlier life are forgotten. Rejects with PLUGIN_LOAD_FAILED, PLUGIN_HANDLER_MISSING or SANDBOX_START_FAILED when
   * the first try fails, and goes on trying with growing delays until it is active, quarantined or stopped.
   */
  async start(spec: SandboxSpec): Promise<void> {
    const { instance } = spec;
    const earlier = this.#instances.get(instance);
    const { pool, clock, random = Math.random, loadMs, hooksFor, onStateChange, onStrike, onQuarantine, standingOf = () => ALWAYS_UP, prepare = NOTHING, farewell = NOTHING } = this.#parts;
    const standing = () => standingOf(instance);
    const supervised = new SupervisedInstance(spec, {
      clock,
      policy: this.#policy,
      random,
      standing,
      mayRestart: (row) => (row === 0 || standing().rank === 'front' ? this.#firstRestarts : this.#furtherRestarts).take(clock.monotonicMs()),
      hooks: hooksFor(instance),
      open: (each, hooks) => pool.open(each, hooks, { rank: standing().rank, ...(loadMs === undefined ? {} : { loadMs }) }),
      prepare,
      farewell,
      onStateChange: (change) => {
        onStateChange(change);
        if (change.state === 'starting' || change.state === 'active') this.hibernateIdle();
      },
      onStrike: (strike) => onStrike?.(instance, strike),
      onQuarantine: (evidence) => onQuarantine(instance, evidence),
    });
    this.#instances.set(instance, supervised);
    await supervised.start(earlier?.stop(0));
  }

  /**
   * Runs one handler. Expected failures are values. While the instance starts, restarts or wakes the call waits up to `waitMs` (default 2 s) and then ends with
   * INSTANCE_UNAVAILABLE; 1,024 calls may wait, more end with INSTANCE_BUSY. Rejects only for an input that is not JSON.
   */
  call(instance: string, call: PluginCall, { waitMs = BOUNDS.pluginWaitMs }: { readonly waitMs?: number } = {}): Promise<CallResult> {
    const supervised = this.#instances.get(instance);
    if (supervised) return supervised.call(call, waitMs);
    const { message } = new GatehouseError('INSTANCE_UNAVAILABLE', { instance, state: 'unknown' });
    return Promise.resolve({ ok: false, code: 'INSTANCE_UNAVAILABLE', message, retry: true, cpuUs: 0, wallMs: 0 });
  }

  /** Ends a call that is under way, or that waits, with CALL_CANCELLED; no fault of the plugin. */
  cancel(instance: string, callId: string, problem: string): void {
    this.#instances.get(instance)?.cancel(callId, problem);
  }

  /**
   * Another version or configuration of a started instance: it takes over once it has loaded and passed its self test, and the old one finishes its calls for up
   * to `graceMs`; resolves when the old one is gone. Rejects as `start` does when it does not load, or with what the self test rejected with; nothing has changed
   * then. Throws PLUGIN_NOT_FOUND for an instance that was never started, INSTANCE_UNAVAILABLE when it was started or stopped meanwhile, or the
   * replacement was abandoned.
   */
  async replace(spec: SandboxSpec, replacing: Replacing = {}): Promise<void> {
    const supervised = this.#instances.get(spec.instance);
    if (!supervised) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance: spec.instance });
    await supervised.replace(spec, replacing);
  }

  /** Whatever is about to take the place of what runs does not; what runs goes on. */
  abandonReplacement(instance: string): void {
    this.#instances.get(instance)?.abandonReplacement();
  }

  /** Another sandbox in the place of the one that is there, once it is up; until then, and where it does not come up, all stays as it is. */
  reconnect(instance: string, why: { readonly reason: string; readonly delayMs: number }): void {
    void this.#instances.get(instance)?.reconnect(why);
  }

  /** Calls in flight may finish for `graceMs` (default none), then they are cancelled; with `farewell` the sandbox is told before. An instance that is not there is stopped already. */
  async stop(instance: string, graceMs = 0, ending: { readonly farewell?: boolean } = {}): Promise<void> {
    await this.#instances.get(instance)?.stop(graceMs, ending);
  }

  /** Puts to sleep what has been idle for long, and what must make room. Comes by itself, every second and before a start. */
  hibernateIdle(): void {
    const { clock, mostRunning = Infinity } = this.#parts;
    for (const each of toHibernate([...this.#instances.values()], clock.monotonicMs(), mostRunning)) each.hibernate();
  }

  /** What the newest sandbox of the instance registered; undefined before its first. */
  handlers(instance: string): readonly string[] | undefined {
    return this.#instances.get(instance)?.handlers;
  }

  /** When sandboxes are started again, the same for every instance. */
  get retry() {
    const { baseMs, mostMs, stableMs, strikes, windowMs } = this.#policy;
    return { firstDelayMs: baseMs, mostDelayMs: mostMs, stableMs, strikes, windowMs };
  }

  /** Undefined for an instance that was never started. */
  stats(instance: string): InstanceStats | undefined {
    return this.#instances.get(instance)?.stats;
  }

  /** Every instance that has a sandbox, with what it occupies: one look into /proc for each. */
  sandboxes(): readonly { readonly instance: string; readonly pending: number; readonly memoryBytes: number | undefined }[] {
    return [...this.#instances].flatMap(([instance, each]) => (each.isRunning ? [{ instance, pending: each.stats.pending, memoryBytes: each.memoryBytes }] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeping);
    await Promise.all([...this.#instances.values()].map((each) => each.stop(0, { farewell: true })));
  }
}
