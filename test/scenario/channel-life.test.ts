// Channels from their start to their last word, in real sandboxes: credentials before traffic, abilities as declared, probes, reconnects, and neighbours that nobody waits for.
import { describe, expect, it } from 'vitest';
import { subscribe, type EventName, type Events } from '../../host/events.ts';
import { HostRefused } from '../../host/host.ts';
import type { Ability } from '../../schemas/abilities.ts';
import type { PluginView } from '../../schemas/control.ts';
import type { Enablement } from '../../schemas/enablement.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';

/** A channel with a memory and a notebook: `{ mood }` changes the one of its sandbox, `{ note, value }` and `{ read }` are its kv, `{ message }` arrives. */
const BASE = `
  async receive(request, ctx) {
    const { message, mood: wanted, note, value, read } = JSON.parse(request.body);
    if (wanted) { mood = wanted; return {}; }
    if (note) { await ctx.kv.set(note, value); return {}; }
    if (read) return { respond: { status: 200, body: { value: await ctx.kv.get(read) } } };
    return { messages: [message] };
  },
  send: () => ({ actions: [] }),`;

interface Given {
  readonly name?: string;
  readonly abilities?: readonly Ability[];
  readonly handlers?: string;
  readonly top?: string;
  readonly enablement?: Partial<Enablement>;
}

async function addChannel(home: TestHome, { name = 'parlor', abilities = [], handlers = '', top = '', enablement = {} }: Given): Promise<void> {
  await home.add({
    name,
    kind: 'channel',
    source: `let mood = 'well';\n${top}\ngatehouse.register({ kind: 'channel', handlers: {${BASE}\n${handlers} } });`,
    manifest: {
      capabilities: [{ name: 'kv', quotaBytes: 10_000 }],
      channel: { abilities: ['receive', 'send', ...abilities], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] },
    },
    enablement,
  });
}

const tell = (gatehouse: Gatehouse, body: object, name = 'parlor') => gatehouse.fetch(`/channels/${name}/in`, { method: 'POST', body: JSON.stringify(body) });
const read = async (gatehouse: Gatehouse, key: string) => (await tell(gatehouse, { read: key })).json<{ value: unknown }>().value;
const show = async (gatehouse: Gatehouse, name = 'parlor') => (await gatehouse.api(`/plugins/${name}`)).json<PluginView>();
const aMessage = (id: string) => ({ message: { id, conversation: 'c', sender: { id: 'ada' }, text: 'hi' } });

function hearing<N extends EventName>(name: N, fits: (event: Events[N]) => boolean): Disposable & { readonly events: Events[N][] } {
  const events: Events[N][] = [];
  const stop = subscribe(name, (event) => void (fits(event) && events.push(event)));
  return { events, [Symbol.dispose]: stop };
}

