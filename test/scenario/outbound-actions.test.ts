// What a channel of somebody else's has the host do: requests in a row, after a message, under grants and secrets, over crashes and bounds.
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../schemas/capability.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { startReceiver, type Received, type Receiver } from '../support/receiver.ts';

const VALUE = 'a token nobody may see';

/** A channel to `url` in its config; `send` is the body of its handler. */
function aChannel({ exception, origin }: Receiver, { name = 'pager', send = `return { actions: [] }`, receive = `return { messages: [JSON.parse(request.body)] }` }: { readonly name?: string; readonly send?: string; readonly receive?: string } = {}): TestPlugin {
  expect(exception.host).toBe('127.0.0.1');
  const capabilities: Grant[] = [
    { name: 'http.fetch', origins: [{ config: '/url' }], methods: ['POST'] },
    { name: 'secret.use', handle: 'token', audience: { config: '/url' }, inject: { header: 'authorization', prefix: 'Bearer ' } },
  ];
  return {
    name,
    kind: 'channel',
    source: `
      const post = (url, body, more) => ({ request: { method: 'POST', url, body, ...more } });
      gatehouse.register({ kind: 'channel', handlers: {
        receive: async (request, ctx) => { const { url } = ctx.config; ${receive} },
        send: async (delivery, ctx) => { const { url } = ctx.config; ${send} },
      } });`,
    manifest: {
      capabilities,
      config: { type: 'object', additionalProperties: false, properties: { url: { type: 'string' } } },
      channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] },
    },
    enablement: { config: { url: origin }, secrets: { token: { file: 'token' } } },
  };
}

