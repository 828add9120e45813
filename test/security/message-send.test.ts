// Plugins that use message.send against the host, its people and each other, run in the real host beside an innocent neighbour.
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { CapabilityOf, Grant } from '../../schemas/capability.ts';
import type { MessageView } from '../../schemas/control.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { addNeighbours, besideNeighbour } from '../support/neighbour.ts';

/** A channel that hands over what is posted; `send` is the body of its handler. */
const channel = (name: string, send = '', capabilities: readonly Grant[] = []): TestPlugin => ({
  name,
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async (delivery, ctx) => { ${send} return { actions: [] }; } } });`,
  manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] }, capabilities: [...capabilities] },
});

/** Answers what is posted with the JSON that `body` returns. */
const skill = (name: string, body: string, capabilities: readonly Grant[]): TestPlugin => ({
  name,
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { if (message.instance === 'webchat') return null; const code = (call) => call.then(() => 'sent', (error) => error.code); return { replies: [{ text: JSON.stringify(await (async () => { ${body} })()) }] }; } } });`,
  manifest: { skill: {}, capabilities: [...capabilities] },
});

const grant = (...instances: string[]): CapabilityOf<'message.send'> => ({ name: 'message.send', instances });

async function arena(...plugins: readonly TestPlugin[]) {
  const home = await aHome([channel('door'), ...plugins]);
  await addNeighbours(home);
  const gatehouse = await startGatehouse(home);
  const denied: Events['capability.denied'][] = [];
  const stop = subscribe('capability.denied', (event) => denied.push(event));
  return {
    gatehouse,
    denied,
    async [Symbol.asyncDispose]() {
      stop();
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

async function outbound(gatehouse: Gatehouse, instance: string): Promise<readonly MessageView[]> {
  return (await gatehouse.api(`/messages?instance=${instance}&direction=outbound&limit=200`)).json<{ items: MessageView[] }>().items;
}

async function ask(gatehouse: Gatehouse, id: string): Promise<unknown> {
  const posted = await gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id, conversation: id, sender: { id: 'attacker' }, text: 'go' }) });
  expect(posted.status).toBe(202);
  return await eventually(async () => {
    const reply = (await outbound(gatehouse, 'door')).find((each) => each.inReplyTo === id);
    expect(reply).toBeDefined();
    return JSON.parse(reply?.text ?? 'null') as unknown;
  }, 120_000);
}

