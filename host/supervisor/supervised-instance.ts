// One plugin instance kept running: started, restarted, counted, given up. supervisor.ts holds one per instance.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { PluginKind } from '../../schemas/plugin-manifest.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf, type ErrorCode } from '../errors.ts';
import { hasListeners, publish } from '../events.ts';
import type { CallResult, PluginCall, Sandbox, SandboxExit, SandboxHooks, SandboxSpec } from '../sandbox/sandbox.ts';
import { Allowance } from './allowance.ts';
import type { Standing } from './hibernation.ts';
import { backoffMs, withinWindow, type RestartPolicy } from './restart-policy.ts';

/** `hibernated`: its sandbox was let go, and a call starts another. `quarantined`: given up after too many strikes; like `stopped`, only a new start leaves it. */
export type SupervisedState = 'starting' | 'active' | 'backoff' | 'hibernated' | 'quarantined' | 'stopped';

/** Why an instance is not active. */
export interface Trouble {
  readonly code: ErrorCode;
  readonly message: string;
}

export type StateChange = { readonly instance: string; readonly plugin: string; readonly state: SupervisedState } & Partial<Trouble>;

/** A proven offence of the plugin. */
export interface Strike {
  readonly at: number;
  readonly cause: SandboxExit['cause'];
  readonly detail: string;
}

/** What is known when an instance is given up. */
export interface QuarantineEvidence {
  readonly reason: string;
  readonly strikes: readonly Strike[];
  readonly stats: InstanceStats;
}

export interface InstanceStats {
  readonly state: SupervisedState;
  readonly pid?: number;
  readonly level?: string;
  readonly calls: number;
  /** Calls that ended with `ok: false`. */
  readonly failures: number;
  readonly cpuUs: number;
  readonly restarts: number;
  /** Strikes that still count. */
  readonly strikes: number;
  /** Calls under way, in the sandbox's queue, or waiting for it to come back. */
  readonly pending: number;
  readonly trouble?: Trouble;
}

export interface InstanceParts {
  readonly clock: Clock;
  readonly policy: RestartPolicy;
  readonly random: () => number;
  readonly hooks: SandboxHooks;
  readonly open: (spec: SandboxSpec, hooks: SandboxHooks) => Promise<Sandbox>;
  /** Between loading and the first call; rejects when there may be none. */
  readonly prepare: (spec: SandboxSpec, sandbox: Sandbox) => Promise<void>;
  /** Before a sandbox that leaves for good is ended. Never rejects, and is bounded. */
  readonly farewell: (spec: SandboxSpec, sandbox: Sandbox) => Promise<void>;
  /** As of now: an operator may change it while the instance runs. */
  readonly standing: () => Standing;
  /** What all instances together may restart: 0 when this one may, which is counted then, else the milliseconds after which to ask again. */
  mayRestart(row: number): number;
  onStateChange(change: StateChange): void;
  /** A proven offence, for whoever remembers it longer than this process. */
  onStrike(strike: Strike): void;
  onQuarantine(evidence: QuarantineEvidence): void;
}

export interface Replacing {
  /** How long the old sandbox may take to finish its calls, default 10 s. */
  readonly graceMs?: number;
  /** Rejects when the new sandbox may not take over. */
  readonly selfTest?: (fresh: Sandbox) => Promise<void>;
  /** Called at the moment between the last call of the old sandbox and the first of the new one. Must not throw. */
  readonly onSwitch?: () => void;
}

/** Why a start that failed says nothing about the plugin's code: no strike. */
const BLAMELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['SANDBOX_START_FAILED', 'CHANNEL_START_FAILED', 'CHANNEL_START_REFUSED']);
/** Only an operator can change it: trying again by itself would do harm, at a service that counts wrong passwords for example. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CHANNEL_START_REFUSED']);

/** A channel may only receive or only send; every other kind has one handler and is nothing without it. */
const HANDLERS: Readonly<Record<PluginKind, readonly string[]>> = { channel: ['receive', 'send'], skill: ['respond'], moderation: ['evaluate'], tool: ['call'] };

/** Calls of the sandbox that was there may finish for so long. */
const RECONNECT_GRACE_MS = 10_000;