const ECHO: TestPlugin = { name: 'echo', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: ({ message }) => ({ replies: [{ text: message.text }] }) } });`, manifest: { skill: {} } };

async function homeOf(receivers: readonly Receiver[], plugins: readonly TestPlugin[]): Promise<TestHome> {
  const home = await aHome([...plugins, ECHO], { egress: { allow: receivers.map(({ exception }) => exception) } });
  await home.write('token', VALUE);
  return home;
}

const say = async (gatehouse: Pick<Gatehouse, 'address'>, text: string, { conversation = 'c', channel = 'pager' } = {}) => {
  const response = await fetch(`${gatehouse.address}/channels/${channel}/in`, { method: 'POST', body: JSON.stringify({ id: `${conversation} ${text}`, conversation, sender: { id: 's' }, text }) });
  await response.text();
  expect(response.status).toBeLessThan(300);
};
const seen = (receiver: Receiver) => receiver.received.map(({ target, body }: Received) => `${target} ${body}`);

describe('the requests of one send', () => {
  const THREE = `return { actions: ['a', 'b', 'b', 'c'].map((step) => post(url + '/' + step, delivery.text)) };`;

  it('are done in order, each once, however often the one after them is tried', async () => {
    await using receiver = await startReceiver(({ target }) => ({ status: target === '/c' && receiver.received.length < 6 ? 503 : 200 }));
    await using home = await homeOf([receiver], [aChannel(receiver, { send: THREE })]);
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, '1');
    await eventually(() => expect(seen(receiver)).toEqual(['/a 1', '/b 1', '/b 1', '/c 1', '/c 1', '/c 1']), 120_000);
  });

  it('that were done before a restart or a replay are not done again', async () => {
    let isTaken = false;
    await using receiver = await startReceiver(({ target }) => ({ status: target !== '/c' || isTaken ? 200 : receiver.received.length === 4 ? 503 : 400, ...(target === '/c' ? { headers: { 'retry-after': '2' } } : {}) }));
    await using home = await homeOf([receiver], [aChannel(receiver, { send: THREE })]);
    {
      await using gatehouse = await startGatehouse(home);
      await say(gatehouse, '1');
      await eventually(() => expect(receiver.received).toHaveLength(4));
    }
    await using gatehouse = await startGatehouse(home);
    const [letter] = await eventually(async () => {
      const { items } = (await gatehouse.api('/dead-letters')).json<{ items: { id: string; code: string }[] }>();
      expect(items).toMatchObject([{ code: 'DELIVERY_REFUSED' }]);
      return items;
    }, 120_000);
    isTaken = true;
    await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' });
    await eventually(() => expect(seen(receiver)).toEqual(['/a 1', '/b 1', '/b 1', '/c 1', '/c 1', '/c 1']));
  });

  it('carry the secrets they name, which the plugin never sees, and are refused others', async () => {
    await using receiver = await startReceiver();
    const send = `return { actions: [post(url + '/in', JSON.stringify({ keys: Object.keys(ctx), config: ctx.config }), { secrets: [delivery.text] })] };`;
    await using home = await homeOf([receiver], [aChannel(receiver, { send })]);
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'token');
    await eventually(() => expect(receiver.received).toHaveLength(1));
    expect(receiver.received[0]?.headers['authorization']).toBe(`Bearer ${VALUE}`);
    expect(receiver.received[0]?.body).not.toContain(VALUE);
    await say(gatehouse, 'other');
    await eventually(async () => expect((await gatehouse.api('/dead-letters')).json()).toMatchObject({ items: [{ code: 'CAPABILITY_DENIED', reason: expect.stringContaining("secret.use for 'other'") }] }));
    expect(receiver.received).toHaveLength(1);
  });

  it('that never reached anybody are tried again, and not called unknown', async () => {
    const receiver = await startReceiver();
    await using home = await homeOf([receiver], [aChannel(receiver, { send: `return { actions: [post(url, delivery.text)] };` })]);
    await receiver[Symbol.asyncDispose]();
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, '1');
    await eventually(async () => {
      const { items } = (await gatehouse.api('/messages?direction=outbound')).json<{ items: { id: string }[] }>();
      const { stages } = (await gatehouse.api(`/messages/${items[0]?.id}`)).json<{ stages: { stage: string; decision: string; reason?: string }[] }>();
      expect(stages.filter(({ stage }) => stage === 'deliver' || stage === 'send').slice(0, 2)).toMatchObject([{ stage: 'deliver', decision: 'retry', reason: 'DELIVERY_FAILED' }, { stage: 'deliver', decision: 'retry' }]);
    });
  });

  it('of an instance whose remote hangs leave room for the deliveries of others', async () => {
    await using slow = await startReceiver(() => 'hang');
    await using quick = await startReceiver();
    const send = `return { actions: [post(url, delivery.text)] };`;
    await using home = await homeOf([slow, quick], [aChannel(slow, { name: 'slow', send }), aChannel(quick, { name: 'quick', send })]);
    await using gatehouse = await startGatehouse(home);
    await Promise.all(Array.from({ length: 300 }, (_, n) => say(gatehouse, 'x', { channel: 'slow', conversation: `c${n}` })));
    await eventually(() => expect(slow.received.length).toBeGreaterThan(0));
    await say(gatehouse, 'hello', { channel: 'quick' });
    await eventually(() => expect(quick.received.map(({ body }) => body)).toEqual(['hello']), 120_000);
    await slow[Symbol.asyncDispose]();
  });
});

describe('a request of receive', () => {
  it('is sent after its message is accepted, once, whatever becomes of it', async () => {
    await using receiver = await startReceiver(() => ({ status: 503 }));
    const receive = `const message = JSON.parse(request.body); return { messages: [message], actions: [post(url + '/seen', message.text, { secrets: ['token'] })] };`;
    await using home = await homeOf([receiver], [aChannel(receiver, { receive })]);
    await using gatehouse = await startGatehouse(home);
    for (const text of ['1', '2', '3']) await say(gatehouse, text);
    await eventually(() => expect(seen(receiver)).toEqual(['/seen 1', '/seen 2', '/seen 3']));
    await gatehouse.host.stop('test', 5000);
    expect(receiver.received).toHaveLength(3);
    expect(receiver.received[0]?.headers['authorization']).toBe(`Bearer ${VALUE}`);
  });
});

describe('a host that dies while a reply is under way', () => {
  it('sends it again after its restart, with the same idempotency key and the same bytes', async () => {
    let host: { readonly pid: number } | undefined;
    await using receiver = await startReceiver((_, index) => {
      if (index > 0) return { status: 200 };
      if (host) process.kill(host.pid, 'SIGKILL'); // it was taken, and the host never learns of it
      return 'reset';
    });
    const send = `return { actions: [post(url, JSON.stringify({ id: delivery.id, text: delivery.text, at: delivery.at }), { headers: { 'idempotency-key': delivery.id } })] };`;
    await using home = await homeOf([receiver], [aChannel(receiver, { send })]);
    {
      await using first = await startProcess(home.path);
      host = first;
      await say(first, 'hello');
      await first.exited;
    }
    await using again = await startProcess(home.path);
    await eventually(() => expect(receiver.received).toHaveLength(2), 120_000);
    const [before, after] = receiver.received;
    expect([after?.body, after?.headers['idempotency-key']]).toEqual([before?.body, before?.headers['idempotency-key']]);
    await eventually(async () => {
      const { items } = (await runCommand(['messages', '--json', '--home', home.path])).json<{ items: { direction: string; outcome: string }[] }>();
      expect(items.filter(({ direction }) => direction === 'outbound')).toMatchObject([{ outcome: 'delivered' }]);
    });
    expect(again.pid).not.toBe(host.pid);
    expect(receiver.received).toHaveLength(2);
  });
});