describe('a start', () => {
  it('begins required instances first, then by order, then by id, and says so', async () => {
    await using home = await aHome();
    for (const [name, order, required] of [['zoe', 1, false], ['amy', 2, false], ['bob', 2, false], ['yak', 9, true], ['xan', 10, true], ['off', 0, false]] as const) {
      await addChannel(home, { name, enablement: { order, required, ...(name === 'off' ? { enabled: false } : {}) } });
    }
    using begun = hearing('plugin.state', ({ to, from }) => to === 'starting' && from === 'approved');
    await using gatehouse = await startGatehouse(home);
    expect(begun.events.map(({ instance }) => instance)).toEqual(['yak', 'xan', 'zoe', 'amy', 'bob']);
    const positions = await Promise.all(['yak', 'xan', 'zoe', 'amy', 'bob', 'off'].map(async (name) => (await show(gatehouse, name)).startPosition));
    expect(positions).toEqual([1, 2, 3, 4, 5, undefined]);
  });

  it('runs a channel with the required two as ever, and says what holds for the rest', async () => {
    await using home = await aHome();
    await addChannel(home, { enablement: { outbound: { retry: { attempts: 7 } } } });
    await using gatehouse = await startGatehouse(home);
    expect((await tell(gatehouse, aMessage('1'))).status).toBe(202);
    const { state, channel, limits, retry } = await show(gatehouse);
    expect({ state, declared: channel?.declared, effective: channel?.effective, edits: channel?.without['edit'] }).toEqual({ state: 'active', declared: ['receive', 'send'], effective: ['receive', 'send'], edits: 'what was sent stays as it is' });
    expect(limits).toMatchObject({ heapMb: 32, wallMsPerCall: 2000 });
    expect(channel?.tries).toMatchObject({ failed: { attempts: 3 }, remote: { attempts: 7, firstMs: 1000 } });
    expect(retry).toMatchObject({ strikes: 3, windowMs: 3_600_000, mostDelayMs: 60_000 });
  });

  it('lets no traffic in before the channel says that its credentials are taken, and tries again by itself', async () => {
    await using home = await aHome();
    await addChannel(home, {
      abilities: ['start'],
      handlers: `async start(_, ctx) { const tries = Number(await ctx.kv.get('tries')) + 1; await ctx.kv.set('tries', tries); return tries > 2 ? { ok: true } : { ok: false, reason: 'the service sleeps' }; }`,
    });
    using restarts = hearing('plugin.restarted', ({ instance }) => instance === 'parlor');
    await using gatehouse = await startGatehouse(home);
    expect(await show(gatehouse)).toMatchObject({ state: expect.not.stringMatching(/^active$/) as string });
    await eventually(async () => expect((await show(gatehouse)).state).toBe('active'));
    expect(await read(gatehouse, 'tries')).toBe(3);
    expect((await show(gatehouse)).strikes).toBe(0);
    expect(restarts.events.map(({ reason }) => reason)).toEqual(['CHANNEL_START_FAILED', 'CHANNEL_START_FAILED']);
    expect(restarts.events.every(({ delayMs }, index, all) => delayMs > (all[index - 1]?.delayMs ?? 0))).toBe(true);
  });

  it.each([
    ['says that only the operator can put it right', `start: async () => ({ ok: false, reason: 'wrong token', retry: false })`],
    ['throws an error that says so', `async start() { throw Object.assign(new Error('wrong token'), { retry: false }); }`],
  ])('gives a channel up whose start %s, until somebody enables it again', async (_, start) => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['start'], handlers: start });
    using begun = hearing('plugin.state', ({ instance, to }) => instance === 'parlor' && to === 'starting');
    await using gatehouse = await startGatehouse(home);
    expect(await show(gatehouse)).toMatchObject({ state: 'rejected', code: 'CHANNEL_START_REFUSED', message: expect.stringContaining('wrong token') as string, strikes: 0, restarts: 0 });
    expect((await tell(gatehouse, aMessage('1'))).status).toBe(503);
    expect(begun.events).toHaveLength(1);
    await gatehouse.api('/plugins/parlor/enable', { method: 'POST' });
    expect(begun.events).toHaveLength(2);
  });

  it('is refused where a required channel is not what its manifest says', async () => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['edit'], handlers: `typing: () => ({ actions: [] })`, enablement: { required: true } });
    const refused = await startGatehouse(home).then(() => undefined, (error: unknown) => error);
    expect(refused).toBeInstanceOf(HostRefused);
    expect((refused as HostRefused).diagnostics).toEqual([expect.objectContaining({ code: 'CHANNEL_ABILITY_MISMATCH', severity: 'fatal', instance: 'parlor' })]);
  });

  it('goes on degraded with an optional one, in both directions, and uses what both sides agree on', async () => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['edit', 'react'], handlers: `typing: () => ({ actions: [] }), react: () => ({ actions: [] })` });
    await using gatehouse = await startGatehouse(home);
    const view = await eventually(async () => {
      const seen = await show(gatehouse);
      expect(seen.state).toBe('impaired');
      return seen;
    });
    expect(view).toMatchObject({ code: 'CHANNEL_ABILITY_MISMATCH', channel: { declared: ['receive', 'send', 'edit', 'react'], effective: ['receive', 'send', 'react'] } });
    expect(view.message).toMatch(/declares 'edit', which its script does not register; and its script registers 'typing', which channel\.abilities does not declare/);
    expect(gatehouse.host.diagnostics()).toEqual([expect.objectContaining({ code: 'CHANNEL_ABILITY_MISMATCH', severity: 'degraded', instance: 'parlor' })]);
    expect((await tell(gatehouse, aMessage('1'))).status).toBe(202);
  });
});