interface Waiter {
  readonly call: PluginCall;
  readonly resolve: (result: CallResult | Promise<CallResult>) => void;
  readonly timer: NodeJS.Timeout;
}

export class SupervisedInstance {
  readonly #parts: InstanceParts;
  #spec: SandboxSpec;
  #state: SupervisedState = 'stopped';
  #trouble: Trouble | undefined;
  #sandbox: Sandbox | undefined;
  /** Of the newest sandbox; between two of them, of the one before. */
  #handlers: readonly string[] | undefined;
  /** Sandboxes that were replaced and finish their calls. */
  readonly #retiring = new Set<Sandbox>();
  /** Counts up whenever what is under way no longer matters. */
  #turn = 0;
  /** Loaded to take over, and not yet in the place of what is there. */
  readonly #fresh = new Set<Sandbox>();
  /** Counts up with each stop, quarantine, replacement and change of mind: what was to replace before is not wanted any more. A crash of the sandbox to be replaced is none of these, or a plugin could fend off its successor. */
  #orders = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiters = new Set<Waiter>();
  #strikes: Strike[] = [];
  readonly #outside: Allowance;
  #row = 0;
  #activeSince = 0;
  /** When a call last began or ended. */
  #usedAtMs = 0;
  /** Replacements under way; whoever calls a hibernated instance meanwhile waits for them. */
  #replacing = 0;
  #reconnecting = false;
  #restarts = 0;
  #calls = 0;
  #failures = 0;
  #cpuUs = 0;

  constructor(spec: SandboxSpec, parts: InstanceParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#outside = new Allowance(parts.policy.outside);
  }

  get isRunning(): boolean {
    return this.#state === 'active' || this.#state === 'starting';
  }

  get idleSinceMs(): number | undefined {
    const isIdle = this.#state === 'active' && this.#sandbox?.accepting && this.#sandbox.pending === 0 && this.#waiters.size === 0 && this.#replacing === 0;
    return isIdle ? this.#usedAtMs : undefined;
  }

  get standing(): Standing {
    return this.#parts.standing();
  }

  get handlers(): readonly string[] | undefined {
    return this.#handlers;
  }

  get memoryBytes(): number | undefined {
    return this.#sandbox?.memoryBytes;
  }

