import { anHttpRequest, runPlugin, type TestOptions } from '@gatehouse/plugin-sdk/testing';
import type { ConversationItem } from '@gatehouse/plugin-sdk';
import { describe, expect, it } from 'vitest';
import plugin from '../src/plugin.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const VALID = { id: 'm1', conversation: 'c1', sender: { id: 'ada', name: 'Ada' }, text: 'hello' };

type Options = Parameters<typeof runPlugin<{ replyUrl?: string; requireTimestamp?: boolean }>>[1];
const post = async (body: string | object, config: NonNullable<Options>['config'] = {}) => await runPlugin(plugin, { now: NOW, config }).receive(anHttpRequest({ path: '/messages', body }));

describe('POST /messages', () => {
  it('hands in the message, and leaves the answer to the host', async () => {
    expect(await post(VALID)).toEqual({ messages: [VALID] });
    expect(await post({ ...VALID, sender: { id: 'ada' }, timestamp: '2026-11-21T09:00:00+02:00' })).toEqual({ messages: [{ ...VALID, sender: { id: 'ada' }, at: '2026-11-21T07:00:00.000Z' }] });
  });

  it('says where it was said, as far as the sender tells', async () => {
    const place = { room: { kind: 'group', name: 'Team' }, thread: 't1', account: 'a1' };
    expect(await post({ ...VALID, ...place })).toEqual({ messages: [{ ...VALID, ...place }] });
    const spoken = { mentions: ['U42', 'ada'], replyTo: 'm0' };
    expect(await post({ ...VALID, ...spoken })).toEqual({ messages: [{ ...VALID, ...spoken }] });
    expect(await post({ ...VALID, room: { kind: 'direct' } })).toEqual({ messages: [{ ...VALID, room: { kind: 'direct' } }] });
  });

  const without = (key: keyof typeof VALID) => Object.fromEntries(Object.entries(VALID).filter(([name]) => name !== key));

  it.each<[reason: string, body: string | object]>([
    ['the body is not valid JSON', '{'],
    ['the body is not valid JSON', ''],
    ['the body must be an object', '[]'],
    ['the body must be an object', 'null'],
    ["'id' is missing", without('id')],
    ["'conversation' is missing", without('conversation')],
    ["'sender' is missing", without('sender')],
    ["'text' is missing", without('text')],
    ["'id' must be text", { ...VALID, id: 7 }],
    ["'id' is empty", { ...VALID, id: '' }],
    ["'id' has more than 256 characters", { ...VALID, id: 'x'.repeat(257) }],
    ["'conversation' has control characters", { ...VALID, conversation: 'c\u0000' }],
    ["'sender' must be an object", { ...VALID, sender: 'ada' }],
    ["'sender.id' is missing", { ...VALID, sender: {} }],
    ["'sender.name' must be text", { ...VALID, sender: { id: 'ada', name: null } }],
    ["'sender' has an unknown key 'role'; known are id, name", { ...VALID, sender: { id: 'ada', role: 'admin' } }],
    ["the body has an unknown key 'txet'; known are id, conversation, sender, text, timestamp, room, thread, account, mentions, replyTo", { ...VALID, txet: 'x' }],
    ["the body has an unknown key '__proto__'; known are id, conversation, sender, text, timestamp, room, thread, account, mentions, replyTo", '{"__proto__": {"id": "x"}}'],
    ["'text' is empty", { ...VALID, text: ' \n' }],
    ["'text' has half a character (a lone surrogate)", { ...VALID, text: 'a\ud800' }],
    ["'timestamp' must be a time like 2026-11-21T08:00:00.000Z (RFC 3339)", { ...VALID, timestamp: NOW }],
    ["'timestamp' must be a time like 2026-11-21T08:00:00.000Z (RFC 3339)", { ...VALID, timestamp: '21 Nov 2026' }],
    ["'timestamp' must be a time like 2026-11-21T08:00:00.000Z (RFC 3339)", { ...VALID, timestamp: '2026-13-41T08:00:00Z' }],
    ["'mentions' must be a list", { ...VALID, mentions: 'ada' }],
    ["'mentions' has more than 100 entries", { ...VALID, mentions: Array.from({ length: 101 }, () => 'ada') }],
    ["'mentions' must be text", { ...VALID, mentions: [1] }],
    ["'replyTo' is empty", { ...VALID, replyTo: '' }],
    ["'room' must be an object", { ...VALID, room: 'group' }],
    ["'room.kind' must be direct, group or channel", { ...VALID, room: { kind: 'crowd' } }],
    ["'room.kind' must be direct, group or channel", { ...VALID, room: {} }],
    ["'room' has an unknown key 'size'; known are kind, name", { ...VALID, room: { kind: 'group', size: 3 } }],
    ["'room.name' has more than 256 characters", { ...VALID, room: { kind: 'group', name: 'x'.repeat(257) } }],
    ["'thread' is empty", { ...VALID, thread: '' }],
    ["'thread' has control characters", { ...VALID, thread: 'a\nb' }],
    ["'account' must be text", { ...VALID, account: 1 }],
    ["'timestamp' is 6 days old or older", { ...VALID, timestamp: '2026-11-15T08:00:00.000Z' }],
    ["'timestamp' is more than an hour in the future", { ...VALID, timestamp: '2026-11-21T09:00:00.001Z' }],
  ])('refuses with “%s”', async (reason, body) => {
    const { respond, messages } = await post(body);
    expect(messages).toBeUndefined();
    expect(respond).toMatchObject({ status: 400, headers: { 'content-type': 'application/problem+json' }, body: { status: 400, code: 'INGRESS_BODY', reason } });
  });

  it('takes text up to the bound in bytes, and answers 413 beyond it', async () => {
    expect(await post({ ...VALID, text: 'é'.repeat(32 * 1024) })).toMatchObject({ messages: [{ id: 'm1' }] });
    expect(await post({ ...VALID, text: `${'é'.repeat(32 * 1024)}x` })).toMatchObject({ respond: { status: 413, body: { code: 'INGRESS_TOO_LARGE' } } });
  });

  it('keeps the window of timestamps inside the week that ids are remembered', async () => {
    for (const timestamp of ['2026-11-15T08:00:00.001Z', '2026-11-21T09:00:00.000Z']) expect(await post({ ...VALID, timestamp })).toMatchObject({ messages: [{ at: timestamp }] });
  });

  it('asks for a timestamp when the configuration says so', async () => {
    expect(await post(VALID, { requireTimestamp: true })).toMatchObject({ respond: { status: 400, body: { reason: "'timestamp' is missing" } } });
    expect(await post({ ...VALID, timestamp: '2026-11-21T08:00:00Z' }, { requireTimestamp: true })).toMatchObject({ messages: [{ id: 'm1' }] });
  });
});