describe('who is there', () => {
  const find = async (gatehouse: Gatehouse, query: string) => {
    const { status, text } = await gatehouse.api(`/plugins/parlor/directory${query}`);
    return { status, ...(JSON.parse(text) as { items?: { id: string; name: string }[]; code?: string }) };
  };

  it('is asked of a channel that can say, and of nobody else', async () => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['directory'], handlers: `directory: ({ kind, text, limit }) => text === 'odd' ? [] : text === 'fail' ? Promise.reject(new Error('no line')) : ({ items: Array.from({ length: 3 }, (_, n) => ({ id: kind + n, name: text + ' of ' + limit })) })` });
    await using gatehouse = await startGatehouse(home);
    expect(await find(gatehouse, '?text=ada&limit=2')).toEqual({ status: 200, items: [{ id: 'person0', name: 'ada of 2' }, { id: 'person1', name: 'ada of 2' }], cursor: null });
    expect((await find(gatehouse, '?text=ada&kind=room')).items).toHaveLength(3);
    expect(await find(gatehouse, '?text=odd')).toMatchObject({ status: 502, code: 'RESULT_INVALID' });
    expect(await find(gatehouse, '?text=fail')).toMatchObject({ status: 502, code: 'CALL_FAILED' });
    for (const wrong of ['?limit=0', '?limit=51', '?kind=cat', `?text=${'x'.repeat(257)}`]) expect(await find(gatehouse, wrong)).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
  });

  it('is nobody where the channel cannot say', async () => {
    await using home = await aHome();
    await addChannel(home, {});
    await using gatehouse = await startGatehouse(home);
    expect(await find(gatehouse, '?text=ada')).toEqual({ status: 200, items: [], cursor: null });
    expect((await gatehouse.api('/plugins/nobody/directory')).status).toBe(404);
  });
});

