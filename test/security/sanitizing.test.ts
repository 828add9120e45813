// Replies that deceive, and channels whose own sanitizing does not help: a skill says what somebody told it to say, and the real host lets out what is safe.
import { describe, expect, it } from 'vitest';
import type { MessageView } from '../../schemas/control.ts';
import type { Dialect } from '../../schemas/dialects.ts';
import type { OutboundPolicy } from '../../schemas/policy.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';

/** A channel of this markup; `sanitize` is the body of its handler, given `text`. */
const channel = (text: Dialect, outbound: OutboundPolicy = {}, sanitize = ''): TestPlugin => ({
  name: 'door',
  kind: 'channel',
  source: `let calls = 0; gatehouse.register({ kind: 'channel', handlers: { ${sanitize === '' ? '' : `sanitize: async ({ text }) => { calls += 1; ${sanitize} },`} receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: { channel: { text, abilities: ['receive', 'send', ...(sanitize === '' ? [] : (['sanitize'] as const))], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
  enablement: { outbound },
});

/** Says what it is told to say. */
const parrot: TestPlugin = { name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: message.text }] }) } });`, manifest: { skill: {} } };

/** Refuses every reply that says "evil" where a reader would not see it. */
const reader: TestPlugin = {
  name: 'reader',
  kind: 'moderation',
  source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }) => ({ effect: 'flag', labels: ['read:' + message.text.slice(0, 80)], reason: 'read' }) } });`,
  manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['outbound'] } },
};

async function say(gatehouse: Gatehouse, text: string): Promise<void> {
  const posted = await gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: text.slice(0, 200), conversation: 'c', sender: { id: 'someone' }, text }) });
  expect(posted.status).toBe(202);
}

const stored = async (gatehouse: Gatehouse, direction: 'inbound' | 'outbound') => (await gatehouse.api(`/messages?instance=door&direction=${direction}`)).json<{ items: MessageView[] }>().items;

/** The one reply, once it is there. */
async function reply(gatehouse: Gatehouse): Promise<MessageView> {
  return await eventually(async () => {
    const [first] = await stored(gatehouse, 'outbound');
    if (!first) throw new Error('no reply yet');
    return first;
  }, 120_000);
}

describe('what leaves', () => {
  it.each<[Dialect, string, string, string]>([
    ['html', '<a href="https://evil.example/"><b>bank.example</b></a><script>x</script>', '<a href="https://evil.example/">https://evil.example/</a>&lt;script&gt;x&lt;/script&gt;', 'link-confusing, markup'],
    ['markdown', '[bank.example](https://evil.example/) ![x](javascript:y)', '[https://evil.example/](https://evil.example/) \\!x', 'link-confusing, markup, link-scheme'],
    ['telegram-markdown-v2', '[bank.example](https://evil.example/).', '[https://evil\\.example/](https://evil.example/)\\.', 'link-confusing, markup'],
    ['slack-mrkdwn', '<https://evil.example/|bank.example> <!channel>', '<https://evil.example/> ＠channel', 'link-confusing, mention'],
    ['discord-markdown', '[bank.example](https://evil.example/) @everyone', 'https://evil.example/ ＠everyone', 'link-confusing, mention'],
  ])('attack g133 hidden-link: a link says where it leads and nobody is called, in %s, before gates judge it', async (dialect, said, left, changes) => {
    await using home = await aHome([channel(dialect), parrot, reader]);
    await using gatehouse = await startGatehouse(home);
    const seen: Events['text.sanitized'][] = [];
    const stop = subscribe('text.sanitized', (event) => seen.push(event));
    await say(gatehouse, said);
    const { text, flags } = await reply(gatehouse);
    stop();
    expect(text).toBe(left);
    expect(flags).toEqual([`read:${left.slice(0, 80)}`]);
    expect(seen[0]).toEqual({ instance: 'door', dialect, changes: changes.split(', ') });
    const [asked] = await stored(gatehouse, 'inbound');
    expect(asked?.stages?.find(({ stage }) => stage === 'sanitize')).toMatchObject({ decision: 'pass', reason: changes });
    expect((await gatehouse.fetch('/metrics')).text).toContain('gatehouse_texts_sanitized_total{instance="door",change="link-confusing"}');
  });

  it('attack g134 link-all-the-same: where links are refused, none leaves by any way', async () => {
    await using home = await aHome([channel('plain', { links: 'refuse' }), parrot]);
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'see https://a.example/x');
    await eventually(async () => expect((await stored(gatehouse, 'inbound'))[0]).toMatchObject({ outcome: 'unanswered' }), 120_000);
    expect(await stored(gatehouse, 'outbound')).toEqual([]);
    expect((await stored(gatehouse, 'inbound'))[0]?.stages).toContainEqual({ stage: 'links', decision: 'deny', reason: 'links may not leave here', durationMs: 0 });
    const sent = (await gatehouse.api('/messages', { method: 'POST', body: { channel: 'door', to: 'c', text: 'www.a.example' } })).json();
    expect(sent).toMatchObject({ outcome: 'denied', code: 'REPLY_DENIED', reason: 'links may not leave here' });
    await say(gatehouse, 'no address');
    expect((await reply(gatehouse)).text).toBe('no address');
  });

  it.each([
    ['puts back what the host took out', "return { text: text + '<img src=x onerror=y><a href=\"https://evil.example/\">bank.example</a>' };", 'hi&lt;img src=x onerror=y&gt;<a href="https://evil.example/">https://evil.example/</a>'],
    ['answers with more than a message', "return { text: '<'.repeat(60000) };", '&lt;&lt;'],
  ])('attack g135 sanitized-by-the-channel: what a channel makes of a text goes through the host once more when it %s', async (_, sanitize, expected) => {
    await using home = await aHome([channel('html', {}, sanitize), parrot]);
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hi');
    const { text } = await reply(gatehouse);
    expect(text?.startsWith(expected)).toBe(true);
    expect(Buffer.byteLength(text ?? '')).toBeLessThanOrEqual(65_536);
    expect(text).not.toMatch(/<(?!a href="https:\/\/|\/a>)/);
  });

  it.each([
    ['throws', "if (calls === 1) throw new Error('not now'); return { text: text + '!' };"],
    ['never ends', 'if (calls === 1) await new Promise(() => {}); return { text: text + \'!\' };'],
    ['answers something else', 'return calls === 1 ? text : { text: text + \'!\' };'],
  ])('attack g136 no-sanitizing: nothing leaves while the handler of the channel %s, unless the operator would rather have it leave', async (_, sanitize) => {
    await using home = await aHome([channel('plain', {}, sanitize), parrot]);
    await using gatehouse = await startGatehouse(home);
    await say(gatehouse, 'hi');
    expect((await reply(gatehouse)).text).toBe('hi!');

    await using open = await aHome([channel('plain', { onSanitizeFailure: 'pass' }, sanitize), parrot]);
    await using lenient = await startGatehouse(open);
    await say(lenient, 'hi');
    expect((await reply(lenient)).text).toBe('hi');
    expect((await stored(lenient, 'inbound'))[0]?.stages).toContainEqual(expect.objectContaining({ stage: 'sanitize', decision: 'unavailable', instance: 'door' }));
  });
});
