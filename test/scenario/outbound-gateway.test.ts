// What leaves the host, against a remote of somebody else's: its limits, its rates, its refusals, and its silences.
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../schemas/capability.ts';
import type { OutboundPolicy, Rooms } from '../../schemas/policy.ts';
import type { TextLimits } from '../../schemas/text-limits.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { startReceiver, type Answering, type Received, type Receiver } from '../support/receiver.ts';

interface Line {
  readonly outbound?: OutboundPolicy;
  readonly rooms?: Rooms;
  /** What its manifest declares. */
  readonly limits?: TextLimits;
  /** Body of the handler `lookup`; without one there is none. */
  readonly lookup?: string;
  readonly remoteId?: string;
}

/** A channel that posts `{ id, text }` to the receiver, under the idempotency key the host gave. */
function aLine({ origin }: Receiver, { outbound, rooms, limits, lookup, remoteId }: Line): TestPlugin {
  const capabilities: Grant[] = [{ name: 'http.fetch', origins: [{ config: '/url' }], methods: ['POST', 'GET'] }];
  return {
    name: 'line',
    kind: 'channel',
    source: `gatehouse.register({ kind: 'channel', handlers: {
      receive: async (request) => ({ messages: [JSON.parse(request.body)] }),
      send: async ({ id, text, conversation, part }, { config }) => ({ actions: [{ ${remoteId === undefined ? '' : `remoteId: '${remoteId}',`} request: { method: 'POST', url: config.url + '/' + conversation, headers: { 'idempotency-key': id }, body: JSON.stringify({ id, text, part }) } }] }),
      ${lookup === undefined ? '' : `lookup: async ({ id }, { config, http }) => { ${lookup} },`}
    } });`,
    manifest: {
      capabilities,
      config: { type: 'object', additionalProperties: false, properties: { url: { type: 'string' } } },
      channel: { abilities: ['receive', 'send', ...(lookup === undefined ? [] : (['lookup'] as const))], ...(limits && { limits }), ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] },
    },
    enablement: { config: { url: origin }, ...(outbound && { outbound }), ...(rooms && { rooms }) },
  };
}