describe('what can be typed', () => {
  it('is told to a channel that offers it: at its start, and when skills come and go, without what is not for everybody there', async () => {
    await using home = await aHome();
    await addChannel(home, {
      abilities: ['commands'],
      handlers: `async commands({ commands }, ctx) { await ctx.kv.set('menu', commands.map(({ name }) => name)); await ctx.kv.set('tellings', Number(await ctx.kv.get('tellings')) + 1); return { actions: [] }; }`,
      enablement: { commands: { sing: { enabled: false }, dance: { allow: ['ada'] } } },
    });
    const skill = (name: string, commands: string[]) => home.add({ name, kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: () => null } });`, manifest: { skill: { triggers: { commands } } } });
    await skill('stage', ['sing', 'dance', 'juggle']);
    await skill('desk', ['write']);
    await using gatehouse = await startGatehouse(home);
    const menu = async () => ((await read(gatehouse, 'menu')) as string[] | null) ?? [];
    const first = await eventually(async () => {
      const names = await menu();
      expect(names).toContain('write');
      return names;
    });
    expect(first).toContain('juggle');
    expect(first).toContain('help');
    expect(first).not.toContain('sing');
    expect(first).not.toContain('dance');
    await gatehouse.api('/plugins/stage/disable', { method: 'POST', body: { reason: 'pause' } });
    await eventually(async () => expect(await menu()).not.toContain('juggle'));
    expect(await menu()).toContain('write');
    const tellings = await read(gatehouse, 'tellings');
    await gatehouse.api('/plugins/parlor/disable', { method: 'POST', body: { reason: 'pause' } });
    await gatehouse.api('/plugins/parlor/enable', { method: 'POST' });
    await gatehouse.api('/plugins/stage/enable', { method: 'POST' });
    await eventually(async () => expect(await menu()).toContain('juggle'));
    expect(await read(gatehouse, 'tellings')).toBe(Number(tellings) + 1);
  });
});

describe('the health of a channel', () => {
  const health = { intervalMs: 100, deadlineMs: 1000, failures: 2, recoveries: 2, reconnectAfter: 1000 };
  const WELL_OR_NOT = `health: () => mood === 'hang' ? new Promise(() => {}) : mood === 'throw' ? Promise.reject(new Error('no line')) : { ok: mood === 'well', detail: 'feeling ' + mood }`;

  it.each([
    ['says no', 'ill', /feeling ill/],
    ['throws', 'throw', /no line/],
    ['gives no answer', 'hang', /no answer within 50 ms|did not finish/],
  ])('that %s several times in a row makes it impaired, and well again once it is', async (_, mood, problem) => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['health'], handlers: WELL_OR_NOT, enablement: { health: { ...health, ...(mood === 'hang' ? { deadlineMs: 50 } : {}) }, limits: { wallMsPerCall: 200 } } });
    using probes = hearing('channel.probed', ({ instance }) => instance === 'parlor');
    await using gatehouse = await startGatehouse(home);
    await eventually(() => expect(probes.events.length).toBeGreaterThan(1));
    expect((await show(gatehouse)).state).toBe('active');

    await tell(gatehouse, { mood });
    const ill = await eventually(async () => {
      const seen = await show(gatehouse);
      expect(seen.state).toBe('impaired');
      return seen;
    });
    expect(ill).toMatchObject({ code: 'CHANNEL_UNHEALTHY', message: expect.stringMatching(problem) as string, channel: { health: { healthy: false } } });
    expect(probes.events.find(({ failures }) => failures === 2)?.result).toBe(mood === 'hang' ? 'late' : 'failed');
    expect((await tell(gatehouse, aMessage('1'))).status).toBe(202);

    await tell(gatehouse, { mood: 'well' });
    await eventually(async () => expect(await show(gatehouse)).toMatchObject({ state: 'active', channel: { health: { healthy: true, failures: 0 } } }));
    expect((await show(gatehouse)).code).toBeUndefined();
  });

  it('that stays bad brings another sandbox, told with reason and delay, and stops bringing more for ever longer', async () => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['health'], handlers: `health: async (_, ctx) => ({ ok: mood === 'well' && !(await ctx.kv.get('cut')), detail: 'line is cut' })`, enablement: { health: { ...health, failures: 1, recoveries: 1, reconnectAfter: 2 } } });
    using restarts = hearing('plugin.restarted', ({ instance }) => instance === 'parlor');
    await using gatehouse = await startGatehouse(home);

    await tell(gatehouse, { mood: 'ill' }); // only this sandbox is: another one helps
    await eventually(async () => expect(await show(gatehouse)).toMatchObject({ state: 'active', restarts: 1, channel: { health: { healthy: true } } }));
    expect(restarts.events).toEqual([{ instance: 'parlor', restarts: 1, delayMs: 0, reason: 'CHANNEL_UNHEALTHY' }]);
    expect((await show(gatehouse)).strikes).toBe(0);

    await tell(gatehouse, { note: 'cut', value: true }); // nothing helps
    await eventually(() => expect(restarts.events).toHaveLength(5), 120_000);
    const delays = restarts.events.slice(1).map(({ delayMs }) => delayMs);
    expect(delays[0]).toBe(0);
    // Pauses of at least half of 100, 200 and 400 ms, the jitter taken off; what is between probes comes on top.
    expect(delays.slice(1).map((delay, index) => delay >= 50 * 2 ** index)).toEqual([true, true, true]);
    expect((await tell(gatehouse, aMessage('1'))).status).toBe(202);
  });

  it('keeps what is there when another sandbox does not come up', async () => {
    await using home = await aHome();
    await addChannel(home, {
      abilities: ['start', 'health'],
      handlers: `${WELL_OR_NOT}, async start(_, ctx) { const starts = Number(await ctx.kv.get('starts')) + 1; await ctx.kv.set('starts', starts); return starts === 1 ? { ok: true } : { ok: false, reason: 'wrong token by now', retry: false }; }`,
      enablement: { health: { ...health, failures: 1, reconnectAfter: 1 } },
    });
    await using gatehouse = await startGatehouse(home);
    await tell(gatehouse, { mood: 'ill' });
    await eventually(async () => expect(Number(await read(gatehouse, 'starts'))).toBeGreaterThan(2));
    expect((await show(gatehouse)).state).toBe('impaired');
    expect((await tell(gatehouse, aMessage('1'))).status).toBe(202);
  });
});

describe('the last word of a channel', () => {
  const WITH_STOP = { abilities: ['stop'] as const, handlers: `async stop(_, ctx) { await ctx.kv.set('stops', Number(await ctx.kv.get('stops')) + 1); }` };

  it('is said when it is disabled and when the host stops, and kept', async () => {
    await using home = await aHome();
    await addChannel(home, WITH_STOP);
    {
      await using gatehouse = await startGatehouse(home);
      await gatehouse.api('/plugins/parlor/disable', { method: 'POST', body: { reason: 'pause' } });
      await gatehouse.api('/plugins/parlor/enable', { method: 'POST' });
      await eventually(async () => expect(await read(gatehouse, 'stops')).toBe(1));
    }
    await using gatehouse = await startGatehouse(home);
    expect(await read(gatehouse, 'stops')).toBe(2);
  });

  it('is not said by one that is put into quarantine, nor by a sandbox that was killed', async () => {
    await using home = await aHome();
    await addChannel(home, WITH_STOP);
    using starts = hearing('sandbox.started', ({ instance }) => instance === 'parlor');
    await using gatehouse = await startGatehouse(home);
    process.kill(Number(starts.events[0]?.pid), 'SIGKILL');
    await eventually(() => expect(starts.events).toHaveLength(2));
    await gatehouse.api('/plugins/parlor/quarantine', { method: 'POST', body: { reason: 'odd' } });
    await gatehouse.api('/plugins/parlor/release', { method: 'POST', body: { reason: 'fine' } });
    await eventually(async () => expect(await read(gatehouse, 'stops')).toBeNull());
  });

  it('that is never finished is waited for no longer than it may take', async () => {
    await using home = await aHome();
    await addChannel(home, { abilities: ['stop'], handlers: `stop: () => new Promise(() => {})` });
    await using gatehouse = await startGatehouse(home);
    const began = performance.now();
    await gatehouse.api('/plugins/parlor/disable', { method: 'POST', body: { reason: 'pause' } });
    expect(performance.now() - began).toBeLessThan(5000);
    expect((await show(gatehouse)).state).toBe('disabled');
  });
});

describe('a crash loop', () => {
  it('at the start of one delays neither the start of the next, nor its traffic, nor its stop, nor that of the host', async () => {
    await using home = await aHome([], { boot: { deadlineMs: 500 } });
    // Five seconds of its first try: all below happens meanwhile.
    await addChannel(home, { name: 'spinner', top: 'for (;;);', enablement: { order: 1 } });
    await addChannel(home, { name: 'steady', enablement: { order: 2 } });
    const gatehouse = await startGatehouse(home);
    await eventually(async () => expect((await show(gatehouse, 'steady')).state).toBe('active'));
    expect((await tell(gatehouse, aMessage('1'), 'steady')).status).toBe(202);
    await gatehouse.api('/plugins/steady/disable', { method: 'POST', body: { reason: 'pause' } });
    expect((await show(gatehouse, 'steady')).state).toBe('disabled');
    expect(await show(gatehouse, 'spinner')).toMatchObject({ state: 'starting', strikes: 0 });
    const began = performance.now();
    await gatehouse[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it('of one sandbox leaves the messages of its neighbour alone', async () => {
    await using home = await aHome();
    await addChannel(home, { name: 'fragile' });
    await addChannel(home, { name: 'steady' });
    using starts = hearing('sandbox.started', ({ instance }) => instance === 'fragile');
    await using gatehouse = await startGatehouse(home);
    for (let round = 1; round <= 12; round += 1) {
      process.kill(Number(starts.events[round - 1]?.pid), 'SIGKILL');
      const answers = await Promise.all([1, 2, 3].map((n) => tell(gatehouse, aMessage(`${round}-${n}`), 'steady')));
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
      await eventually(() => expect(starts.events).toHaveLength(round + 1));
    }
    expect(await show(gatehouse, 'steady')).toMatchObject({ state: 'active', restarts: 0 });
    expect(await show(gatehouse, 'fragile')).toMatchObject({ restarts: 12, strikes: 0 });
  });
});
