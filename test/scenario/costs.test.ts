// Costs and budgets over a whole host: what a message cost whom, tools and kv included; what a budget refuses, and that raising it and a replay mend that; history by plugin, tool and channel.
import { describe, expect, it } from 'vitest';
import type { Budgets, CostView, StatView } from '../../schemas/costs.ts';
import type { DeadLetterView, MessageDetail, MessageView } from '../../schemas/control.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { startReceiver } from '../support/receiver.ts';
import { fetcher, startArena } from '../support/fetcher.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

/** Counts in kv, asks a tool twice, and spends a little CPU. */
const ASKER: TestPlugin = {
  name: 'asker',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
    await ctx.kv.set('last', message.text);
    const one = await ctx.tool.call('test.adder/add', { n: 1 });
    const two = await ctx.tool.call('test.adder/add', { n: one });
    let spent = 0; for (let i = 0; i < 200000; i += 1) spent += i % 7;
    return { replies: [{ text: 'made ' + two + (spent > 0 ? '' : '!') }] };
  } } });`,
  manifest: { skill: {}, capabilities: [{ name: 'kv', quotaBytes: 10_000, reason: 'counts' }, { name: 'tool.call', tools: ['test.adder/add'], reason: 'adds' }] },
};

const ADDER: TestPlugin = {
  name: 'adder',
  kind: 'tool',
  source: `gatehouse.register({ kind: 'tool', handlers: { call: async ({ arguments: { n } }) => n + 1 } });`,
  manifest: { tools: [{ name: 'add', description: 'adds one', inputSchema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false }, outputSchema: { type: 'integer' }, effects: 'read', idempotent: true }] },
};

async function anAskingHome(budgets?: Budgets): Promise<TestHome> {
  const home = await aHome([{ ...ASKER, enablement: { ...(budgets && { budgets }) } }, ADDER]);
  await addWebhook(home);
  return home;
}

async function say(gatehouse: Gatehouse, id: string): Promise<string> {
  const { status, body } = await webhookClient(gatehouse.address, WEBHOOK_SECRET).raw(JSON.stringify({ id, conversation: 'c', sender: { id: 'ada' }, text: `hello ${id}` }));
  expect([status, body['code']]).toEqual([202, undefined]);
  return String(body['messageId']);
}

const get = async <T>(gatehouse: Gatehouse, path: string) => (await gatehouse.api(path)).json<T>();
const settled = (gatehouse: Gatehouse, id: string, outcome: string) => eventually(async () => {
  const message = await get<MessageDetail>(gatehouse, `/messages/${id}`);
  expect(message.outcome).toBe(outcome);
  return message;
});
const answered = async (gatehouse: Gatehouse, id: string) => settled(gatehouse, await say(gatehouse, id), 'answered');

describe('costs', () => {
  it('of a message name every plugin that worked on it, its tools and what they asked of the host', async () => {
    await using home = await anAskingHome();
    await using gatehouse = await startGatehouse(home);
    const message = await answered(gatehouse, 'w1');
    const { costs } = message;
    expect(costs.find(({ instance }) => instance === 'asker')).toMatchObject({ calls: 1, hostCalls: 3, kvBytes: '"hello w1"'.length + 'last'.length, egressBytes: 0 });
    expect(costs.find(({ instance }) => instance === 'adder')).toMatchObject({ calls: 2, hostCalls: 0 });
    expect(costs.find(({ instance }) => instance === 'webhook')?.calls).toBeGreaterThanOrEqual(2);
    expect(message.stages?.find(({ stage }) => stage === 'tool')).toMatchObject({ instance: 'adder', decision: 'called', calls: 2 });
    const asker = await get<CostView>(gatehouse, '/costs/asker');
    expect(asker).toMatchObject({ state: 'unbounded', spent: { calls: 1, failed: 0, hostCalls: 3 }, kvHeldBytes: 14 });
    expect(asker.spent.cpuMs).toBe(costs.find(({ instance }) => instance === 'asker')?.cpuMs);
  });

  it('survive a restart, and make the history of plugins, tools and channels', async () => {
    await using home = await anAskingHome();
    {
      await using gatehouse = await startGatehouse(home);
      await answered(gatehouse, 'w1');
    }
    await using again = await startGatehouse(home);
    await answered(again, 'w2');
    await eventually(async () => {
      const { items } = await get<{ items: StatView[] }>(again, '/stats?grain=day');
      const of = (by: string, name: string) => items.filter((each) => each.by === by && each.name === name).reduce((sum, { ok }) => sum + ok, 0);
      expect([of('plugin', 'asker'), of('tool', 'test.adder/add'), of('channel', 'webhook')]).toEqual([2, 4, 4]);
    });
    expect((await again.api('/stats?grain=week')).json()).toMatchObject({ code: 'REQUEST_INVALID' });
    expect((await again.api('/costs/nobody')).json()).toMatchObject({ code: 'PLUGIN_NOT_FOUND' });
  });
});

describe('budgets', () => {
  it('of a day turn a message into a dead letter; raised while the host runs, a replay is answered', async () => {
    await using home = await anAskingHome({ perDay: { calls: 1 } });
    await using gatehouse = await startGatehouse(home);
    await answered(gatehouse, 'w1');
    expect(await get<CostView>(gatehouse, '/costs/asker')).toMatchObject({ state: 'exceeded', used: { calls: 1 } });
    const late = await say(gatehouse, 'w2');
    expect(await settled(gatehouse, late, 'dead-lettered')).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    const [letter] = (await get<{ items: DeadLetterView[] }>(gatehouse, '/dead-letters')).items;
    expect(letter).toMatchObject({ messageId: late, code: 'BUDGET_EXCEEDED' });

    await home.add({ ...ASKER, enablement: { budgets: { perDay: { calls: 100 } } } });
    expect((await gatehouse.api('/reload', { method: 'POST' })).json()).toMatchObject({ changes: [{ instance: 'asker' }] });
    expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).status).toBe(202);
    await settled(gatehouse, late, 'answered');
    expect(await get<CostView>(gatehouse, '/costs/asker')).toMatchObject({ state: 'within', spent: { calls: 2 } });
  });

  it('refuse code its host calls in the middle of a message, and leave the next message its own', async () => {
    await using home = await anAskingHome({ perMessage: { hostCalls: 2 } });
    await using gatehouse = await startGatehouse(home);
    const message = await settled(gatehouse, await say(gatehouse, 'w1'), 'dead-lettered');
    const [letter] = (await get<{ items: (DeadLetterView & { message?: MessageView })[] }>(gatehouse, '/dead-letters')).items;
    expect(JSON.stringify(letter)).toContain("'asker' may spend 2 host calls for a message and has spent 2");
    expect(message.stages?.some(({ instance, decision }) => instance === 'asker' && decision === 'failed')).toBe(true);
    expect(await get<CostView>(gatehouse, '/costs/asker')).toMatchObject({ spent: { hostCalls: 2 } });
    await settled(gatehouse, await say(gatehouse, 'w2'), 'dead-lettered');
    expect(await get<CostView>(gatehouse, '/costs/asker')).toMatchObject({ spent: { hostCalls: 4 } });
  });

  it('of a gate fail closed: nothing passes unjudged because judging became too dear', async () => {
    await using home = await anAskingHome();
    await home.add({ name: 'judge', kind: 'moderation', source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: () => ({ effect: 'pass' }) } });`, manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } }, enablement: { budgets: { perDay: { calls: 1 } } } });
    await using gatehouse = await startGatehouse(home);
    await answered(gatehouse, 'w1');
    const { status, body } = await webhookClient(gatehouse.address, WEBHOOK_SECRET).raw(JSON.stringify({ id: 'w2', conversation: 'c', sender: { id: 'ada' }, text: 'unjudged?' }));
    expect([status, body['code']]).toEqual([503, 'GATE_UNAVAILABLE']);
    expect(await get<CostView>(gatehouse, '/costs/asker')).toMatchObject({ spent: { calls: 1 } });
  });

  it('of egress hold over requests side by side: forty at once get no more than one after the other', async () => {
    await using remote = await startReceiver(() => ({ status: 200, body: 'x'.repeat(50_000) }));
    await using arena = await startArena([fetcher('greedy', { origins: [remote.origin], enablement: { budgets: { perDay: { egressBytes: 100_000 } } } })], [remote.exception]);
    const seen = await arena.fetchAll('greedy', Array.from({ length: 40 }, () => `${remote.origin}/file`));
    expect(seen.filter(({ code }) => code === 'BUDGET_EXCEEDED').length).toBeGreaterThan(35);
    const { spent } = await get<CostView>(arena.gatehouse, '/costs/greedy');
    // What was on its way when it was spent: one piece of each of the four that run at once.
    expect(spent.egressBytes).toBeLessThan(100_000 + 4 * 66_000);
    expect(remote.received.length).toBeLessThan(8);
  });

  it('and costs count tries that failed, and no word twice that was said once', async () => {
    await using home = await aHome([{ name: 'bad', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: () => { let n = 0; for (let i = 0; i < 300000; i += 1) n += i % 7; throw Object.assign(new Error('no ' + n), { retry: false }); } } });`, manifest: { skill: {} } }]);
    await addWebhook(home);
    await using gatehouse = await startGatehouse(home);
    const message = await settled(gatehouse, await say(gatehouse, 'w1'), 'dead-lettered');
    expect(message.costs.find(({ instance }) => instance === 'bad')?.cpuMs).toBeGreaterThan(0);
    await webhookClient(gatehouse.address, WEBHOOK_SECRET).raw(JSON.stringify({ id: 'w1', conversation: 'c', sender: { id: 'ada' }, text: 'hello w1' }));
    const { items } = await get<{ items: StatView[] }>(gatehouse, '/stats?by=channel&grain=day');
    expect(items).toMatchObject([{ name: 'webhook', failed: 1 }]);
  });
});
