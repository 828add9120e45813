// A hostile plugin beside an innocent one, under one supervisor: the attack runs as real code in a real sandbox process while the neighbour is called without pause.
import { expect } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import type { SandboxPool } from '../../host/sandbox/pool.ts';
import type { CallResult, HostCall, PluginLogLine, SandboxExit } from '../../host/sandbox/sandbox.ts';
import { DEFAULT_POLICY } from '../../host/supervisor/restart-policy.ts';
import { Supervisor, type QuarantineEvidence, type StateChange, type Strike } from '../../host/supervisor/supervisor.ts';
import { recordAttack, Stopwatch, WORST_ANSWER_MS } from './attack-record.ts';
import { eventually } from './eventually.ts';
import { aCall, aSpec, recordingHooks, serveSleep, toolSource, type Serve, type SpecOptions } from './sandboxes.ts';

const ATTACKER = 'attacker';
const NEIGHBOUR = 'neighbour';

export interface Battle extends AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly strikes: readonly Strike[];
  readonly changes: readonly StateChange[];
  readonly quarantined: readonly QuarantineEvidence[];
  readonly hostCalls: readonly HostCall[];
  readonly logs: readonly PluginLogLine[];
  readonly pid: () => number | undefined;
  /** Answers of the neighbour so far. */
  readonly answered: () => number;
  /** Calls the attacker; waits for it when it restarts. */
  call(input?: unknown): Promise<CallResult>;
  /** What the attacker returned; fails the test when the call failed. */
  value(input?: unknown): Promise<unknown>;
  /** Fails unless the neighbour answered every call in good time, and still does; notes how it fared. */
  neighbourUnharmed(): Promise<void>;
}

/** Starts both. `handler` is the body of the attacker's handler, with `input` and `ctx` in scope; or give a whole `source`, and perhaps how long it may take to load. */
export async function battle(pool: SandboxPool, { handler = 'return input', top = '', serve = serveSleep, loadMs, ...options }: SpecOptions & { readonly handler?: string; readonly top?: string; readonly serve?: Serve; readonly loadMs?: number }): Promise<Battle> {
  const strikes: Strike[] = [];
  const changes: StateChange[] = [];
  const quarantined: QuarantineEvidence[] = [];
  const hooks = recordingHooks(serve);
  const supervisor = new Supervisor({
    // Only the attacker is pressed for time.
    pool: { open: (spec, own, options) => pool.open(spec, own, spec.instance === ATTACKER && loadMs !== undefined ? { ...options, loadMs } : options) },
    clock: systemClock,
    policy: { ...DEFAULT_POLICY, baseMs: 10, mostMs: 50 },
    hooksFor: (instance) => (instance === ATTACKER ? hooks : recordingHooks()),
    onStateChange: (change) => void (change.instance === ATTACKER && changes.push(change)),
    onStrike: (instance, strike) => {
      expect(instance).toBe(ATTACKER);
      strikes.push(strike);
    },
    onQuarantine: (_, evidence) => void quarantined.push(evidence),
  });
  await supervisor.start(aSpec({ instance: NEIGHBOUR }));
  const neighbour = keepCalling(supervisor);
  await supervisor.start(aSpec({ ...options, instance: ATTACKER, source: options.source ?? toolSource(handler, top) })).catch((error: unknown) => {
    if (changes.every(({ state }) => state !== 'backoff')) throw error;
  });
  const call = (input?: unknown) => supervisor.call(ATTACKER, aCall(input ?? null), { waitMs: 10_000 });
  return {
    supervisor,
    strikes,
    changes,
    quarantined,
    hostCalls: hooks.hostCalls,
    logs: hooks.logs,
    pid: () => supervisor.stats(ATTACKER)?.pid,
    answered: neighbour.answered,
    call,
    async value(input) {
      const result = await call(input);
      if (!result.ok) throw new Error(`the attacker's call failed: ${result.code} ${result.message} ${supervisor.stats(ATTACKER)?.trouble?.message ?? ''}`);
      return result.value;
    },
    async neighbourUnharmed() {
      const before = neighbour.answered();
      await eventually(() => expect(neighbour.answered()).toBeGreaterThan(before + 5));
      expect(neighbour.failures).toEqual([]);
      expect(neighbour.served().worstMs).toBeLessThan(WORST_ANSWER_MS);
      recordAttack(expect.getState(), neighbour.served());
      expect(supervisor.stats(NEIGHBOUR)).toMatchObject({ state: 'active', restarts: 0, strikes: 0 });
    },
    async [Symbol.asyncDispose]() {
      await neighbour.stop();
      await supervisor[Symbol.asyncDispose]();
    },
  };
}

/** What an attack led to that must end its sandbox. */
export interface Kill {
  readonly cause: SandboxExit['cause'] | undefined;
  readonly strikes: number;
  /** Whether the attacking call failed and is not for trying again. */
  readonly blamed: boolean;
  readonly neighbourAnsweredMeanwhile: boolean;
  /** What the instance answers afterwards, from another process. */
  readonly back: unknown;
}

/** Attacks once with `handler`, then asks again peacefully. Fails by itself when the neighbour was harmed. */
export async function killBy(pool: SandboxPool, options: Parameters<typeof battle>[1]): Promise<Kill> {
  await using fight = await battle(pool, { ...options, handler: `if (input !== 'attack') return 'peaceful'; ${options.handler ?? ''}` });
  const attacked = fight.pid();
  const before = fight.answered();
  const result = await fight.call('attack');
  await eventually(() => expect(fight.strikes.length).toBeGreaterThan(0));
  const neighbourAnsweredMeanwhile = fight.answered() > before;
  const back = await fight.value('again');
  expect(fight.pid()).not.toBe(attacked);
  await fight.neighbourUnharmed();
  return { cause: fight.strikes[0]?.cause, strikes: fight.strikes.length, blamed: !result.ok && !result.retry, neighbourAnsweredMeanwhile, back };
}

/** What every such attack must lead to. */
export const CONTAINED = { strikes: 1, blamed: true, neighbourAnsweredMeanwhile: true, back: 'peaceful' } as const;

/** The attack that comes to nothing: the sandbox lives, no strike is recorded, and what the handler found is returned. */
export async function findingsOf(pool: SandboxPool, options: Parameters<typeof battle>[1]): Promise<unknown> {
  await using fight = await battle(pool, options);
  const attacked = fight.pid();
  const found = await fight.value('attack');
  expect(await fight.value('again')).toBeDefined();
  expect(fight.pid()).toBe(attacked);
  expect(fight.strikes).toEqual([]);
  await fight.neighbourUnharmed();
  return found;
}

function keepCalling(supervisor: Supervisor) {
  let answered = 0;
  let going = true;
  const failures: CallResult[] = [];
  const stopwatch = new Stopwatch();
  const loop = (async () => {
    while (going) {
      const input = answered;
      const result = await stopwatch.time(() => supervisor.call(NEIGHBOUR, aCall(input), { waitMs: 0 }));
      if (result.ok && result.value === input) answered += 1;
      else if (failures.push(result) > 10) going = false;
      if (answered % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    failures,
    answered: () => answered,
    served: () => stopwatch.served,
    async stop() {
      going = false;
      await loop;
    },
  };
}
