// Idle instances give their process back and are woken by the next call; the clock is turned by hand, the sandboxes are real.
import { afterAll, describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { GatehouseError } from '../../host/errors.ts';
import { ProcessMeter } from '../../host/sandbox/process-meter.ts';
import type { SandboxPool } from '../../host/sandbox/pool.ts';
import { toHibernate, type Sleeper, type Standing } from '../../host/supervisor/hibernation.ts';
import { DEFAULT_POLICY } from '../../host/supervisor/restart-policy.ts';
import { Supervisor, type QuarantineEvidence, type StateChange } from '../../host/supervisor/supervisor.ts';
import { eventually } from '../support/eventually.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { aCall, aPool, aSpec, recordingHooks, toolSource } from '../support/sandboxes.ts';

const AFTER_MS = 60_000;
const SLEEPY: Standing = { rank: 'back', hibernateAfterMs: AFTER_MS };
const AWAKE: Standing = { rank: 'front' };

const pool = aPool({ warm: 2 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

interface WorldOptions {
  readonly mostRunning?: number;
  readonly standings?: Readonly<Record<string, Standing>>;
  readonly open?: SandboxPool['open'];
}

function aWorld({ mostRunning = Infinity, standings = {}, open = pool.open.bind(pool) }: WorldOptions = {}) {
  const clock = aHandClock();
  const changes: StateChange[] = [];
  const quarantined: QuarantineEvidence[] = [];
  const held: (() => void)[] = [];
  const supervisor = new Supervisor({
    pool: { open },
    clock,
    mostRunning,
    policy: { ...DEFAULT_POLICY, baseMs: 5, mostMs: 20 },
    hooksFor: () => recordingHooks(() => new Promise((resolve) => held.push(() => resolve({ ok: true, value: null })))),
    standingOf: (instance) => standings[instance] ?? SLEEPY,
    onStateChange: (change) => void changes.push(change),
    onQuarantine: (_, evidence) => void quarantined.push(evidence),
  });
  const stateOf = (instance: string) => supervisor.stats(instance)?.state;
  return {
    supervisor, clock, changes, quarantined, stateOf,
    statesOf: (instance: string) => changes.flatMap((change) => (change.instance === instance ? [change.state] : [])),
    /** Answers every host call that waits. */
    answerAll: () => held.splice(0).forEach((answer) => answer()),
    held,
    passIdle(ms = AFTER_MS) {
      clock.turn(ms);
      supervisor.hibernateIdle();
    },
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  };
}

const isGone = (pid: number) => /^[ZX]?$/.test(new ProcessMeter(pid).read()?.state ?? '');

describe('an idle instance', () => {
  it('gives its process back after its time, and the next call wakes it', async () => {
    await using world = aWorld();
    await world.supervisor.start(aSpec());
    const pid = world.supervisor.stats('subject')?.pid as number;
    world.passIdle(AFTER_MS - 1);
    expect(world.stateOf('subject')).toBe('active');
    world.passIdle(1);
    expect(world.supervisor.stats('subject')).toMatchObject({ state: 'hibernated', restarts: 0, strikes: 0 });
    expect(world.supervisor.stats('subject')).not.toHaveProperty('pid');
    await eventually(() => expect(isGone(pid)).toBe(true));

    expect(await world.supervisor.call('subject', aCall('back?'), { waitMs: 10_000 })).toMatchObject({ ok: true, value: 'back?' });
    expect(world.supervisor.stats('subject')).toMatchObject({ state: 'active', restarts: 0, strikes: 0 });
    expect(world.statesOf('subject')).toEqual(['starting', 'active', 'hibernated', 'starting', 'active']);
  });

  it('is woken once, however many calls wait for it', async () => {
    let opened = 0;
    await using world = aWorld({ open: (...args) => ((opened += 1), pool.open(...args)) });
    await world.supervisor.start(aSpec());
    world.passIdle();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => world.supervisor.call('subject', aCall(n), { waitMs: 10_000 })));
    expect(answers.map((each) => each.ok && each.value)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(opened).toBe(2);
  });

  it('is idle from the end of its last call, and never while one is under way', async () => {
    await using world = aWorld();
    await world.supervisor.start(aSpec({ source: toolSource('if (input === "long") await ctx.kv.get("k"); return input'), limits: { wallMsPerCall: 60_000 } }));
    const long = world.supervisor.call('subject', aCall('long'));
    await eventually(() => expect(world.held).toHaveLength(1));
    world.passIdle(10 * AFTER_MS);
    expect(world.stateOf('subject')).toBe('active');
    world.answerAll();
    expect(await long).toMatchObject({ ok: true, value: 'long' });
    world.passIdle(AFTER_MS - 1);
    expect(world.stateOf('subject')).toBe('active');
    world.passIdle(1);
    expect(world.stateOf('subject')).toBe('hibernated');
  });

  it('takes a warm process when it wakes', async () => {
    const started: number[] = [];
    const unsubscribe = subscribe('sandbox.started', ({ instance, startMs }) => instance === 'warmed' && started.push(startMs));
    await using world = aWorld();
    await world.supervisor.start(aSpec({ instance: 'warmed' }));
    world.passIdle();
    await eventually(() => expect(pool.idle).toBe(2));
    await world.supervisor.call('warmed', aCall(), { waitMs: 10_000 });
    expect(started).toHaveLength(2);
    expect(pool.idle).toBeLessThan(2);
    unsubscribe();
  });

  it('stays up where its standing says so, as of now', async () => {
    const standings: Record<string, Standing> = { subject: AWAKE };
    await using world = aWorld({ standings });
    await world.supervisor.start(aSpec());
    world.passIdle(10 * AFTER_MS);
    expect(world.stateOf('subject')).toBe('active');
    standings['subject'] = SLEEPY;
    world.passIdle(0);
    expect(world.stateOf('subject')).toBe('hibernated');
  });

  it('that is stopped asleep stays down', async () => {
    await using world = aWorld();
    await world.supervisor.start(aSpec());
    world.passIdle();
    await world.supervisor.stop('subject');
    expect(await world.supervisor.call('subject', aCall())).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
    expect(world.statesOf('subject')).toEqual(['starting', 'active', 'hibernated', 'stopped']);
  });
});

describe('a wake', () => {
  it('that takes too long ends the call, not the wake', async () => {
    const gate = Promise.withResolvers<void>();
    let opened = 0;
    await using world = aWorld({ open: async (...args) => ((opened += 1) > 1 && (await gate.promise), await pool.open(...args)) });
    await world.supervisor.start(aSpec());
    world.passIdle();
    expect(await world.supervisor.call('subject', aCall(), { waitMs: 10 })).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE', retry: true });
    gate.resolve();
    await eventually(() => expect(world.stateOf('subject')).toBe('active'));
    expect(opened).toBe(2);
  });

  it('that fails for want of a process is tried again, without a strike', async () => {
    let opened = 0;
    await using world = aWorld({ open: (spec, ...rest) => ((opened += 1) === 2 ? Promise.reject(new GatehouseError('SANDBOX_START_FAILED', { instance: spec.instance, problem: 'no process' })) : pool.open(spec, ...rest)) });
    await world.supervisor.start(aSpec());
    world.passIdle();
    expect(await world.supervisor.call('subject', aCall('there'), { waitMs: 10_000 })).toMatchObject({ ok: true, value: 'there' });
    expect(world.supervisor.stats('subject')).toMatchObject({ strikes: 0, restarts: 1 });
    expect(world.statesOf('subject')).toEqual(['starting', 'active', 'hibernated', 'starting', 'backoff', 'starting', 'active']);
  });

  it('of a plugin that loads no more counts as any load that fails', async () => {
    let opened = 0;
    await using world = aWorld({ open: (spec, ...rest) => pool.open((opened += 1) > 1 ? { ...spec, source: 'throw new Error("broken")' } : spec, ...rest) });
    await world.supervisor.start(aSpec());
    world.passIdle();
    expect(await world.supervisor.call('subject', aCall(), { waitMs: 20_000 })).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
    expect(world.quarantined).toMatchObject([{ strikes: [{ cause: 'load' }, { cause: 'load' }, { cause: 'load' }] }]);
  });
});

describe('with more sandboxes than there should be', () => {
  it('the one called longest ago goes to sleep first, before its time', async () => {
    await using world = aWorld({ mostRunning: 2 });
    for (const instance of ['a', 'b']) {
      await world.supervisor.start(aSpec({ instance }));
      world.clock.turn(1);
    }
    await world.supervisor.call('a', aCall());
    world.clock.turn(1);
    await world.supervisor.start(aSpec({ instance: 'c' }));
    expect(['a', 'b', 'c'].map(world.stateOf)).toEqual(['active', 'hibernated', 'active']);
    world.clock.turn(1);
    await world.supervisor.call('b', aCall(), { waitMs: 10_000 });
    expect(['a', 'b', 'c'].map(world.stateOf)).toEqual(['hibernated', 'active', 'active']);
  });

  it('those that may not sleep count, and nobody is refused because of them', async () => {
    await using world = aWorld({ mostRunning: 1, standings: { channel: AWAKE, gate: AWAKE } });
    for (const instance of ['channel', 'gate', 'tool']) await world.supervisor.start(aSpec({ instance }));
    expect(['channel', 'gate', 'tool'].map(world.stateOf)).toEqual(['active', 'active', 'hibernated']);
    expect(await world.supervisor.call('tool', aCall('still served'), { waitMs: 10_000 })).toMatchObject({ value: 'still served' });
    world.passIdle(0);
    expect(['channel', 'gate', 'tool'].map(world.stateOf)).toEqual(['active', 'active', 'hibernated']);
  });
});

describe('replacing', () => {
  it('brings up an instance that was asleep, and calls meanwhile wait for the new one', async () => {
    let opened = 0;
    await using world = aWorld({ open: (...args) => ((opened += 1), pool.open(...args)) });
    await world.supervisor.start(aSpec({ source: toolSource('return "old"') }));
    world.passIdle();
    const replaced = world.supervisor.replace(aSpec({ source: toolSource('return "new"') }));
    const waiting = world.supervisor.call('subject', aCall(), { waitMs: 10_000 });
    await replaced;
    expect(await waiting).toMatchObject({ ok: true, value: 'new' });
    expect(opened).toBe(2);
    expect(world.statesOf('subject')).toEqual(['starting', 'active', 'hibernated', 'starting', 'active']);
  });

  it('that fails wakes the old one for those who waited', async () => {
    await using world = aWorld();
    await world.supervisor.start(aSpec({ source: toolSource('return "old"') }));
    world.passIdle();
    const replaced = world.supervisor.replace(aSpec({ source: toolSource('return "new"') }), { selfTest: () => Promise.reject(new Error('not good enough')) });
    const waiting = world.supervisor.call('subject', aCall(), { waitMs: 10_000 });
    await expect(replaced).rejects.toThrow('not good enough');
    expect(await waiting).toMatchObject({ ok: true, value: 'old' });
  });
});

describe('who sleeps', () => {
  const sleeper = (name: string, idleSinceMs: number | undefined, changes: Partial<Sleeper> = {}) => ({ name, isRunning: true, idleSinceMs, standing: SLEEPY, ...changes });
  it.each<[string, ReturnType<typeof sleeper>[], number, string[]]>([
    ['nobody while all are young', [sleeper('a', 99_000), sleeper('b', 50_000)], Infinity, []],
    ['those idle for long, oldest first', [sleeper('a', 30_000), sleeper('b', 20_000), sleeper('c', 90_000)], Infinity, ['b', 'a']],
    ['one too many: the oldest', [sleeper('a', 99_000), sleeper('b', 98_000), sleeper('c', 97_000)], 2, ['c']],
    ['nobody when all others are busy', [sleeper('a', undefined), sleeper('b', undefined)], 1, []],
    ['those that make room for one that starts', [sleeper('a', 99_000), sleeper('starting', undefined)], 1, ['a']],
    ['not those that are down already', [sleeper('a', 99_000), sleeper('down', undefined, { isRunning: false })], 1, []],
    ['not those that stay up', [sleeper('a', 1000, { standing: AWAKE }), sleeper('b', 99_000)], 1, ['b']],
  ])('is %s', (_, instances, mostRunning, expected) => {
    expect(toHibernate(instances, 100_000, mostRunning).map(({ name }) => name)).toEqual(expected);
  });
});
