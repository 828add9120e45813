// Instances kept running: restarts, strikes, quarantine, replacing, and what calls meanwhile get.
import { afterAll, describe, expect, it } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { systemClock } from '../../host/clock.ts';
import { subscribe } from '../../host/events.ts';
import { backoffMs, DEFAULT_POLICY, withinWindow, type RestartPolicy } from '../../host/supervisor/restart-policy.ts';
import { Supervisor, type QuarantineEvidence, type StateChange, type Strike } from '../../host/supervisor/supervisor.ts';
import type { CallResult, Sandbox } from '../../host/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { aCall, aPool, aSpec, recordingHooks, toolSource, type RecordingHooks, type Serve, type SpecOptions } from '../support/sandboxes.ts';

const pool = aPool({ warm: 2 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

const QUICK: RestartPolicy = { ...DEFAULT_POLICY, baseMs: 5, mostMs: 40 };

interface World extends AsyncDisposable {
  readonly supervisor: Supervisor;
  readonly changes: StateChange[];
  readonly strikes: Strike[];
  readonly quarantined: QuarantineEvidence[];
  readonly hooks: RecordingHooks;
  states(): string[];
}

function aWorld({ policy = QUICK, serve, loadMs }: { readonly policy?: RestartPolicy; readonly serve?: Serve; readonly loadMs?: number } = {}): World {
  const changes: StateChange[] = [];
  const strikes: Strike[] = [];
  const quarantined: QuarantineEvidence[] = [];
  const hooks = recordingHooks(serve);
  const supervisor = new Supervisor({
    pool,
    clock: systemClock,
    policy,
    random: () => 0.5,
    hooksFor: () => hooks,
    onStateChange: (change) => void changes.push(change),
    onStrike: (_, strike) => void strikes.push(strike),
    onQuarantine: (_, evidence) => void quarantined.push(evidence),
    ...(loadMs === undefined ? {} : { loadMs }),
  });
  return { supervisor, changes, strikes, quarantined, hooks, states: () => changes.map(({ state }) => state), [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose]() };
}

async function started(options: SpecOptions = {}, parts: Parameters<typeof aWorld>[0] = {}): Promise<World> {
  const world = aWorld(parts);
  await world.supervisor.start(aSpec(options));
  return world;
}

const failureOf = (result: CallResult) => (result.ok ? 'none' : result.code);
const CRASHY = toolSource('if (input === "spin") for (;;); if (input === "pid") return 1; return input');

describe('an instance', () => {
  it('is started, called and stopped', async () => {
    await using world = await started();
    expect(await world.supervisor.call('subject', aCall('hi'))).toMatchObject({ ok: true, value: 'hi' });
    expect(world.supervisor.stats('subject')).toMatchObject({ state: 'active', calls: 1, failures: 0, restarts: 0, strikes: 0, pending: 0 });
    await world.supervisor.stop('subject');
    expect(world.states()).toEqual(['starting', 'active', 'stopped']);
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE', retry: true });
  });

  it('that was never started is unavailable', async () => {
    await using world = aWorld();
    expect(await world.supervisor.call('nobody', aCall())).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE', retry: true });
    expect(world.supervisor.stats('nobody')).toBeUndefined();
    await world.supervisor.stop('nobody');
    await expect(world.supervisor.replace(aSpec({ instance: 'nobody' }))).rejects.toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
  });

  it('that is still starting is waited for', async () => {
    await using world = aWorld();
    const starting = world.supervisor.start(aSpec());
    expect(await world.supervisor.call('subject', aCall('hi'))).toMatchObject({ ok: true, value: 'hi' });
    await starting;
  });

  it('is billed', async () => {
    await using world = await started({ source: toolSource('if (input) throw new Error("x"); return 1') });
    for (const input of [true, false, true]) await world.supervisor.call('subject', aCall(input));
    const stats = world.supervisor.stats('subject');
    expect(stats).toMatchObject({ calls: 3, failures: 2 });
    expect(stats?.cpuUs).toBeGreaterThan(0);
  });

  it('tells listeners of every call', async () => {
    await using world = await started({ instance: 'told' });
    const heard: object[] = [];
    const unsubscribe = subscribe('plugin.call', (event) => {
      if (event.instance === 'told') heard.push(event);
    });
    await world.supervisor.call('told', aCall(1));
    await world.supervisor.call('told', aCall(1, 'nothing'));
    await eventually(() => expect(heard).toMatchObject([{ handler: 'call', ok: true }, { handler: 'nothing', ok: false, code: 'PLUGIN_HANDLER_MISSING' }]));
    unsubscribe();
  });

  it.each([
    ['skill', 'respond'],
    ['moderation', 'evaluate'],
    ['tool', 'call'],
  ] as const)('of kind %s needs the handler %s', async (kind, handler) => {
    await using world = aWorld();
    const wrong = aSpec({ kind, source: `gatehouse.register({ kind: '${kind}', handlers: { other() {} } })` });
    await expect(world.supervisor.start(wrong)).rejects.toMatchObject({ code: 'PLUGIN_HANDLER_MISSING', message: expect.stringContaining(handler) as string });
    await world.supervisor.start(aSpec({ kind, source: `gatehouse.register({ kind: '${kind}', handlers: { ${handler}() {} } })` }));
  });

  it('of kind channel needs one of receive and send', async () => {
    await using world = aWorld();
    const channel = (handler: string) => aSpec({ kind: 'channel', source: `gatehouse.register({ kind: 'channel', handlers: { ${handler}() {} } })` });
    await expect(world.supervisor.start(channel('recieve'))).rejects.toMatchObject({ code: 'PLUGIN_HANDLER_MISSING' });
    for (const handler of ['receive', 'send']) await world.supervisor.start(channel(handler));
  });
});

describe('after a kill', () => {
  it('the instance is back, and calls meanwhile wait for it', async () => {
    await using world = await started({ source: CRASHY });
    const before = world.supervisor.stats('subject')?.pid;
    expect(failureOf(await world.supervisor.call('subject', aCall('spin')))).toBe('CALL_CPU');
    expect(await world.supervisor.call('subject', aCall('next'))).toMatchObject({ ok: true, value: 'next' });
    expect(world.supervisor.stats('subject')?.pid).not.toBe(before);
    expect(world.states()).toEqual(['starting', 'active', 'backoff', 'starting', 'active']);
    expect(world.changes[2]).toMatchObject({ code: 'SANDBOX_DIED', message: expect.stringContaining('CPU') as string });
    expect(world.strikes).toMatchObject([{ cause: 'cpu' }]);
  });

  it('from outside it is back at once, without a strike', async () => {
    await using world = await started({}, { policy: { ...QUICK, baseMs: 60_000, mostMs: 60_000 } });
    for (let kill = 0; kill < 3; kill += 1) {
      process.kill(world.supervisor.stats('subject')?.pid as number, 'SIGKILL');
      await eventually(() => expect(world.supervisor.stats('subject')).toMatchObject({ state: 'active', restarts: kill + 1 }));
      expect(await world.supervisor.call('subject', aCall(kill))).toMatchObject({ ok: true, value: kill });
    }
    expect(world.strikes).toEqual([]);
  });

  it('from outside again and again it comes back at a bounded rate', async () => {
    await using world = await started({}, { policy: { ...QUICK, outside: { burst: 2, perMinute: 1 } } });
    for (const [kill, state] of ['active', 'active', 'backoff'].entries()) {
      process.kill(world.supervisor.stats('subject')?.pid as number, 'SIGKILL');
      await eventually(() => expect(world.supervisor.stats('subject')).toMatchObject({ state, restarts: kill + 1 }));
    }
    expect(world.strikes).toEqual([]);
  });

  it('the call that was running is told, the others may be tried again', async () => {
    await using world = await started({ source: toolSource('if (input === "spin") { await ctx.sleep(1); for (;;); } await ctx.kv.get("k")') }, { serve: ({ op }) => (op === 'sleep' ? { ok: true, value: null } : new Promise(() => {})) });
    const [innocent, guilty] = await Promise.all([world.supervisor.call('subject', aCall('wait')), world.supervisor.call('subject', aCall('spin'))]);
    expect(guilty).toMatchObject({ ok: false, code: 'CALL_CPU', retry: false });
    expect(innocent).toMatchObject({ ok: false, code: 'SANDBOX_DIED', retry: true });
  });

  it('a call waits only so long', async () => {
    await using world = await started({ source: CRASHY }, { policy: { ...QUICK, baseMs: 60_000, mostMs: 60_000 } });
    await world.supervisor.call('subject', aCall('spin'));
    await eventually(() => expect(world.supervisor.stats('subject')).toMatchObject({ state: 'active' })); // the first restart of a row comes at once
    await world.supervisor.call('subject', aCall('spin'));
    expect(await world.supervisor.call('subject', aCall(1), { waitMs: 20 })).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE', retry: true, message: expect.stringContaining('backoff') as string });
    expect(await world.supervisor.call('subject', aCall(1), { waitMs: 0 })).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
    const waiting = world.supervisor.call('subject', aCall(1), { waitMs: 60_000 });
    await world.supervisor.stop('subject');
    expect(await waiting).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE', retry: true });
  });
});

describe('three strikes', () => {
  it('end in quarantine with the evidence, and calls are told', async () => {
    await using world = await started({ source: CRASHY });
    for (let strike = 0; strike < 3; strike += 1) await world.supervisor.call('subject', aCall('spin'), { waitMs: 5000 });
    await eventually(() => expect(world.supervisor.stats('subject')?.state).toBe('quarantined'));
    expect(world.quarantined).toMatchObject([{ reason: expect.stringMatching(/^3 strikes in 60 minutes, the last for cpu/) as string, strikes: [{ cause: 'cpu' }, { cause: 'cpu' }, { cause: 'cpu' }], stats: { state: 'quarantined' } }]);
    expect(world.changes.at(-1)).toMatchObject({ state: 'quarantined', code: 'PLUGIN_QUARANTINED' });
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE', message: expect.stringContaining('quarantined') as string });
  });

  it('are counted by whoever remembers longer: an instance stopped when a strike is told stays stopped', async () => {
    const states: string[] = [];
    await using supervisor: Supervisor = new Supervisor({
      pool, clock: systemClock, policy: QUICK, hooksFor: () => recordingHooks(),
      onStateChange: ({ state }) => void states.push(state),
      onStrike: (instance) => void supervisor.stop(instance),
      onQuarantine: () => expect.unreachable(),
    });
    await supervisor.start(aSpec({ source: CRASHY }));
    await supervisor.call('subject', aCall('spin'));
    expect(await supervisor.call('subject', aCall('next'))).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
    expect(states).toEqual(['starting', 'active', 'stopped']);
  });

  it('are forgotten by a new start', async () => {
    await using world = await started({ source: CRASHY });
    for (let strike = 0; strike < 3; strike += 1) await world.supervisor.call('subject', aCall('spin'), { waitMs: 5000 });
    await eventually(() => expect(world.quarantined).toHaveLength(1));
    await world.supervisor.start(aSpec({ source: CRASHY }));
    expect(world.supervisor.stats('subject')).toMatchObject({ state: 'active', strikes: 0 });
    await world.supervisor.call('subject', aCall('spin'));
    expect(await world.supervisor.call('subject', aCall('alive'))).toMatchObject({ ok: true });
  });
});

describe('a plugin that does not load', () => {
  it('is told at the first try, tried with growing delays, and then given up', async () => {
    await using world = aWorld();
    const delays: number[] = [];
    const unsubscribe = subscribe('plugin.restarted', (event) => {
      if (event.instance === 'broken') delays.push(event.delayMs);
    });
    const failure: unknown = await world.supervisor.start(aSpec({ instance: 'broken', source: 'throw new Error("boom")' })).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GatehouseError);
    expect(failure).toMatchObject({ code: 'PLUGIN_LOAD_FAILED' });
    expect(world.supervisor.stats('broken')).toMatchObject({ state: 'backoff', trouble: { code: 'PLUGIN_LOAD_FAILED', message: expect.stringContaining('boom') as string } });
    await eventually(() => expect(world.quarantined).toHaveLength(1));
    expect(delays).toEqual([5, 10]);
    expect(world.strikes.map(({ cause }) => cause)).toEqual(['load', 'load', 'load']);
    unsubscribe();
  });

  it('may load at a later try', async () => {
    let tries = 0;
    const flaky = new Supervisor({
      pool: { open: (spec, hooks, options) => ((tries += 1) < 3 ? Promise.reject(new GatehouseError('SANDBOX_START_FAILED', { instance: spec.instance, problem: 'no process' })) : pool.open(spec, hooks, options)) },
      clock: systemClock,
      policy: QUICK,
      hooksFor: () => recordingHooks(),
      onStateChange: () => {},
      onQuarantine: () => {},
    });
    await expect(flaky.start(aSpec())).rejects.toMatchObject({ code: 'SANDBOX_START_FAILED' });
    expect(await flaky.call('subject', aCall('there'), { waitMs: 10_000 })).toMatchObject({ ok: true, value: 'there' });
    expect(flaky.stats('subject')).toMatchObject({ strikes: 0, restarts: 2 });
    await flaky[Symbol.asyncDispose]();
  });

  it('is not tried again once it is stopped', async () => {
    await using world = aWorld({ policy: { ...QUICK, baseMs: 20 } });
    await world.supervisor.start(aSpec({ source: 'throw 1' })).catch(() => {});
    await world.supervisor.stop('subject');
    await new Promise((done) => setTimeout(done, 60));
    expect(world.states()).toEqual(['starting', 'backoff', 'stopped']);
  });

  it('and is stopped while it loads starts nothing', async () => {
    await using world = aWorld({ loadMs: 5000 });
    const starting = world.supervisor.start(aSpec({ source: `const until = 2e6; for (let i = 0; i < until; i++); ${toolSource('return 1')}` }));
    await world.supervisor.stop('subject');
    await expect(starting).rejects.toMatchObject({ code: 'INSTANCE_UNAVAILABLE' });
    expect(world.supervisor.stats('subject')?.state).toBe('stopped');
  });
});

describe('replacing', () => {
  it('switches when the new one has loaded, and lets the old one finish', async () => {
    const answers: (() => void)[] = [];
    await using world = await started({ source: toolSource('if (input === "hold") await ctx.kv.get("k"); return "old"') }, { serve: () => new Promise((resolve) => answers.push(() => resolve({ ok: true, value: null }))) });
    const old = world.supervisor.call('subject', aCall('hold'));
    await eventually(() => expect(answers).toHaveLength(1));
    const replaced = world.supervisor.replace(aSpec({ source: toolSource('return "new"') }));
    await eventually(async () => expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'new' }));
    for (const answer of answers) answer();
    expect(await old).toMatchObject({ ok: true, value: 'old' });
    await replaced;
    expect(world.states()).toEqual(['starting', 'active', 'active']);
  });

  it('lets the calls that wait in the queue of the old one finish too', async () => {
    const answers: (() => void)[] = [];
    await using world = await started({ source: toolSource('if (input === "hold") await ctx.kv.get("k"); return "old"'), limits: { concurrency: 1, wallMsPerCall: 60_000 } }, { serve: () => new Promise((resolve) => answers.push(() => resolve({ ok: true, value: null }))) });
    const held = world.supervisor.call('subject', aCall('hold'));
    const queued = [1, 2, 3].map((n) => world.supervisor.call('subject', aCall(n)));
    await eventually(() => expect(answers).toHaveLength(1));
    const switched = Promise.withResolvers<void>();
    const replaced = world.supervisor.replace(aSpec({ source: toolSource('return "new"') }), { onSwitch: switched.resolve });
    await switched.promise;
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'new' });
    for (const answer of answers) answer();
    expect(await Promise.all([held, ...queued])).toMatchObject([{ value: 'old' }, { value: 'old' }, { value: 'old' }, { value: 'old' }]);
    await replaced;
  });

  it('tells of the switch between the last call of the old one and the first of the new one', async () => {
    await using world = await started({ source: toolSource('return "old"') });
    let switched = false;
    const seen: string[] = [];
    const replaced = world.supervisor.replace(aSpec({ source: toolSource('return "new"') }), { onSwitch: () => void (switched = true) });
    for (let going = true; going; ) {
      const expected = switched ? 'new' : 'old';
      const result = await world.supervisor.call('subject', aCall());
      seen.push(`${expected} ${result.ok ? String(result.value) : result.code}`);
      going = !seen.includes('new new');
    }
    await replaced;
    expect([...new Set(seen)]).toEqual(['old old', 'new new']);
  });

  it('changes nothing when the new one fails its self test', async () => {
    await using world = await started({ source: toolSource('return "old"') });
    let tested: Sandbox | undefined;
    const selfTest = async (fresh: Sandbox) => {
      tested = fresh;
      expect(await fresh.answers(5000)).toBe(true);
      throw new Error('not good enough');
    };
    await expect(world.supervisor.replace(aSpec({ source: toolSource('return "new"') }), { selfTest, onSwitch: () => expect.unreachable() })).rejects.toThrow('not good enough');
    expect(tested?.accepting).toBe(false);
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'old' });
    expect(world.strikes).toEqual([]);
  });

  it('changes nothing when the new one does not load', async () => {
    await using world = await started({ source: toolSource('return "old"') });
    await expect(world.supervisor.replace(aSpec({ source: 'throw new Error("no")' }))).rejects.toMatchObject({ code: 'PLUGIN_LOAD_FAILED' });
    await expect(world.supervisor.replace(aSpec({ source: 'gatehouse.register({ kind: "tool", handlers: { other() {} } })' }))).rejects.toMatchObject({ code: 'PLUGIN_HANDLER_MISSING' });
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'old' });
    expect(world.strikes).toEqual([]);
  });

  it('does not bring back an instance that was stopped meanwhile', async () => {
    await using world = await started();
    const replaced = world.supervisor.replace(aSpec({ source: `for (let i = 0; i < 1e6; i++); ${toolSource('return "new"')}` }));
    await world.supervisor.stop('subject');
    await expect(replaced).rejects.toMatchObject({ code: 'INSTANCE_UNAVAILABLE' });
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
    expect(world.supervisor.stats('subject')).toMatchObject({ state: 'stopped' });
  });

  it('is abandoned while the new one loads, and at its self test, which ends it at once; the old one goes on', async () => {
    await using world = await started({ source: toolSource('return "old"') });
    const onSwitch = () => expect.unreachable();
    for (const source of [`for (let i = 0; i < 1e6; i++); ${toolSource('return "new"')}`, `for (let i = 0; i < 1e6; i++); throw new Error('no')`]) {
      const loading = world.supervisor.replace(aSpec({ source }), { onSwitch });
      world.supervisor.abandonReplacement('subject');
      await expect(loading).rejects.toMatchObject({ code: 'INSTANCE_UNAVAILABLE' });
    }
    const tested = Promise.withResolvers<Sandbox>();
    const testing = world.supervisor.replace(aSpec({ source: toolSource('return "new"') }), { selfTest: async (fresh) => { tested.resolve(fresh); await fresh.ended; }, onSwitch });
    const fresh = await tested.promise;
    world.supervisor.abandonReplacement('subject');
    await expect(testing).rejects.toMatchObject({ code: 'INSTANCE_UNAVAILABLE' });
    expect(fresh.accepting).toBe(false);
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'old' });
    expect(world.strikes).toEqual([]);
    await world.supervisor.replace(aSpec({ source: toolSource('return "new"') }));
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'new' });
  });

  it('brings up the new version after a crash', async () => {
    await using world = await started({ source: toolSource('return "old"') });
    await world.supervisor.replace(aSpec({ source: toolSource('return "new"') }));
    process.kill(world.supervisor.stats('subject')?.pid as number, 'SIGKILL');
    await eventually(async () => expect(await world.supervisor.call('subject', aCall())).toMatchObject({ value: 'new' }));
    expect(world.supervisor.stats('subject')?.restarts).toBe(1);
  });
});

describe('the restart policy', () => {
  it('restarts at once, then with doubling delays up to a limit, spread by a fifth', () => {
    const policy = { ...DEFAULT_POLICY, baseMs: 100, mostMs: 1000 };
    expect([0, 1, 2, 3, 4, 5, 50].map((row) => backoffMs(policy, row, 0.5))).toEqual([0, 100, 200, 400, 800, 1000, 1000]);
    expect([0, 0.5, 1].map((random) => backoffMs(policy, 1, random))).toEqual([80, 100, 120]);
  });

  it('counts only what happened within the window', () => {
    expect(withinWindow([{ at: 0 }, { at: 50 }, { at: 99 }], 100, 60)).toEqual([{ at: 50 }, { at: 99 }]);
  });
});
