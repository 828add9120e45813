import type { Action, ConversationItem } from '@gatehouse/plugin-sdk';
import { aSocketFrame, aSocketOpening, anHttpRequest, runPlugin } from '@gatehouse/plugin-sdk/testing';
import { describe, expect, it } from 'vitest';
import plugin from '../src/plugin.ts';

const CONVERSATION = 'kJx2mT0cZ7yQpA4vN8sW1g';

const reply = (number: number, parts: Partial<ConversationItem> = {}): ConversationItem => ({ id: `id-${String(number).padStart(5, '0')}`, direction: 'outbound', text: `reply ${number}`, inReplyTo: `m${number}`, at: '2026-11-21T08:00:00.000Z', ...parts });

/** What the actions send, as the page would read it; all of it must go to the one connection. */
function framesOf(actions: readonly Action[] = []): { [key: string]: unknown }[] {
  return actions.map((action) => {
    if (!('frame' in action)) throw new Error('not a frame');
    expect(action.frame).toEqual({ connection: 'c1' });
    return JSON.parse(action.text);
  });
}

describe('a frame', () => {
  const receive = async (text: string | object, conversation = CONVERSATION) => await runPlugin(plugin).receive(aSocketFrame({ conversation, text }));

  it('becomes a message of this conversation, under the page’s own id', async () => {
    expect(await receive({ type: 'message', id: 'm-1', text: ' hello\n' })).toEqual({
      messages: [{ id: 'm-1', conversation: CONVERSATION, sender: { id: expect.stringMatching(/^visitor-[0-9a-f]{8}$/), name: 'visitor' }, text: ' hello\n' }],
    });
  });

  it('names a sender that tells visitors apart and does not contain the conversation’s secret', async () => {
    const senders = new Set<string>();
    for (let index = 0; index < 100; index++) {
      const conversation = `${CONVERSATION}${index}`;
      const { messages = [] } = await receive({ type: 'message', id: 'm', text: 'x' }, conversation);
      for (const { sender } of messages) {
        senders.add(sender.id);
        expect(conversation).not.toContain(sender.id.slice('visitor-'.length));
      }
    }
    expect(senders.size).toBe(100);
  });

  it.each<[code: string, frame: string | object]>([
    ['FRAME_INVALID', ''],
    ['FRAME_INVALID', '{'],
    ['FRAME_INVALID', 'null'],
    ['FRAME_INVALID', '7'],
    ['FRAME_INVALID', {}],
    ['FRAME_UNKNOWN', { type: 'ack' }],
    ['FRAME_UNKNOWN', { type: ['message'] }],
    ['ID_INVALID', { type: 'message', text: 'x' }],
    ['ID_INVALID', { type: 'message', id: '', text: 'x' }],
    ['ID_INVALID', { type: 'message', id: 7, text: 'x' }],
    ['ID_INVALID', { type: 'message', id: 'x'.repeat(257), text: 'x' }],
    ['ID_INVALID', { type: 'message', id: 'a\nb', text: 'x' }],
  ])('is answered with %s when it is %j', async (code, frame) => {
    const { actions, messages } = await receive(frame);
    expect(messages).toBeUndefined();
    expect(framesOf(actions)).toEqual([{ type: 'error', code, message: expect.any(String) }]);
  });

  it.each<[code: string, text: unknown]>([['TEXT_INVALID', undefined], ['TEXT_INVALID', { a: 1 }], ['TEXT_INVALID', 'a\ud800'], ['TEXT_EMPTY', ''], ['TEXT_EMPTY', ' \n\t'], ['TEXT_TOO_LARGE', 'é'.repeat(32_769)]])(
    'is answered with %s, naming the message, for such a text',
    async (code, text) => {
      expect(framesOf((await receive({ type: 'message', id: 'm-1', text })).actions)).toEqual([{ type: 'error', code, message: expect.any(String), id: 'm-1' }]);
    },
  );

  it.each(['short', 'x'.repeat(129), `${CONVERSATION}!`, `${CONVERSATION} `])('is refused in a conversation named %j', async (conversation) => {
    for (const request of [aSocketFrame({ conversation, text: { type: 'message', id: 'm', text: 'x' } }), aSocketOpening({ conversation })]) {
      const { actions, messages } = await runPlugin(plugin, { messages: {} }).receive(request);
      expect(messages).toBeUndefined();
      expect(framesOf(actions)).toMatchObject([{ type: 'error', code: 'CONVERSATION_INVALID' }]);
    }
  });
});