describe('GET /conversations/:conversation/messages', () => {
  const item = (number: number, parts: Partial<ConversationItem> = {}): ConversationItem => ({ id: `id-${String(number).padStart(5, '0')}`, direction: 'outbound', text: `reply ${number}`, inReplyTo: `m${number}`, at: '2026-11-21T08:00:00.000Z', ...parts });

  const read = async (items: readonly ConversationItem[], query: Record<string, string> = {}) => {
    const options: TestOptions<Record<string, never>> = { messages: { c1: items } };
    const { respond } = await runPlugin(plugin, options).receive(anHttpRequest({ method: 'GET', path: '/conversations/c1/messages', params: { conversation: 'c1' }, query }));
    return respond;
  };

  it('answers with the replies, oldest first, and the last id as cursor', async () => {
    const items = [item(1, { direction: 'inbound', text: 'a question' }), item(2), item(3, { direction: 'inbound' })];
    const { inReplyTo: _, ...unasked } = item(4);
    expect(await read([...items, unasked])).toMatchObject({
      status: 200,
      body: {
        items: [
          { id: 'id-00002', inReplyTo: 'm2', text: 'reply 2', at: '2026-11-21T08:00:00.000Z' },
          { id: 'id-00004', inReplyTo: null, text: 'reply 4', at: '2026-11-21T08:00:00.000Z' },
        ],
        cursor: 'id-00004',
      },
    });
  });

  it('has no cursor before the first reply, and keeps the caller’s when nothing is new', async () => {
    expect(await read([])).toMatchObject({ body: { items: [], cursor: null } });
    expect(await read([item(1, { direction: 'inbound' })], { after: '' })).toMatchObject({ body: { items: [], cursor: null } });
    expect(await read([item(1)], { after: 'id-00001' })).toMatchObject({ body: { items: [], cursor: 'id-00001' } });
  });

  it('loses and repeats nothing from page to page, whatever lies between replies', async () => {
    const items = Array.from({ length: 5000 }, (_, index) => item(index, index % 7 === 0 && (index < 1000 || index > 4500) ? {} : { direction: 'inbound' }));
    const seen: string[] = [];
    let after = '';
    for (let rounds = 0; rounds < 20; rounds++) {
      const body = (await read(items, { after }))?.body;
      if (!isPage(body)) throw new Error('no page');
      seen.push(...body.items.map(({ id }) => id));
      if (body.cursor === null || body.cursor === after) break;
      after = body.cursor;
    }
    expect(seen).toEqual(items.filter(({ direction }) => direction === 'outbound').map(({ id }) => id));
  });

  it('keeps a page below the size of a result, even where every character is escaped', async () => {
    const page = await read(Array.from({ length: 20 }, (_, index) => item(index, { text: '\u0001'.repeat(20_000) })));
    expect(JSON.stringify(page).length).toBeLessThan(512 * 1024);
    expect(page).toMatchObject({ body: { items: [{ id: 'id-00000' }, { id: 'id-00001' }, { id: 'id-00002' }], cursor: 'id-00002' } });
  });

  it('refuses parameters it does not know', async () => {
    expect(await read([], { before: 'x' })).toMatchObject({ status: 400, body: { reason: "there is no query parameter 'before'; only 'after' is known" } });
  });
});