describe('a plugin that may send', () => {
  it('80 confused-deputy: reaches the instances of its grant and no others, whoever asks it to and through whomever', async () => {
    const deputy: TestPlugin = { name: 'deputy', kind: 'tool', source: `gatehouse.register({ kind: 'tool', handlers: { call: async ({ arguments: to }, ctx) => ctx.message.send(to).then(() => 'sent', (error) => error.code) } });`, manifest: { capabilities: [grant('safe')] } };
    await using stage = await arena(
      channel('safe'),
      channel('vault'),
      deputy,
      skill('thief', `const to = (instance) => ({ instance, conversation: 'c', text: 'x' }); return [await code(ctx.message.send(to('vault'))), await code(ctx.message.send(to('safe'))), await ctx.tool.call('test.deputy/run', to('vault')), await ctx.tool.call('test.deputy/run', to('safe'))];`, [grant('door'), { name: 'tool.call', tools: ['test.deputy/run'] }]),
    );
    await besideNeighbour(stage.gatehouse, async () => {
      // The tool's own grant reaches the safe, and what arrives there says that the tool sent it.
      expect(await ask(stage.gatehouse, 'q')).toEqual(['CAPABILITY_DENIED', 'CAPABILITY_DENIED', 'CAPABILITY_DENIED', 'sent']);
      await eventually(async () => expect((await outbound(stage.gatehouse, 'safe')).map(({ sender }) => sender)).toEqual([{ id: 'plugin:deputy' }]));
      expect(await outbound(stage.gatehouse, 'vault')).toEqual([]);
    });
    expect(stage.denied.map(({ instance, capability, code }) => `${instance} ${capability} ${code}`)).toEqual(['thief message.send CAPABILITY_DENIED', 'thief message.send CAPABILITY_DENIED', 'deputy message.send CAPABILITY_DENIED']);
  });

  it('87 send-impersonate: cannot say who sent it, to whom it answers, when, or how far it has come', async () => {
    const forged = { sender: `{ id: 'operator' }`, id: `'1'`, messageId: `'1'`, from: `'webchat'`, hops: '0', inReplyTo: `'q'`, answers: `'q'`, at: `'2020-01-01T00:00:00.000Z'`, flags: `['checked']`, direction: `'inbound'`, stages: '[]', __proto__: `{ sender: { id: 'operator' } }` };
    const tries = Object.entries(forged).map(([key, value]) => `['${key}', await code(ctx.message.send(JSON.parse(JSON.stringify({ instance: 'door', conversation: 'victim', text: '${key}' }).slice(0, -1) + ',"${key}":' + JSON.stringify(${value}) + '}')))]`);
    await using stage = await arena(skill('liar', `await ctx.message.send({ instance: 'door', conversation: 'victim', text: 'I am the operator' }); return [${tries.join(', ')}];`, [grant('door')]));
    await besideNeighbour(stage.gatehouse, async () => {
      const answer = (await ask(stage.gatehouse, 'q')) as [string, string][];
      expect(answer.filter(([, code]) => code !== 'CAPABILITY_ARGUMENT').map(([key]) => key)).toEqual([]);
      const sent = await eventually(async () => {
        const rows = (await outbound(stage.gatehouse, 'door')).filter(({ conversation }) => conversation === 'victim');
        expect(rows).toHaveLength(1);
        return rows[0];
      });
      expect(sent).toMatchObject({ text: 'I am the operator', sender: { id: 'plugin:liar' }, hops: 1 });
      expect(sent).not.toHaveProperty('inReplyTo');
    });
  });

  it('attack g100 send-flood: is held to sixteen sends in a call and to the quota of its grant', async () => {
    const flood = (name: string, times: number, quota?: { perMinute: number }) => skill(name, `const told = {}; for (let n = 0; n < ${times}; n++) { const c = await code(ctx.message.send({ instance: 'sink', conversation: 'c', text: 'x'.repeat(60000) })); told[c] = (told[c] ?? 0) + 1; } return told;`, [{ ...grant('sink'), ...(quota && { quota }) }]);
    await using stage = await arena(channel('sink'), flood('flooder', 50, { perMinute: 20 }));
    await besideNeighbour(stage.gatehouse, async () => {
      // A call that a busy machine cut short has used up some of the minute's quota when it is made again.
      const first = (await ask(stage.gatehouse, 'one')) as Record<string, number>;
      expect(first['sent']).toBeLessThanOrEqual(BOUNDS.sendsPerCall);
      expect(first).toEqual({ sent: first['sent'], QUOTA_EXCEEDED: 50 - Number(first['sent']) });
      const again = (await ask(stage.gatehouse, 'two')) as Record<string, number>;
      expect(again['sent'] ?? 0).toBeLessThan(5);
      expect((await outbound(stage.gatehouse, 'sink')).length).toBeLessThanOrEqual(20 + 5);
    });
  });

  it('attack g101 send-ring: two channels whose sends answer each other stop after four, and a host that is asked again and again is still there', async () => {
    const relay = (name: string, other: string) => channel(name, `await ctx.message.send({ instance: '${other}', conversation: delivery.conversation, text: delivery.text + '!' }).catch((error) => ctx.log.warn(error.code));`, [grant(other)]);
    await using stage = await arena(relay('ping', 'pong'), relay('pong', 'ping'), skill('starter', `return await code(ctx.message.send({ instance: 'ping', conversation: message.id, text: 'go' }));`, [grant('ping')]));
    await besideNeighbour(stage.gatehouse, async () => {
      for (let n = 0; n < 5; n += 1) expect(await ask(stage.gatehouse, `q${n}`)).toBe('sent');
      await eventually(() => expect(stage.denied.filter(({ code }) => code === 'MESSAGE_HOPS')).toHaveLength(5), 120_000);
      await eventually(async () => expect((await stage.gatehouse.host.status()).deliveries).toEqual({ waiting: 0, running: 0 }));
      const all = [...(await outbound(stage.gatehouse, 'ping')), ...(await outbound(stage.gatehouse, 'pong'))];
      expect(all).toHaveLength(5 * BOUNDS.messageHops);
      expect(Math.max(...all.map(({ hops = 0 }) => hops))).toBe(BOUNDS.messageHops);
    });
  });

  it('attack g102 send-fan: sixteen answers to each message that is judged do not become sixteen to the fourth', async () => {
    const spreader: TestPlugin = {
      name: 'spreader',
      kind: 'moderation',
      source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }, ctx) => { if (message.instance === 'webchat') return { effect: 'pass' }; for (let n = 0; n < 20; n++) await ctx.message.send({ instance: 'sink', conversation: 'c' + n, text: message.text + n }).catch(() => undefined); return { effect: 'pass' }; } } });`,
      manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['outbound'] }, capabilities: [grant('sink')] },
    };
    await using stage = await arena(channel('sink'), spreader, { ...spreader, name: 'second' }, skill('starter', `return 'x';`, []));
    await besideNeighbour(stage.gatehouse, async () => {
      expect(await ask(stage.gatehouse, 'q')).toBe('x');
      await eventually(async () => expect((await stage.gatehouse.host.status()).deliveries).toEqual({ waiting: 0, running: 0 }));
      // One reply, judged by two gates: sixteen sends of each, with everything within them.
      expect(await outbound(stage.gatehouse, 'sink')).not.toEqual([]);
      expect((await outbound(stage.gatehouse, 'sink')).length).toBeLessThanOrEqual(2 * BOUNDS.sendsPerCall);
    });
  });

  it('attack g103 send-and-fail: cannot leave anything behind by failing after it has sent', async () => {
    await using stage = await arena(channel('sink'), skill('bomb', `for (let n = 0; n < 16; n++) await ctx.message.send({ instance: 'sink', conversation: 'c', text: 'residue' }); throw new Error('boom');`, [{ ...grant('sink'), quota: { perMinute: 1000 } }]));
    await besideNeighbour(stage.gatehouse, async () => {
      await stage.gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: 'q', conversation: 'c', sender: { id: 's' }, text: 'go' }) });
      await eventually(async () => expect((await stage.gatehouse.api('/dead-letters')).json<{ items: unknown[] }>().items).toHaveLength(1), 120_000);
      expect(await outbound(stage.gatehouse, 'sink')).toEqual([]);
    });
  });

  it('attack g104 send-late: what it sends when its handler has returned goes nowhere', async () => {
    const late: TestPlugin = { name: 'late', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { if (message.instance === 'webchat') return null; void (async () => { for (;;) await ctx.message.send({ instance: 'sink', conversation: 'c', text: 'late' }); })().catch(() => undefined); return { replies: [{ text: '"gone"' }] }; } } });`, manifest: { skill: {}, capabilities: [grant('sink')] } };
    await using stage = await arena(channel('sink'), late);
    await besideNeighbour(stage.gatehouse, async () => {
      expect(await ask(stage.gatehouse, 'q')).toBe('gone');
      // Asked before it returned, the first may be part of the call; the rest is over.
      await eventually(async () => expect((await stage.gatehouse.host.status()).deliveries).toEqual({ waiting: 0, running: 0 }));
      expect((await outbound(stage.gatehouse, 'sink')).length).toBeLessThanOrEqual(1);
    });
  });
});