describe('an opening', () => {
  const open = async (items: readonly ConversationItem[], after?: string) =>
    framesOf((await runPlugin(plugin, { messages: { [CONVERSATION]: items } }).receive(aSocketOpening({ conversation: CONVERSATION, query: after === undefined ? {} : { after } }))).actions);

  it('sends nothing where nothing was missed', async () => {
    expect(await open([])).toEqual([]);
    expect(await open([reply(1)], 'id-00001')).toEqual([]);
  });

  it('sends the replies after the last one seen, oldest first, and none of the visitor’s own messages', async () => {
    const { inReplyTo: _, ...unasked } = reply(4);
    const items = [reply(1), reply(2, { direction: 'inbound' }), reply(3), unasked];
    expect(await open(items, 'id-00001')).toEqual([
      { type: 'message', id: 'id-00003', inReplyTo: 'm3', text: 'reply 3' },
      { type: 'message', id: 'id-00004', inReplyTo: null, text: 'reply 4' },
    ]);
    expect((await open(items)).map(({ id }) => id)).toEqual(['id-00001', 'id-00003', 'id-00004']);
  });

  it.each([
    ['many', Array.from({ length: 3000 }, (_, index) => reply(index, index % 3 === 0 ? {} : { direction: 'inbound' }))],
    ['large', Array.from({ length: 30 }, (_, index) => reply(index, { text: '"'.repeat(60_000) }))],
    ['far apart', Array.from({ length: 12_000 }, (_, index) => reply(index, index === 5500 || index === 11_999 ? {} : { direction: 'inbound' }))],
  ])('sends replies that are too %s for one go in several, without loss or repetition', async (_, items) => {
    const seen: unknown[] = [];
    let after: string | undefined;
    for (let rounds = 0; rounds < 100; rounds++) {
      const frames = await open(items, after);
      const last = frames.at(-1);
      seen.push(...frames.filter(({ type }) => type === 'message').map(({ id }) => id));
      if (last?.['type'] !== 'more') break;
      after = String(last['after']);
    }
    expect(seen).toEqual(items.filter(({ direction }) => direction === 'outbound').map(({ id }) => id));
  });

  it.each(['../x', 'x'.repeat(65), 'a b'])('refuses %j as the last one seen', async (after) => {
    expect(await open([reply(1)], after)).toMatchObject([{ type: 'error', code: 'AFTER_INVALID' }]);
  });
});

describe('everything else', () => {
  it('a reply takes its files along, and says that the page can show them', async () => {
    const media = [{ kind: 'image' as const, url: 'https://example.com/cat.png' }];
    const { actions } = await runPlugin(plugin).send({ id: 'r1', conversation: CONVERSATION, inReplyTo: null, text: '', media });
    expect(actions).toEqual([{ frame: { conversation: CONVERSATION }, text: JSON.stringify({ type: 'message', id: 'r1', inReplyTo: null, text: '', media }) }]);
    expect(framesOf((await runPlugin(plugin, { messages: { [CONVERSATION]: [reply(1, { media })] } }).receive(aSocketOpening({ conversation: CONVERSATION, query: {} }))).actions)).toMatchObject([{ media }]);
  });

  it('a reply goes to whoever is connected to its conversation', async () => {
    const { actions } = await runPlugin(plugin).send({ id: 'r1', conversation: CONVERSATION, inReplyTo: 'm1', text: 'hi' });
    expect(actions).toEqual([{ frame: { conversation: CONVERSATION }, text: '{"type":"message","id":"r1","inReplyTo":"m1","text":"hi"}' }]);
  });

  it('what is shown of a reply goes to whoever is there: pieces, and that there is none after all', async () => {
    const run = runPlugin(plugin);
    const piece = { id: 'r1', conversation: CONVERSATION, inReplyTo: 'm1', text: 'so far', delta: 'far', sequence: 2, done: false };
    expect((await run.ask('stream', piece)).actions).toEqual([{ frame: { conversation: CONVERSATION }, text: '{"type":"delta","id":"r1","inReplyTo":"m1","text":"far"}' }]);
    expect((await run.ask('stream', { ...piece, delta: '', done: true })).actions).toEqual([]);
    expect((await run.ask('stream', { ...piece, delta: '', done: true, withdrawn: true })).actions).toEqual([{ frame: { conversation: CONVERSATION }, text: '{"type":"withdrawn","id":"r1"}' }]);
    expect((await run.ask('typing', { conversation: CONVERSATION, on: true })).actions).toHaveLength(1);
    expect((await run.ask('typing', { conversation: CONVERSATION, on: false })).actions).toEqual([]);
  });

  it('edits and reactions that were missed come as what they are', async () => {
    const messages = { [CONVERSATION]: [reply(1), reply(2, { edits: 'id-00001', text: 'better' }), reply(3, { reacts: 'm9', text: '👍' })] };
    const { actions } = await runPlugin(plugin, { messages }).receive(aSocketOpening({ conversation: CONVERSATION }));
    expect(framesOf(actions)).toEqual([{ type: 'message', id: 'id-00001', inReplyTo: 'm1', text: 'reply 1' }, { type: 'edit', id: 'id-00001', text: 'better' }, { type: 'reaction', to: 'm9', emoji: '👍' }]);
  });

  it('a closed socket and a plain request need nothing', async () => {
    expect(await runPlugin(plugin).receive({ kind: 'close', connection: 'c1', conversation: CONVERSATION, query: {} })).toEqual({});
    expect(await runPlugin(plugin).receive(anHttpRequest())).toEqual({});
  });
});