const isPage = (body: unknown): body is { items: { id: string }[]; cursor: string | null } => typeof body === 'object' && body !== null && 'items' in body && 'cursor' in body;

describe('send', () => {
  const delivery = { id: 'r1', inReplyTo: 'm1', conversation: 'c1', text: 'hi', at: '2026-11-21T08:00:00.000Z', attempt: 2 };

  it('has nothing to do without a replyUrl: the reply is read by GET', async () => {
    expect(await runPlugin(plugin).send(delivery)).toEqual({ actions: [] });
  });

  it('tells the thread and the account of the question, if it had any', async () => {
    const { actions } = await runPlugin(plugin, { config: { replyUrl: 'https://hooks.example/in' } }).send({ ...delivery, thread: 't1', account: 'a1' });
    expect(actions).toMatchObject([{ request: { body: '{"id":"r1","inReplyTo":"m1","conversation":"c1","thread":"t1","account":"a1","text":"hi","at":"2026-11-21T08:00:00.000Z"}' } }]);
  });

  it('posts the reply, signed by the host, under its id', async () => {
    const { actions } = await runPlugin(plugin, { config: { replyUrl: 'https://hooks.example/in' } }).send(delivery);
    expect(actions).toEqual([
      {
        request: {
          method: 'POST',
          url: 'https://hooks.example/in',
          headers: { 'content-type': 'application/json', 'idempotency-key': 'r1' },
          body: '{"id":"r1","inReplyTo":"m1","conversation":"c1","text":"hi","at":"2026-11-21T08:00:00.000Z"}',
          secrets: ['signing'],
        },
      },
    ]);
  });
});
