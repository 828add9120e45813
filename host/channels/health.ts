// Asks channels that have a `health` handler how they do: one probe after the other for each, a count of those that failed in a row, and what follows from it. Owned by channel-life.ts.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HEALTH_DEFAULTS, type HealthPolicy } from '../../schemas/policy.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { publish } from '../events.ts';
import { backoffMs } from '../outbound/retry.ts';
import type { AbilityAnswer } from '../pipeline/channel-calls.ts';
import type { ChannelTroubles } from './troubles.ts';

export interface HealthParts {
  readonly clock: Clock;
  readonly troubles: Pick<ChannelTroubles, 'raise' | 'clear'>;
  policyOf(instance: string): HealthPolicy;
  /** Calls the handler. Never rejects. */
  ask(instance: string, attemptKey: string): Promise<AbilityAnswer<'health'>>;
  /** Another sandbox in the place of the one that is there, if it comes up. `delayMs`: how long ago the last try was, or the trouble began. */
  reconnect(instance: string, why: { readonly reason: string; readonly delayMs: number }): void;
}

export interface HealthState {
  readonly policy: Required<HealthPolicy>;
  readonly healthy: boolean;
  /** Probes that failed in a row. */
  readonly failures: number;
  readonly probes: number;
  readonly reconnects: number;
  /** What the last one that failed said. */
  readonly problem?: string;
}

/** Longest pause between two tries to reconnect. */
const MOST_PAUSE_MS = 600_000;

interface Probed {
  readonly ending: AbortController;
  healthy: boolean;
  failures: number;
  successes: number;
  probes: number;
  problem: string | undefined;
  /** Tries since it was last healthy, and when the next may be. */
  reconnects: number;
  nextReconnectMs: number;
  lastReconnectMs: number;
}

export class HealthProbes implements Disposable {
  readonly #parts: HealthParts;
  readonly #probed = new Map<string, Probed>();

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** A sandbox with the handler has taken over: it is healthy until it says otherwise, unless the one before was not. */
  begin(instance: string): void {
    const before = this.#probed.get(instance);
    before?.ending.abort();
    const fresh = { healthy: true, reconnects: 0, nextReconnectMs: 0, lastReconnectMs: 0, problem: undefined, failures: 0 };
    const probed: Probed = { ...(before ?? fresh), ending: new AbortController(), successes: 0, probes: before?.probes ?? 0 };
    this.#probed.set(instance, probed);
    void this.#run(instance, probed);
  }

  /** It left, or its sandbox ended: whatever comes next begins anew. */
  end(instance: string): void {
    this.#probed.get(instance)?.ending.abort();
    this.#probed.delete(instance);
    this.#parts.troubles.clear(instance, 'health');
  }

  state(instance: string): HealthState | undefined {
    const probed = this.#probed.get(instance);
    if (!probed) return undefined;
    const { healthy, failures, probes, reconnects, problem } = probed;
    return { policy: this.#policyOf(instance), healthy, failures, probes, reconnects, ...(problem === undefined ? {} : { problem }) };
  }

  [Symbol.dispose](): void {
    for (const { ending } of this.#probed.values()) ending.abort();
    this.#probed.clear();
  }

  #policyOf(instance: string): Required<HealthPolicy> {
    return { ...HEALTH_DEFAULTS, ...this.#parts.policyOf(instance) };
  }

  async #run(instance: string, probed: Probed): Promise<void> {
    const { signal } = probed.ending;
    while (await pause(this.#policyOf(instance).intervalMs, signal)) await this.#probe(instance, probed);
  }

  /** Never more than one at a time: a handler that answers late keeps its successor waiting, and counts as failed. */
  async #probe(instance: string, probed: Probed): Promise<void> {
    const policy = this.#policyOf(instance);
    const { signal } = probed.ending;
    const beganAt = this.#parts.clock.monotonicMs();
    const asked = this.#parts.ask(instance, randomUUID());
    const deadline = new AbortController();
    const answer = await Promise.race([asked, pause(policy.deadlineMs, deadline.signal)]);
    deadline.abort();
    if (signal.aborted) return;
    const problem = typeof answer === 'boolean' ? `no answer within ${policy.deadlineMs} ms` : problemIn(answer);
    probed.probes += 1;
    publish('channel.probed', { instance, result: problem === undefined ? 'ok' : typeof answer === 'boolean' ? 'late' : 'failed', failures: problem === undefined ? 0 : probed.failures + 1, durationMs: this.#parts.clock.monotonicMs() - beganAt });
    if (problem === undefined) this.#onWell(instance, probed, policy);
    else this.#onUnwell(instance, probed, policy, problem);
    await asked;
  }

  #onWell(instance: string, probed: Probed, { recoveries }: Required<HealthPolicy>): void {
    probed.failures = 0;
    probed.successes += 1;
    if (probed.healthy || probed.successes < recoveries) return;
    Object.assign(probed, { healthy: true, reconnects: 0, nextReconnectMs: 0, problem: undefined });
    this.#parts.troubles.clear(instance, 'health');
  }

  #onUnwell(instance: string, probed: Probed, { failures, reconnectAfter, intervalMs }: Required<HealthPolicy>, problem: string): void {
    const nowMs = this.#parts.clock.monotonicMs();
    probed.successes = 0;
    probed.failures += 1;
    probed.problem = problem;
    if (probed.failures >= failures) {
      probed.healthy = false;
      this.#parts.troubles.raise(instance, 'health', new GatehouseError('CHANNEL_UNHEALTHY', { instance, problem }));
    }
    if (probed.failures < reconnectAfter || nowMs < probed.nextReconnectMs) return;
    const delayMs = probed.reconnects === 0 ? 0 : Math.round(nowMs - probed.lastReconnectMs);
    probed.reconnects += 1;
    probed.lastReconnectMs = nowMs;
    probed.nextReconnectMs = nowMs + backoffMs(probed.reconnects, intervalMs, MOST_PAUSE_MS);
    this.#parts.reconnect(instance, { reason: 'CHANNEL_UNHEALTHY', delayMs });
  }
}

/** What a probe came to: undefined when all is well. */
function problemIn(answer: AbilityAnswer<'health'>): string | undefined {
  if (!answer.ok) return answer.problem;
  return answer.value.ok ? undefined : (answer.value.detail ?? 'it gives no reason');
}

/** True once the time has passed, false when it was cut short. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return await sleep(ms, true, { signal, ref: false }).catch(() => false);
}