/** Answers with as many sentences as it is asked for, or word for word. */
const SPEAKER: TestPlugin = {
  name: 'speaker',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: ({ message }) => {
    const count = Number(message.text);
    return { replies: [{ text: count > 0 ? Array.from({ length: count }, (_, n) => 'This is sentence number ' + (n + 1) + ' of a reply that is long.').join('\\n') : message.text }] };
  } } });`,
  manifest: { skill: {} },
};

async function aHomeWith(receiver: Receiver, line: Line = {}): Promise<TestHome> {
  return await aHome([aLine(receiver, line), SPEAKER], { egress: { allow: [receiver.exception] } });
}

let messages = 0;
async function say({ address }: Pick<Gatehouse, 'address'>, text: string, conversation = 'c', room?: object): Promise<void> {
  const response = await fetch(`${address}/channels/line/in`, { method: 'POST', body: JSON.stringify({ id: `m${++messages}`, conversation, sender: { id: 's' }, text, ...(room && { room }) }) });
  await response.text();
  expect(response.status).toBeLessThan(300);
}

const keys = ({ received }: Receiver) => received.map(({ headers }) => String(headers['idempotency-key']));
const textOf = ({ body }: Received) => (JSON.parse(body) as { text: string }).text;
const sentence = (number: number) => `This is sentence number ${number} of a reply that is long.`;

interface Shown {
  readonly id: string;
  readonly outcome: string;
  readonly remoteIds?: string[];
  readonly stages: { readonly stage: string; readonly decision: string; readonly reason?: string }[];
}

async function onlyReply(gatehouse: Gatehouse): Promise<Shown> {
  const { items } = (await gatehouse.api('/messages?direction=outbound')).json<{ items: { id: string }[] }>();
  expect(items).toHaveLength(1);
  return (await gatehouse.api(`/messages/${items[0]?.id}`)).json<Shown>();
}

const expectDelivered = (gatehouse: Gatehouse) =>
  eventually(async () => {
    const reply = await onlyReply(gatehouse);
    expect(reply.outcome).toBe('delivered');
    return reply;
  }, 120_000);

describe('a reply that is too long for its channel', () => {
  it('leaves in pieces: in order, each under a key of its own, each within the limit', async () => {
    await using receiver = await startReceiver((_, index) => ({ status: 200, body: JSON.stringify({ result: { message_id: 100 + index } }) }));
    await using home = await aHomeWith(receiver, { limits: { characters: 150 }, outbound: { chunk: { characters: 120 } }, remoteId: '/result/message_id' });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, '5');
    const { id, remoteIds, stages } = await expectDelivered(gatehouse);
    expect(receiver.received.map(textOf)).toEqual([`${sentence(1)}\n${sentence(2)}`, `${sentence(3)}\n${sentence(4)}`, sentence(5)]);
    expect(keys(receiver)).toEqual([`${id}/1`, `${id}/2`, `${id}/3`]);
    expect(receiver.received.map(({ body }) => (JSON.parse(body) as { part: object }).part)).toEqual([1, 2, 3].map((index) => ({ of: id, index, count: 3 })));
    expect(remoteIds).toEqual(['100', '101', '102']);
    expect(stages.filter(({ stage }) => stage === 'send')).toHaveLength(3);
    expect((await gatehouse.api(`/deliveries/${id}`)).json()).toMatchObject({ id, partition: 'line:c', state: 'delivered', remoteIds: ['100', '101', '102'] });
  });

  it('goes on behind the piece that was sent last, after a refusal and its replay', async () => {
    let isOpen = false;
    await using receiver = await startReceiver(({ body }) => ({ status: body.includes('number 3') && !isOpen ? 400 : 200 }));
    await using home = await aHomeWith(receiver, { limits: { characters: 64 } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, '4');
    const letter = await eventually(async () => {
      const { items } = (await gatehouse.api('/dead-letters')).json<{ items: { id: string; code: string; messageId: string }[] }>();
      expect(items).toMatchObject([{ code: 'DELIVERY_REFUSED' }]);
      return items[0];
    });
    isOpen = true;
    expect((await gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).status).toBe(202);
    await expectDelivered(gatehouse);
    expect(receiver.received.map(textOf)).toEqual([1, 2, 3, 3, 4].map(sentence));
  });

  it('loses no piece to kill -9, and repeats none but the one under way', async () => {
    let host: { readonly pid: number } | undefined;
    await using receiver = await startReceiver((_, index) => {
      if (index !== 3) return { status: 200 };
      if (host) process.kill(host.pid, 'SIGKILL'); // it was taken, and the host never learns of it
      return 'reset';
    });
    await using home = await aHomeWith(receiver, { limits: { characters: 64 } });
    {
      await using first = await startProcess(home.path);
      host = first;
      await say(first, '8');
      await first.exited;
    }
    await using _again = await startProcess(home.path);
    await eventually(() => expect(receiver.received).toHaveLength(9), 120_000);
    await eventually(async () => {
      const { items } = (await runCommand(['messages', '--json', '--home', home.path])).json<{ items: { direction: string; outcome: string }[] }>();
      expect(items.filter(({ direction }) => direction === 'outbound')).toMatchObject([{ outcome: 'delivered' }]);
    });
    expect(receiver.received.map(textOf)).toEqual([1, 2, 3, 4, 4, 5, 6, 7, 8].map(sentence));
    expect(keys(receiver)[3]).toBe(keys(receiver)[4]);
  });

  it('is cut as it was begun, whatever the limit is meanwhile', async () => {
    let isOpen = false;
    await using receiver = await startReceiver(({ body }) => (body.includes('number 2') && !isOpen ? { status: 503, headers: { 'retry-after': '1' } } : { status: 200 }));
    await using home = await aHomeWith(receiver, { outbound: { chunk: { characters: 64 } } });
    {
      await using gatehouse = await startGatehouse(home);
      await say(gatehouse, '3');
      await eventually(() => expect(receiver.received).toHaveLength(2));
    }
    isOpen = true;
    const { name, enablement } = aLine(receiver, { outbound: { chunk: { characters: 4000 } } });
    await home.write('manifests/plugins/line.json', { plugin: 'test.line', instance: name, source: 'plugins/test.line-1.0.0', grants: [{ name: 'http.fetch', origins: [{ config: '/url' }], methods: ['POST', 'GET'] }], ...enablement });
    await using gatehouse = await startGatehouse(home);
    await expectDelivered(gatehouse);
    expect(receiver.received.map(textOf)).toEqual([1, 2, 2, 3].map(sentence));
  });
});

describe('a remote that asks to be left alone', () => {
  /** Answers 429 once, to the first request, and counts who comes before the moment it named. */
  async function limited(retryAfter: (nowMs: number) => { value: string; untilMs: number }, outbound: OutboundPolicy = {}) {
    let untilMs = 0;
    const early: string[] = [];
    const answer: Answering = ({ target }, index) => {
      const now = Date.now();
      if (index === 0) {
        const named = retryAfter(now);
        untilMs = named.untilMs;
        return { status: 429, headers: { 'retry-after': named.value } };
      }
      if (now < untilMs) early.push(target);
      return { status: 200 };
    };
    const receiver = await startReceiver(answer);
    const home = await aHomeWith(receiver, { outbound });
    return { receiver, home, early };
  }

  it.each<[string, (nowMs: number) => { value: string; untilMs: number }]>([
    ['seconds', (now) => ({ value: '2', untilMs: now + 1990 })],
    ['a date', (now) => ({ value: new Date(Math.ceil(now / 1000) * 1000 + 2000).toUTCString(), untilMs: Math.ceil(now / 1000) * 1000 + 1990 })],
  ])('in %s hears nothing of the instance before then', async (_, retryAfter) => {
    const { receiver, home, early } = await limited(retryAfter);
    await using _receiver = receiver;
    await using _home = home;
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'a', 'one');
    await eventually(() => expect(receiver.received).toHaveLength(1));
    await eventually(async () => expect((await gatehouse.api('/deliveries')).json()).toMatchObject({ items: [{ class: 'rate-limited', attempts: 1, nextTryAt: expect.any(String) as string }] }));
    await say(gatehouse, 'b', 'two');
    await eventually(() => expect(receiver.received.map(({ target }) => target).toSorted()).toEqual(['/one', '/one', '/two']), 120_000);
    expect(early).toEqual([]);
  });

  it('is left alone over a restart too', async () => {
    const { receiver, home, early } = await limited((now) => ({ value: '4', untilMs: now + 3990 }));
    await using _receiver = receiver;
    await using _home = home;
    {
      await using gatehouse = await startGatehouse(home);
      await say(gatehouse, 'a', 'one');
      await eventually(async () => expect((await gatehouse.api('/deliveries')).json()).toMatchObject({ items: [{ class: 'rate-limited' }] }));
    }
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'b', 'two');
    await eventually(() => expect(receiver.received.map(({ target }) => target).toSorted()).toEqual(['/one', '/one', '/two']), 120_000);
    expect(early).toEqual([]);
  });

  it('for one conversation hears of the others, where its operator says so', async () => {
    const { receiver, home, early } = await limited((now) => ({ value: '3', untilMs: now + 2990 }), { pause: 'conversation' });
    await using _receiver = receiver;
    await using _home = home;
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'a', 'one');
    await eventually(() => expect(receiver.received).toHaveLength(1));
    await say(gatehouse, 'b', 'two');
    await eventually(() => expect(early).toEqual(['/two']));
    await eventually(() => expect(receiver.received.map(({ target }) => target)).toEqual(['/one', '/two', '/one']), 120_000);
    expect(early).toEqual(['/two']);
  });
});

describe('an operator’s rate', () => {
  it('spreads what an instance sends, whichever conversation it goes to', async () => {
    const at: number[] = [];
    await using receiver = await startReceiver(() => (at.push(performance.now()), { status: 200 }));
    await using home = await aHomeWith(receiver, { outbound: { perSecond: 5, burst: 2 } });
    await using gatehouse = await startGatehouse(home);
    await Promise.all(['one', 'two', 'three', 'four', 'five'].map((conversation) => say(gatehouse, 'hello', conversation)));
    await eventually(() => expect(at).toHaveLength(5));
    // Two at once, then one each fifth of a second; clocks and timers may be a little early.
    expect((at[4] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(450);
    expect((at[4] ?? 0) - (at[2] ?? 0)).toBeGreaterThan(250);
  });
});

describe('a send that is refused', () => {
  it('for good becomes a dead letter at once', async () => {
    await using receiver = await startReceiver(() => ({ status: 403 }));
    await using home = await aHomeWith(receiver);
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hello');
    await eventually(async () => expect((await gatehouse.api('/dead-letters')).json()).toMatchObject({ items: [{ code: 'DELIVERY_REFUSED', attempts: 1 }] }));
    expect(receiver.received).toHaveLength(1);
    const { id } = await onlyReply(gatehouse);
    expect((await gatehouse.api(`/deliveries/${id}`)).json()).toMatchObject({ state: 'dead-lettered', problem: 'the remote answered 403' });
  });

  it('by the remote is tried as often as its operator says', async () => {
    await using receiver = await startReceiver(() => ({ status: 500 }));
    await using home = await aHomeWith(receiver, { outbound: { retry: { attempts: 3, firstMs: 10, mostMs: 20 } } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hello');
    await eventually(async () => expect((await gatehouse.api('/dead-letters')).json()).toMatchObject({ items: [{ code: 'DELIVERY_FAILED', attempts: 3 }] }));
    expect(receiver.received).toHaveLength(3);
  });
});

describe('a send that may have been carried out', () => {
  const once: Answering = (request, index) => (request.method === 'GET' ? { status: 200, body: JSON.stringify({ found: true, id: 'r-1' }) } : index === 0 ? 'reset' : { status: 200 });
  const LOOKUP = `const { body } = await http.fetch(config.url + '/lookup?id=' + encodeURIComponent(id)); const { found, id: remoteId } = JSON.parse(body); return found ? { found, remoteId } : { found };`;
  const posts = ({ received }: Receiver) => received.filter(({ method }) => method === 'POST');

  it('is repeated under its key, and marked, by a channel that cannot look', async () => {
    await using receiver = await startReceiver(once);
    await using home = await aHomeWith(receiver, { outbound: { retry: { firstMs: 10 } } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hello');
    const { id, stages } = await expectDelivered(gatehouse);
    expect(keys(receiver)).toEqual([id, id]);
    expect(stages).toContainEqual(expect.objectContaining({ stage: 'send', decision: 'unknown' }));
  });

  it('is not repeated when the remote has it', async () => {
    await using receiver = await startReceiver(once);
    await using home = await aHomeWith(receiver, { outbound: { retry: { firstMs: 10 } }, lookup: LOOKUP });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hello');
    const { id, remoteIds, stages } = await expectDelivered(gatehouse);
    expect(posts(receiver)).toHaveLength(1);
    expect(receiver.received.filter(({ method }) => method === 'GET').map(({ target }) => target)).toEqual([`/lookup?id=${id}`]);
    expect(remoteIds).toEqual(['r-1']);
    expect(stages).toContainEqual(expect.objectContaining({ stage: 'lookup', decision: 'found' }));
  });

  it('is repeated when the remote does not have it', async () => {
    await using receiver = await startReceiver((request, index) => (request.method === 'GET' ? { status: 200, body: '{"found":false}' } : index === 0 ? 'reset' : { status: 200 }));
    await using home = await aHomeWith(receiver, { outbound: { retry: { firstMs: 10 } }, lookup: LOOKUP });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hello');
    await expectDelivered(gatehouse);
    expect(posts(receiver)).toHaveLength(2);
  });

  it('is not repeated while nobody can tell', async () => {
    let asked = 0;
    await using receiver = await startReceiver((request, index) => {
      if (request.method === 'GET') return ++asked < 3 ? { status: 200, body: 'try later' } : { status: 200, body: '{"found":true}' };
      return index === 0 ? 'reset' : { status: 200 };
    });
    await using home = await aHomeWith(receiver, { outbound: { retry: { firstMs: 10, mostMs: 20 } }, lookup: LOOKUP });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hello');
    await expectDelivered(gatehouse);
    expect([asked, posts(receiver).length]).toEqual([3, 1]);
  });

  it('by a host that is gone is looked up before it is repeated', async () => {
    let host: { readonly pid: number } | undefined;
    await using receiver = await startReceiver(({ method }) => {
      if (method === 'GET') return { status: 200, body: '{"found":true}' };
      if (host) process.kill(host.pid, 'SIGKILL');
      return 'reset';
    });
    await using home = await aHomeWith(receiver, { lookup: LOOKUP });
    {
      await using first = await startProcess(home.path);
      host = first;
      await say(first, 'hello');
      await first.exited;
    }
    await using gatehouse = await startGatehouse(home);
    await expectDelivered(gatehouse);
    expect(posts(receiver)).toHaveLength(1);
  });
});

describe('a policy that lets nothing leave', () => {
  const group = { kind: 'group' };

  it('refuses replies in such rooms, and in rooms that nobody knows', async () => {
    await using receiver = await startReceiver();
    await using home = await aHomeWith(receiver, { outbound: { send: { group: 'deny' } }, rooms: { open: { outbound: { send: 'allow' } } } });
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'a', 'g', group);
    await say(gatehouse, 'b', 'unknown');
    await say(gatehouse, 'c', 'open', group);
    await say(gatehouse, 'd', 'd', { kind: 'direct' });
    await eventually(() => expect(receiver.received.map(textOf).toSorted()).toEqual(['c', 'd']));
    await eventually(async () => {
      const { items } = (await gatehouse.api('/messages?direction=inbound')).json<{ items: { conversation: string; outcome: string }[] }>();
      expect(items.map(({ conversation, outcome }) => `${conversation} ${outcome}`).toSorted()).toEqual(['d answered', 'g unanswered', 'open answered', 'unknown unanswered']);
    });
    expect((await gatehouse.api('/messages?direction=outbound')).json<{ items: object[] }>().items).toHaveLength(2);
    expect((await gatehouse.api('/messages', { method: 'POST', body: { channel: 'line', to: 'g', text: 'hi' } })).json()).toMatchObject({ code: 'SEND_DENIED' });
    expect(receiver.received).toHaveLength(2);
    expect((await gatehouse.api('/messages', { method: 'POST', body: { channel: 'line', to: 'never heard of', text: 'hi' } })).json()).toMatchObject({ code: 'SEND_DENIED' });
    expect((await gatehouse.api('/messages', { method: 'POST', body: { channel: 'line', to: 'd', text: 'to you alone' } })).json()).toMatchObject({ outcome: 'delivered' });
    expect(receiver.received).toHaveLength(3);
  });
});
