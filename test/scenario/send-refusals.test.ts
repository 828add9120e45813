// What operators get wrong when they write a message, through HTTP with the real webhook: each is refused by the field, with what it held, and nothing is stored.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addWebhook } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';

let home: TestHome;
let gatehouse: Gatehouse;

beforeAll(async () => {
  home = await aHome([{ name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async () => ({ replies: [] }) } });`, manifest: { skill: {} } }]);
  await addWebhook(home);
  gatehouse = await startGatehouse(home);
});
afterAll(async () => {
  await gatehouse[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const send = (body: unknown) => gatehouse.api('/messages', { method: 'POST', body });
const storedFor = async (conversation: string) => (await gatehouse.api(`/messages?direction=outbound&conversation=${conversation}`)).json<{ items: unknown[] }>().items;
const hello = { channel: 'webhook', to: 'c', text: 'hello' };

describe('POST /messages', () => {
  it.each<[what: string, body: unknown, code: string, detail: RegExp]>([
    ['no field at all', {}, 'REQUEST_INVALID', /it does not say where to: give channel and to, or session, or identity/],
    ['no object', [], 'REQUEST_INVALID', /at \//],
    ['a conversation without a channel', { to: 'c', text: 'hi' }, 'REQUEST_INVALID', /at \/channel: .*give channel and to/],
    ['a channel without a conversation', { channel: 'webhook', text: 'hi' }, 'REQUEST_INVALID', /at \/to: it is missing: the conversation/],
    ['a channel and a session', { ...hello, session: 'webhook:c' }, 'REQUEST_INVALID', /at \/session: given beside channel: .*leave one of them out/],
    ['a session and a person', { session: 'webhook:c', identity: 'ada', text: 'hi' }, 'REQUEST_INVALID', /at \/identity: given beside session/],
    ['a session and a conversation', { session: 'webhook:c', to: 'c', text: 'hi' }, 'REQUEST_INVALID', /at \/to: given beside session.*leave it out/],
    ['a field it does not know', { ...hello, txt: 'hi' }, 'REQUEST_INVALID', /at \/txt: unknown; did you mean text\?/],
    ['an instance that nobody has', { ...hello, channel: 'nobody' }, 'PLUGIN_NOT_FOUND', /no instance 'nobody'/],
    ['what is no name of an instance', { ...hello, channel: 'No Such!' }, 'REQUEST_INVALID', /at \/channel: "No Such!" is no name/],
    ['a number for a channel', { ...hello, channel: 7 }, 'REQUEST_INVALID', /at \/channel: 7 is no text/],
    ['an instance that is no channel', { ...hello, channel: 'parrot' }, 'CHANNEL_EXPECTED', /at \/channel: 'parrot' is a skill and no channel/],
    ['an empty conversation', { ...hello, to: '' }, 'REQUEST_INVALID', /at \/to: it is empty/],
    ['a conversation that is too long', { ...hello, to: 'c'.repeat(257) }, 'REQUEST_INVALID', /at \/to: it has 257 characters, and 256 are the most/],
    ['no text', { channel: 'webhook', to: 'c' }, 'REQUEST_INVALID', /at \/text: it is missing/],
    ['an empty text', { ...hello, text: '' }, 'REQUEST_INVALID', /at \/text: it is empty/],
    ['a text of spaces', { ...hello, text: ' \n\t ' }, 'REQUEST_INVALID', /at \/text: it is empty/],
    ['a text that is too long', { ...hello, text: 'x'.repeat(65_537) }, 'REQUEST_INVALID', /at \/text: it has 65537 characters, and 65536 are the most/],
    ['null for a text', { ...hello, text: null }, 'REQUEST_INVALID', /at \/text: null is no text/],
    ['a session that nobody began', { session: 'nobody:nothing', text: 'hi' }, 'SESSION_NOT_FOUND', /nobody:nothing/],
    ['an empty session', { session: '', text: 'hi' }, 'REQUEST_INVALID', /at \/session: it is empty/],
    ['a person nobody has heard of', { identity: 'ada', text: 'hi' }, 'ROUTE_NOT_FOUND', /ada.*cannot be reached/],
    ['a person with a name that is too long', { identity: 'a'.repeat(65), text: 'hi' }, 'REQUEST_INVALID', /at \/identity: it has 65 characters, and 64 are the most/],
  ])('refuses %s', async (_, body, code, detail) => {
    const answer = await send(body);
    expect(answer.json()).toMatchObject({ code, detail: expect.stringMatching(detail) });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(await storedFor('c')).toEqual([]);
  });

  it('refuses a channel that is not up, and says how it stands', async () => {
    await gatehouse.api('/plugins/webhook/disable', { method: 'POST', body: { reason: 'closed today' } });
    const later = { ...hello, to: 'later' };
    expect((await send(later)).json()).toMatchObject({ status: 409, code: 'CHANNEL_DOWN', detail: "Nothing can be sent by 'webhook': it is disabled." });
    expect(await storedFor('later')).toEqual([]);
    await gatehouse.api('/plugins/webhook/enable', { method: 'POST' });
    await expect.poll(async () => (await send(later)).json<{ outcome?: string }>().outcome, { timeout: 120_000 }).toBe('delivered');
  });
});