  get stats(): InstanceStats {
    const sandbox = this.#sandbox;
    return {
      state: this.#state,
      ...(sandbox ? { pid: sandbox.pid, level: sandbox.level } : {}),
      calls: this.#calls,
      failures: this.#failures,
      cpuUs: this.#cpuUs + (sandbox?.cpuUs ?? 0),
      restarts: this.#restarts,
      strikes: withinWindow(this.#strikes, this.#parts.clock.monotonicMs(), this.#parts.policy.windowMs).length,
      pending: (sandbox?.pending ?? 0) + this.#waiters.size,
      ...(this.#trouble ? { trouble: this.#trouble } : {}),
    };
  }

  /** Starts once, as soon as `after` has resolved. Rejects when the first try fails; unless it is stopped or given up, it goes on trying. */
  start(after?: Promise<void>): Promise<void> {
    return this.#attempt(after);
  }

  call(call: PluginCall, waitMs: number): Promise<CallResult> {
    const sandbox = this.#sandbox;
    if (sandbox?.accepting) return this.#run(sandbox, call);
    if (this.#state === 'stopped' || this.#state === 'quarantined' || waitMs <= 0) return Promise.resolve(this.#unavailable(call));
    if (this.#waiters.size >= BOUNDS.callsWaitingPerInstance) return Promise.resolve(this.#refused(call, 'INSTANCE_BUSY', { depth: this.#waiters.size }));
    if (this.#state === 'hibernated' && this.#replacing === 0) this.#wake();
    return new Promise((resolve) => {
      const waiter: Waiter = {
        call,
        resolve,
        timer: setTimeout(() => {
          this.#waiters.delete(waiter);
          resolve(this.#unavailable(call));
        }, waitMs),
      };
      this.#waiters.add(waiter);
    });
  }

  cancel(callId: string, problem: string): void {
    for (const waiter of this.#waiters) {
      if (waiter.call.callId !== callId) continue;
      clearTimeout(waiter.timer);
      this.#waiters.delete(waiter);
      waiter.resolve(this.#refused(waiter.call, 'CALL_CANCELLED', { problem }));
      return;
    }
    for (const sandbox of [this.#sandbox, ...this.#retiring]) sandbox?.cancel(callId, problem);
  }

  /** Opens the new one first; only once it has loaded and passed its self test does it take the calls, and the old one finishes its own. On failure the old one goes on, and this rejects. */
  async replace(spec: SandboxSpec, { graceMs = 10_000, selfTest, onSwitch }: Replacing): Promise<void> {
    const order = this.#orders;
    const isWanted = () => order === this.#orders;
    const unwanted = () => new GatehouseError('INSTANCE_UNAVAILABLE', { instance: spec.instance, state: this.#state });
    let old: Sandbox | undefined;
    this.#replacing += 1;
    try {
      const fresh = await this.#open(spec, (loaded) => {
        if (!isWanted()) throw unwanted();
        this.#fresh.add(loaded);
        void loaded.ended.then(() => this.#fresh.delete(loaded));
      }).catch((error: unknown) => Promise.reject(isWanted() ? error : unwanted()));
      try {
        await selfTest?.(fresh);
        if (!isWanted()) throw unwanted();
        if (!fresh.accepting) throw new GatehouseError('SANDBOX_DIED', { instance: spec.instance, problem: 'it ended as soon as it had loaded' });
      } catch (error) {
        await fresh.stop(0);
        throw isWanted() ? error : unwanted();
      }
      this.#fresh.delete(fresh);
      old = this.#sandbox;
      clearTimeout(this.#timer);
      this.#orders += 1;
      this.#turn += 1;
      this.#spec = spec;
      this.#row = 0;
      onSwitch?.();
      this.#adopt(fresh);
    } finally {
      this.#replacing -= 1;
      if (this.#state === 'hibernated' && this.#waiters.size > 0) this.#wake();
    }
    if (old) await this.#retire(old, graceMs);
  }

  /** What is to replace it shall not, though nothing else happens to the instance: it ends at once, or as soon as it has loaded. */
  abandonReplacement(): void {
    this.#orders += 1;
    for (const each of this.#fresh) void each.stop(0);
  }

  /** Lets the idle sandbox go; the next call starts another. Only while `idleSinceMs` says that it is idle. */
  hibernate(): void {
    const sandbox = this.#sandbox;
    if (!sandbox || this.idleSinceMs === undefined) return;
    this.#sandbox = undefined;
    this.#move('hibernated');
    void this.#retire(sandbox, 0);
  }

  /**
   * Another sandbox of the same, while the one that is there goes on: it takes over once it is up. Where it does not come up, or something else happens to the instance meanwhile,
   * nothing changes. Never rejects.
   */
  async reconnect({ reason, delayMs }: { readonly reason: string; readonly delayMs: number }): Promise<void> {
    if (this.#state !== 'active' || this.#replacing > 0 || this.#reconnecting) return;
    const order = this.#orders;
    const old = this.#sandbox;
    this.#reconnecting = true;
    this.#restarts += 1;
    publish('plugin.restarted', { instance: this.#spec.instance, restarts: this.#restarts, delayMs, reason });
    try {
      const fresh = await this.#open(this.#spec);
      if (order !== this.#orders || old !== this.#sandbox || this.#replacing > 0 || !fresh.accepting) return await fresh.stop(0);
      this.#adopt(fresh);
      if (old) void this.#retire(old, RECONNECT_GRACE_MS);
    } catch {
      // What is there goes on; whoever asked counts on, and asks again.
    } finally {
      this.#reconnecting = false;
    }
  }

  /** Lets calls in flight finish for `graceMs`, then ends the sandbox; with `farewell` it may say its last word before. */
  async stop(graceMs: number, { farewell = false }: { readonly farewell?: boolean } = {}): Promise<void> {
    await this.#halt('stopped', graceMs, { farewell });
  }

  // --- Coming up ------------------------------------------------------------------------------------------------------------------------------------

  /** Once, however many calls wait for it: from here on it is starting. A wake that fails is a start that failed. */
  #wake(): void {
    this.#row = 0;
    this.#attempt().catch(() => {}); // told by the state change that came with it
  }

  async #attempt(after?: Promise<void>): Promise<void> {
    const turn = ++this.#turn;
    this.#move('starting', this.#trouble);
    await after;
    let sandbox: Sandbox | undefined;
    try {
      if (turn === this.#turn) sandbox = await this.#open(this.#spec);
    } catch (error) {
      if (turn === this.#turn) this.#onStartFailed(error);
      throw error;
    }
    if (sandbox && turn === this.#turn) {
      this.#adopt(sandbox);
      return;
    }
    await sandbox?.stop(0);
    throw new GatehouseError('INSTANCE_UNAVAILABLE', { instance: this.#spec.instance, state: this.#state });
  }

  async #open(spec: SandboxSpec, onLoaded?: (sandbox: Sandbox) => void): Promise<Sandbox> {
    const sandbox = await this.#parts.open(spec, this.#parts.hooks);
    const wanted = HANDLERS[spec.kind];
    try {
      onLoaded?.(sandbox);
      if (!wanted.some((handler) => sandbox.handlers.includes(handler))) throw new GatehouseError('PLUGIN_HANDLER_MISSING', { instance: spec.instance, kind: spec.kind, handler: wanted.join("' or '") });
      await this.#parts.prepare(spec, sandbox);
    } catch (error) {
      await sandbox.stop(0);
      throw error;
    }
    return sandbox;
  }

  #adopt(sandbox: Sandbox): void {
    this.#sandbox = sandbox;
    this.#handlers = sandbox.handlers;
    this.#activeSince = this.#usedAtMs = this.#parts.clock.monotonicMs();
    void sandbox.ended.then((exit) => this.#onEnded(sandbox, exit));
    if (this.#state !== 'active') this.#move('starting'); // a replacement may find it asleep, or between two tries
    // Told also when it was active before: what is known of it may be known of the sandbox that was there.
    this.#state = 'active';
    this.#trouble = undefined;
    this.#parts.onStateChange({ instance: this.#spec.instance, plugin: this.#spec.plugin, state: 'active' });
    for (const waiter of this.#waiters) {
      clearTimeout(waiter.timer);
      waiter.resolve(this.#run(sandbox, waiter.call));
    }
    this.#waiters.clear();
  }

  #run(sandbox: Sandbox, call: PluginCall): Promise<CallResult> {
    this.#calls += 1;
    this.#usedAtMs = this.#parts.clock.monotonicMs();
    const result = sandbox.call(call);
    result.then(
      (ended) => this.#count(call, ended),
      () => (this.#failures += 1), // the caller hears of it
    );
    return result;
  }

  #count(call: PluginCall, result: CallResult): void {
    this.#usedAtMs = this.#parts.clock.monotonicMs();
    if (!result.ok) this.#failures += 1;
    if (!hasListeners('plugin.call')) return;
    const { ok, cpuUs, wallMs } = result;
    publish('plugin.call', { instance: this.#spec.instance, handler: call.handler, ok, ...(result.ok ? {} : { code: result.code }), cpuUs, wallMs });
  }

  // --- Going down -----------------------------------------------------------------------------------------------------------------------------------

  #onEnded(sandbox: Sandbox, exit: SandboxExit): void {
    this.#cpuUs += sandbox.cpuUs;
    publish('sandbox.ended', { instance: this.#spec.instance, pid: sandbox.pid, cause: exit.cause });
    if (sandbox !== this.#sandbox) return;
    this.#sandbox = undefined;
    const { clock, policy } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (exit.strike && this.#strike(exit.cause, exit.detail)) return;
    if (nowMs - this.#activeSince >= policy.stableMs) this.#row = 0;
    const { message } = new GatehouseError('SANDBOX_DIED', { instance: this.#spec.instance, problem: exit.detail });
    const trouble: Trouble = { code: 'SANDBOX_DIED', message };
    // Someone kills it from outside: no fault of the plugin, but not worth a busy loop either.
    if (exit.cause === 'outside') this.#restartAfter(this.#outside.take(nowMs), 0, trouble);
    else this.#restart(this.#row++, trouble);
  }

  #onStartFailed(error: unknown): void {
    const trouble: Trouble = { code: error instanceof GatehouseError ? error.code : 'SANDBOX_START_FAILED', message: problemOf(error) };
    if (FINAL.has(trouble.code)) return void this.#halt('stopped', 0, { trouble });
    if (!BLAMELESS.has(trouble.code) && this.#strike('load', trouble.message)) return;
    this.#restart(++this.#row, trouble);
  }

  /** True when that was one too many: it is stopped then. */
  #strike(cause: SandboxExit['cause'], detail: string): boolean {
    const { clock, policy } = this.#parts;
    const { instance, plugin } = this.#spec;
    const strike = { at: clock.monotonicMs(), cause, detail };
    const strikes = (this.#strikes = [...withinWindow(this.#strikes, strike.at, policy.windowMs), strike]);
    publish('plugin.strike', { instance, plugin, cause, strikes: strikes.length });
    const turn = this.#turn;
    this.#parts.onStrike(strike);
    // Whoever remembers more strikes than this process may have stopped it by now.
    if (turn !== this.#turn) return true;
    if (strikes.length < policy.strikes) return false;
    const reason = `${strikes.length} strikes in ${Math.round(policy.windowMs / 60_000)} minutes, the last for ${cause}: ${detail}`;
    void this.#halt('quarantined', 0, { trouble: { code: 'PLUGIN_QUARANTINED', message: reason } });
    this.#parts.onQuarantine({ reason, strikes, stats: this.stats });
    return true;
  }

  #restart(row: number, trouble: Trouble): void {
    this.#restartAfter(backoffMs(this.#parts.policy, row, this.#parts.random()), row, trouble);
  }

  #restartAfter(delayMs: number, row: number, trouble: Trouble): void {
    this.#restarts += 1;
    this.#move('backoff', trouble);
    publish('plugin.restarted', { instance: this.#spec.instance, restarts: this.#restarts, delayMs, reason: trouble.code });
    const attempt = () => {
      const waitMs = this.#parts.mayRestart(row);
      if (waitMs > 0) this.#timer = setTimeout(attempt, waitMs);
      else this.#attempt().catch(() => {}); // told by the state change that came with it
    };
    if (delayMs === 0) attempt();
    else this.#timer = setTimeout(attempt, delayMs);
  }

  async #halt(state: 'stopped' | 'quarantined', graceMs: number, { trouble, farewell = false }: { readonly trouble?: Trouble; readonly farewell?: boolean } = {}): Promise<void> {
    this.#orders += 1;
    this.#turn += 1;
    clearTimeout(this.#timer);
    const sandbox = this.#sandbox;
    this.#sandbox = undefined;
    this.#move(state, trouble);
    for (const { call, resolve, timer } of this.#waiters) {
      clearTimeout(timer);
      resolve(this.#unavailable(call));
    }
    this.#waiters.clear();
    await Promise.all([...[...this.#retiring].map((each) => each.stop(graceMs)), ...(sandbox ? [this.#dismiss(sandbox, graceMs, farewell)] : [])]);
  }

  async #dismiss(sandbox: Sandbox, graceMs: number, farewell: boolean): Promise<void> {
    // Among those that retire: whoever stops the instance once more, for good reason, does not wait for its last word.
    this.#retiring.add(sandbox);
    if (farewell) await this.#parts.farewell(this.#spec, sandbox);
    await sandbox.stop(graceMs);
    this.#retiring.delete(sandbox);
  }

  async #retire(sandbox: Sandbox, graceMs: number): Promise<void> {
    this.#retiring.add(sandbox);
    await sandbox.stop(graceMs);
    this.#retiring.delete(sandbox);
  }

  #move(state: SupervisedState, trouble?: Trouble): void {
    this.#trouble = trouble;
    if (state === this.#state) return;
    this.#state = state;
    this.#parts.onStateChange({ instance: this.#spec.instance, plugin: this.#spec.plugin, state, ...trouble });
  }

  #unavailable(call: PluginCall): CallResult {
    return this.#refused(call, 'INSTANCE_UNAVAILABLE', { state: this.#state });
  }

  #refused(call: PluginCall, code: 'INSTANCE_UNAVAILABLE' | 'INSTANCE_BUSY' | 'CALL_CANCELLED', fields: Record<string, string | number>): CallResult {
    const { message } = new GatehouseError(code, { instance: this.#spec.instance, handler: call.handler, ...fields });
    return { ok: false, code, message, retry: true, cpuUs: 0, wallMs: 0 };
  }
}
