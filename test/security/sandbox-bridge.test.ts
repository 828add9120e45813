// Attacks on the pipe between plugin and host: floods, silence, lies, and processes that were taken over. The host neither chokes nor believes.
import { afterAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import { subscribe } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { openFake } from '../support/fake-child.ts';
import { battle } from '../support/hostile.ts';
import { aCall, aPool } from '../support/sandboxes.ts';

const pool = aPool({ warm: 3 });
pool.prepare();
afterAll(() => pool[Symbol.asyncDispose]());

it('attack 10 fn-smuggle: operations are words of the bridge, not of the plugin', async () => {
  const handler = 'const sent = []; for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) { sent.push(typeof ctx[name]?.bind); await ctx.tool.call(name, {}).catch(() => {}); await ctx.kv.get(name).catch(() => {}) } return sent';
  await using fight = await battle(pool, { handler });
  await fight.call();
  expect(new Set(fight.hostCalls.map(({ op }) => op))).toEqual(new Set(['tool.call', 'kv.get']));
  await fight.neighbourUnharmed();
});

it('attack 49 post-flood: 60 kB a request in a tight loop is held back, and the neighbour is served meanwhile', async () => {
  const handler = `if (input !== 'attack') return 'peaceful'; const load = 'x'.repeat(60_000); let refused = 0, sent = 0;
    for (let round = 0; round < 5; round++) { const all = []; for (let i = 0; i < 2000; i++) all.push(ctx.kv.set('k' + i, load).then(() => sent++, (error) => { if (error.code === 'QUOTA_EXCEEDED') refused++ })); await Promise.all(all) } return { sent, refused }`;
  let delivered = 0;
  await using fight = await battle(pool, { handler, limits: { cpuMsPerCall: 5000, wallMsPerCall: 20_000, heapMb: 128 }, serve: ({ args }) => ((delivered += JSON.stringify(args).length), { ok: true, value: null }) });
  const before = fight.answered();
  expect(await fight.value('attack')).toEqual({ sent: 5 * BOUNDS.hostCallsPerCall, refused: 5 * (2000 - BOUNDS.hostCallsPerCall) });
  expect(delivered).toBeLessThan(5 * BOUNDS.hostCallsPerCall * 61_000);
  expect(fight.answered()).toBeGreaterThan(before);
  expect(await fight.value()).toBe('peaceful');
  await fight.neighbourUnharmed();
});

it('attack 50 pending-flood: of a hundred thousand host calls nobody awaits, 64 arrive', async () => {
  await using fight = await battle(pool, { handler: 'if (input !== "attack") return "peaceful"; for (let i = 0; i < 1e5; i++) ctx.kv.get("k").catch(() => {}); await ctx.kv.get("last").catch(() => {}); return "flooded"', serve: () => new Promise(() => {}), limits: { cpuMsPerCall: 5000, wallMsPerCall: 30_000, heapMb: 256 } });
  expect(await fight.value('attack')).toBe('flooded');
  expect(fight.hostCalls).toHaveLength(BOUNDS.hostCallsPerCall);
  expect(await fight.value()).toBe('peaceful');
  expect(fight.strikes).toEqual([]);
  await fight.neighbourUnharmed();
});

it('attack 50 pending-flood, with rejections nobody handles', async () => {
  const late: string[] = [];
  const unsubscribe = subscribe('sandbox.late-rejection', ({ instance, message }) => void late.push(`${instance} ${message}`));
  await using fight = await battle(pool, { handler: 'if (input !== "attack") return "peaceful"; for (let i = 0; i < 1000; i++) ctx.kv.get("k"); return "flooded"', serve: () => ({ ok: false, code: 'NO', message: 'never' }) });
  expect(await fight.value('attack')).toBe('flooded');
  expect(await fight.value()).toBe('peaceful');
  await eventually(() => expect(late.length).toBeGreaterThan(0));
  expect(late.length).toBeLessThanOrEqual(BOUNDS.logLinesPerSecond);
  unsubscribe();
  await fight.neighbourUnharmed();
});

it('attack 52 never-settle: ends at the wall deadline, and the sandbox serves on', async () => {
  await using fight = await battle(pool, { handler: 'if (input === "attack") await new Promise(() => {}); return "peaceful"', limits: { wallMsPerCall: 100 } });
  const attacked = fight.pid();
  expect(await fight.call('attack')).toMatchObject({ ok: false, code: 'CALL_TIMEOUT' });
  expect(await fight.value()).toBe('peaceful');
  expect(fight.pid()).toBe(attacked);
  expect(fight.strikes).toEqual([]);
  await fight.neighbourUnharmed();
});

describe('attack 54 frame-garbage: a process that was taken over and speaks nonsense is ended', () => {
  it.each([
    ['random bytes', 'raw(require("node:crypto").randomBytes(100_000));'],
    ['a length of four gigabytes', 'raw(Buffer.from([255, 255, 255, 255, 1, 2, 3]));'],
    ['half a frame, then silence', 'raw(Buffer.from([100, 0, 0, 0, 123]));'],
    ['a frame of the right form with a property too many', 'send({ t: "slice", cpuUs: 1, posts: [], grants: ["*"] });'],
    ['a megabyte of brackets', 'raw(frame("[".repeat(1_000_000)));'],
    ['a claim to be another instance', 'slice({ t: "request", call: 1, request: 1, op: "kv.get", args: {}, instance: "victim" });'],
    ['a storm of empty frames', 'const empty = Buffer.alloc(40_000); raw(empty);'],
  ])('%s', async (_, script) => {
    await using fight = await battle(pool, {});
    await using taken = await openFake(`next(); ${script} for (;;) next();`, { limits: { wallMsPerCall: 100 } });
    expect(await taken.sandbox.call(aCall())).toMatchObject({ ok: false });
    expect(await taken.sandbox.exited).toMatchObject({ strike: true });
    expect(taken.hooks.hostCalls).toEqual([]);
    await fight.neighbourUnharmed();
  });
});

it('attack 56 reply-storm: results for calls nobody made are dropped, and enough of them are a strike', async () => {
  await using fight = await battle(pool, {});
  await using taken = await openFake(`const f = next(); const storm = Array.from({ length: 4000 }, (_, i) => ({ t: 'result', call: 5000 + i, ok: true, value: i })); slice(...storm); for (;;) next();`);
  expect(await taken.sandbox.call(aCall())).toMatchObject({ ok: false, code: expect.stringMatching(/SANDBOX_FRAME|SANDBOX_DIED/) as string });
  expect(await taken.sandbox.exited).toMatchObject({ cause: 'frames', strike: true });
  await fight.neighbourUnharmed();
});

it('attack 57 fork-bomb-respawn: a plugin that crashes at load for ever is tried ever more rarely, then given up', async () => {
  const delays: number[] = [];
  const unsubscribe = subscribe('plugin.restarted', ({ instance, delayMs }) => void (instance === 'attacker' && delays.push(delayMs)));
  await using fight = await battle(pool, { source: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);' });
  await eventually(() => expect(fight.quarantined).toHaveLength(1), 120_000);
  expect(delays).toHaveLength(2);
  expect(delays[1]).toBeGreaterThan(delays[0] as number);
  expect(fight.quarantined[0]).toMatchObject({ strikes: [{ cause: 'load' }, { cause: 'load' }, { cause: 'load' }] });
  expect(await fight.call()).toMatchObject({ ok: false, code: 'INSTANCE_UNAVAILABLE' });
  unsubscribe();
  await fight.neighbourUnharmed();
});

it('attack 57 fork-bomb-respawn, by crashing in each call', async () => {
  await using fight = await battle(pool, { handler: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);', limits: { cpuMsPerCall: 5000, wallMsPerCall: 60_000 } });
  for (let strike = 0; strike < 3; strike += 1) expect(await fight.call()).toMatchObject({ ok: false, code: 'SANDBOX_DIED', retry: false });
  await eventually(() => expect(fight.quarantined).toHaveLength(1));
  await fight.neighbourUnharmed();
});
