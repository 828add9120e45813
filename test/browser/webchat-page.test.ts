// The webchat page in a real browser, against a server that speaks its protocol and misbehaves on demand.
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { hasChromium, startBrowser, type BrowserOptions } from './browser.ts';
import { accepted, replyId, startPageServer, type Heard, type PageServerHooks } from './page-server.ts';

const denied = ({ id }: Heard, reason: string, more: object = {}) => ({ type: 'ack', id, status: 'denied', code: 'MODERATION_DENIED', reason, ...more });
const reply = (to: Heard, text: string) => ({ type: 'message', id: replyId(), inReplyTo: to.id, text });

async function openChat(hooks: PageServerHooks = {}, options: BrowserOptions = {}) {
  const server = await startPageServer(hooks);
  const browser = await startBrowser(options);
  const { page, complaints } = await browser.open(server.url);
  await page.getByText('Connected', { exact: true }).waitFor();
  return {
    server,
    browser,
    page,
    complaints,
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** Runs in the page, which the compiler knows nothing of. */
const inPage = async <Result>(page: Page, expression: string) => await page.evaluate<Result>(expression);

/** Own messages with what became of them, in order. */
const ownOf = (page: Page) => page.locator('.own').evaluateAll((items) => items.map((item) => `${item.querySelector('.bubble')?.textContent} | ${item.querySelector('.verdict')?.textContent}`));
const repliesOf = (page: Page) => page.locator('.reply .bubble').allTextContents();

describe.skipIf(!hasChromium)('the webchat page', () => {
  it('sends, shows what became of it, and shows the reply, without a complaint of the browser', async () => {
    await using chat = await openChat();
    expect(chat.server.openings[0]?.get('conversation')).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(chat.server.openings[0]?.has('after')).toBe(false);

    await say(chat.page, 'hello\nthere');
    await chat.page.getByText('re: hello').waitFor();
    expect(await ownOf(chat.page)).toEqual(['hello\nthere | ✓ Accepted']);
    expect(await repliesOf(chat.page)).toEqual(['re: hello\nthere']);
    expect(chat.complaints).toEqual([]);
  });

  it('shows files, places and people as text and links that open apart, and loads nothing from elsewhere', async () => {
    const markup = '<img src=x onerror="document.title=1">';
    const media = [
      { kind: 'image', url: 'https://elsewhere.example/cat.png', name: markup },
      { kind: 'file', url: 'javascript:alert(1)', name: 'no link.txt' },
      { kind: 'file', url: '//elsewhere.example/x', name: 'nor this.txt' },
      { kind: 'image', id: 'sha256:0', url: '/media/../api/v1/plugins', mimeType: 'image/png', name: 'nor a path.png' },
      { kind: 'file', id: 'sha256:0', url: '/media/abc', mimeType: 'application/pdf', sizeBytes: 120_000, name: 'paper.pdf' },
      { kind: 'location', latitude: 48.2082, longitude: 16.3738, name: 'Vienna' },
      { kind: 'contact', name: markup, phones: ['+1 555 0100'] },
      { kind: 'script', url: '/media/abc' }, null, 7, 'x',
    ];
    await using chat = await openChat({ onMessage: (message) => [accepted(message), { ...reply(message, ''), media }] });
    await say(chat.page, 'hello');
    const files = chat.page.locator('.files').last();
    await files.getByText('paper.pdf').waitFor();
    expect(await files.locator('> *').evaluateAll((all) => all.map((each) => `${each.tagName} ${each.textContent} ${each.getAttribute('href') ?? ''} ${each.getAttribute('rel') ?? ''}`.trim()))).toEqual([
      `A ${markup} – elsewhere.example https://elsewhere.example/cat.png noopener noreferrer nofollow`,
      'SPAN no link.txt',
      'SPAN nor this.txt',
      'SPAN nor a path.png',
      'A paper.pdf, 120 kB /media/abc noopener noreferrer nofollow',
      'A Vienna (48.2082, 16.3738) https://www.openstreetmap.org/?mlat=48.2082&mlon=16.3738#map=16/48.2082/16.3738 noopener noreferrer nofollow',
      `SPAN ${markup}, +1 555 0100`,
    ]);
    expect([await chat.page.locator('#messages img').count(), await chat.page.title(), chat.complaints]).toEqual([0, expect.not.stringMatching(/^1$/), []]);
  });

  it('shows everything as text: what looks like markup or script stays what it is', async () => {
    const markup = '<img src=x onerror="document.title=\'owned\'"><b>bold</b><script>document.title="owned"</script>';
    await using chat = await openChat({ onMessage: (message) => [denied(message, markup), reply(message, markup)] });
    await say(chat.page, markup);
    await chat.page.locator('.reply').waitFor();
    expect(await repliesOf(chat.page)).toEqual([markup]);
    expect(await ownOf(chat.page)).toEqual([`${markup} | ✕ Refused: ${markup}`]);
    expect(await chat.page.locator('#messages').locator('img, b, script').count()).toBe(0);
    expect(await chat.page.title()).toBe('Gatehouse chat');
    expect(chat.complaints).toEqual([]);
  });

  it('shows a refused message as refused, says why to screen readers too, and does not send it again', async () => {
    await using chat = await openChat({ onMessage: (message) => [message.text === 'bad' ? denied(message, 'No trojan horses past this gate.') : accepted(message)] });
    await say(chat.page, 'bad');
    await chat.page.getByRole('alert').getByText('Refused: No trojan horses past this gate.').waitFor();
    chat.server.cut();
    await eventually(() => expect(chat.server.openings).toHaveLength(2));
    await chat.page.getByText('Connected', { exact: true }).waitFor();
    await say(chat.page, 'good');
    await chat.page.getByText('✓ Accepted').waitFor();
    expect(chat.server.heard.map(({ text }) => text)).toEqual(['bad', 'good']);
  });

  it('says that a message is held', async () => {
    await using chat = await openChat({ onMessage: ({ id }) => [{ type: 'ack', id, status: 'held', messageId: 'h1' }] });
    await say(chat.page, 'later');
    await eventually(async () => expect(await ownOf(chat.page)).toEqual(['later | Held until a check is available again']));
  });

  it('connects again after a loss, asks for what it missed, and shows no reply twice', async () => {
    const missed: object[] = [];
    await using chat = await openChat({ onOpen: () => missed });
    await say(chat.page, 'one');
    await chat.page.getByText('re: one').waitFor();
    missed.push({ type: 'message', id: replyId(), inReplyTo: null, text: 'while you were away' });
    chat.server.cut();
    await chat.page.getByText('while you were away').waitFor();
    expect(chat.server.openings[1]?.get('after')).toMatch(/^[0-9a-f-]{36}$/);

    chat.server.cut();
    await eventually(() => expect(chat.server.openings).toHaveLength(3));
    expect(chat.server.openings[2]?.get('after')).toBe(Object(missed[0]).id);
    await say(chat.page, 'two');
    await chat.page.getByText('re: two').waitFor();
    expect(await repliesOf(chat.page)).toEqual(['re: one', 'while you were away', 're: two']);
    expect(new Set(chat.server.openings.map((query) => query.get('conversation'))).size).toBe(1);
  });

  it('loses nothing to a host that dies: unanswered messages are sent again under the same ids, in order', async () => {
    let isDying = true;
    await using chat = await openChat({ onMessage: (message) => (isDying ? [] : [accepted(message), reply(message, `re: ${message.text}`)]) });
    await say(chat.page, 'first');
    await eventually(() => expect(chat.server.heard).toHaveLength(1));
    await chat.server.goAway();
    await chat.page.getByText('Not connected').waitFor();
    await say(chat.page, 'second');
    expect(await ownOf(chat.page)).toEqual(['first | Sending…', 'second | Sending…']);

    isDying = false;
    await chat.server.listen();
    await chat.page.getByText('re: second').waitFor();
    const [first, again, second] = chat.server.heard;
    expect(again).toEqual(first);
    expect(second?.text).toBe('second');
    expect(await ownOf(chat.page)).toEqual(['first | ✓ Accepted', 'second | ✓ Accepted']);
  });

  it('keeps the conversation, and what was not sent, when the page is closed and opened again', async () => {
    let isAnswering = true;
    await using chat = await openChat({ onMessage: (message) => (isAnswering ? [accepted(message), reply(message, `re: ${message.text}`)] : []) });
    await say(chat.page, 'kept');
    await chat.page.getByText('re: kept').waitFor();
    isAnswering = false;
    await say(chat.page, 'unsent');
    await eventually(() => expect(chat.server.heard).toHaveLength(2));
    await chat.page.close();

    isAnswering = true;
    const { page } = await chat.browser.open(chat.server.url);
    await page.getByText('re: unsent').waitFor();
    expect(await ownOf(page)).toEqual(['kept | ✓ Accepted', 'unsent | ✓ Accepted']);
    expect(await repliesOf(page)).toEqual(['re: kept', 're: unsent']);
    expect(chat.server.heard[2]).toEqual(chat.server.heard[1]);
  });

  it('sends a message that was refused for the moment again by itself, and asks after a while', async () => {
    let refusals = 2;
    const busy = (message: Heard) => denied(message, 'The gate is not available.', { code: 'GATE_UNAVAILABLE', retryAfterMs: 5 });
    await using chat = await openChat({ onMessage: (message) => [refusals-- > 0 ? busy(message) : accepted(message)] });
    await say(chat.page, 'patience');
    await chat.page.getByText('✓ Accepted').waitFor();
    expect(chat.server.heard).toHaveLength(3);

    refusals = 5;
    await say(chat.page, 'stubborn');
    await chat.page.getByRole('button', { name: 'Try again' }).click();
    await eventually(async () => expect(await ownOf(chat.page)).toEqual(['patience | ✓ Accepted', 'stubborn | ✓ Accepted']));
    expect(new Set(chat.server.heard.map(({ id }) => id)).size).toBe(2);
  });

  it('shows a malformed message as refused when the channel names it', async () => {
    await using chat = await openChat({ onMessage: ({ id }) => [{ type: 'error', code: 'TEXT_INVALID', message: 'A message needs a text.', id }] });
    await say(chat.page, 'odd');
    await eventually(async () => expect(await ownOf(chat.page)).toEqual(['odd | ✕ Refused: A message needs a text. (TEXT_INVALID)']));
  });

  it('reads a long backlog in several goes', async () => {
    const backlog = Array.from({ length: 5 }, (_, index) => ({ type: 'message', id: replyId(), inReplyTo: null, text: `missed ${index}` }));
    await using chat = await openChat({
      onOpen(query) {
        const from = backlog.findIndex(({ id }) => id === query.get('after')) + 1;
        const part = backlog.slice(from, from + 2);
        const last = part.at(-1);
        return last === undefined || last === backlog.at(-1) ? part : [...part, { type: 'more', after: last.id }];
      },
    });
    await chat.page.getByText('missed 4').waitFor();
    expect(await repliesOf(chat.page)).toEqual(backlog.map(({ text }) => text));
  });

  it('builds a reply up piece by piece, and replaces the pieces by the whole', async () => {
    await using chat = await openChat();
    const id = replyId();
    chat.server.tell({ type: 'typing' });
    await chat.page.getByText('A reply is being written').waitFor({ state: 'attached' });
    for (const text of ['Once ', 'upon a ', 'tim']) chat.server.tell({ type: 'delta', id, inReplyTo: 'm', text });
    await chat.page.getByText('Once upon a tim', { exact: true }).waitFor();
    expect(await chat.page.locator('#typing').isHidden()).toBe(true);
    chat.server.tell({ type: 'message', id, inReplyTo: 'm', text: 'Once upon a time.' });
    await chat.page.getByText('Once upon a time.').waitFor();
    expect(await repliesOf(chat.page)).toEqual(['Once upon a time.']);
  });

  it('takes back what is no reply after all, and shows edits and reactions as what they are', async () => {
    await using chat = await openChat();
    const pending = replyId();
    chat.server.tell({ type: 'delta', id: pending, inReplyTo: 'm', text: 'nearly' });
    await chat.page.getByText('nearly').waitFor();
    chat.server.tell({ type: 'withdrawn', id: pending });
    await chat.page.getByText('nearly').waitFor({ state: 'detached' });

    await say(chat.page, 'hello');
    await chat.page.getByText('re: hello').waitFor();
    const said = chat.server.heard[0];
    const id = replyId();
    chat.server.tell({ type: 'message', id, inReplyTo: said?.id, text: 'working on it' });
    chat.server.tell({ type: 'edit', id, text: '<b>done</b>' });
    await chat.page.getByText('<b>done</b>', { exact: true }).waitFor();
    await chat.page.getByText('edited', { exact: true }).waitFor();
    chat.server.tell({ type: 'withdrawn', id });
    for (let times = 0; times < 2; times++) chat.server.tell({ type: 'reaction', to: said?.id, emoji: '👍🏽' });
    await chat.page.locator('.own .reaction').waitFor();
    expect(await chat.page.locator('.own .reaction').allTextContents()).toEqual(['👍🏽']);
    expect(await chat.page.getByText('<b>done</b>', { exact: true }).count()).toBe(1);
    await chat.page.reload();
    await chat.page.locator('.own .reaction').waitFor();
    expect(await chat.page.getByText('edited', { exact: true }).count()).toBe(1);
    expect(chat.complaints).toEqual([]);
  });

  it('is used with the keyboard alone, and tells assistive technology what is what', async () => {
    await using chat = await openChat();
    const { page } = chat;
    expect(await inPage(page, 'document.activeElement.labels[0].textContent')).toBe('Message');
    await page.keyboard.type('one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('two');
    await page.keyboard.press('Enter');
    await page.getByText('re: one').waitFor();
    expect(chat.server.heard[0]?.text).toBe('one\ntwo');
    await page.keyboard.press('Enter');
    expect(chat.server.heard).toHaveLength(1);

    await eventually(async () => expect(await page.getByRole('log', { name: 'Conversation' }).getAttribute('aria-live')).toBe('polite'));
    expect(await page.getByRole('status').textContent()).toBe('Connected');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Gatehouse');
    expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
  });

  it('starts a new conversation after asking, and forgets the old one', async () => {
    await using chat = await openChat();
    await chat.page.getByRole('button', { name: '/help' }).click();
    await chat.page.getByText('re: /help').waitFor();
    await chat.page.getByRole('button', { name: 'New conversation' }).click();
    await chat.page.keyboard.press('Escape');
    expect(await repliesOf(chat.page)).toEqual(['re: /help']);

    await chat.page.getByRole('button', { name: 'New conversation' }).click();
    await chat.page.getByRole('button', { name: 'Start a new one' }).click();
    await chat.page.getByRole('heading', { name: 'Come in and say hello' }).waitFor();
    await eventually(() => expect(chat.server.openings).toHaveLength(2));
    const [before, after] = chat.server.openings.map((query) => query.get('conversation'));
    expect(after).not.toBe(before);
    expect(chat.server.openings[1]?.has('after')).toBe(false);
    expect(await inPage(chat.page, 'JSON.stringify(localStorage)')).not.toContain(before);
    expect(chat.complaints).toEqual([]);
  });

  it('keeps two tabs of one conversation in step', async () => {
    await using chat = await openChat();
    const { page: other } = await chat.browser.open(chat.server.url);
    await other.getByText('Connected', { exact: true }).waitFor();
    await say(chat.page, 'from the first');
    await other.getByText('re: from the first').waitFor();
    await say(other, 'from the second');
    await chat.page.getByText('re: from the second').waitFor();
    for (const page of [chat.page, other]) {
      await eventually(async () => expect(await ownOf(page)).toEqual(['from the first | ✓ Accepted', 'from the second | ✓ Accepted']));
      expect((await repliesOf(page)).toSorted()).toEqual(['re: from the first', 're: from the second']);
    }
  });

  it('works where the browser keeps nothing', async () => {
    await using server = await startPageServer();
    await using browser = await startBrowser();
    await browser.context.addInitScript(() => Object.defineProperty(globalThis, 'localStorage', { get: () => { throw new DOMException('denied', 'SecurityError'); } }));
    const { page, complaints } = await browser.open(server.url);
    await say(page, 'hello');
    await page.getByText('re: hello').waitFor();
    expect(complaints).toEqual([]);
  });

  it('refuses to send what the host would not take, and keeps it in the box', async () => {
    await using chat = await openChat();
    await say(chat.page, 'é'.repeat(32 * 1024 + 1));
    await chat.page.getByRole('alert').getByText('This message is too long').waitFor();
    expect(await chat.page.getByLabel('Message').inputValue()).toHaveLength(32 * 1024 + 1);
    await say(chat.page, 'short');
    await chat.page.getByText('re: short').waitFor();
    expect(chat.server.heard.map(({ text }) => text)).toEqual(['short']);
  });

  it.each<[string, BrowserOptions]>([
    ['a phone', { viewport: { width: 360, height: 640 }, isMobile: true }],
    ['a small window in the dark', { viewport: { width: 320, height: 480 }, colorScheme: 'dark' }],
    ['a wide screen', { viewport: { width: 1920, height: 1080 } }],
  ])('fits %s: nothing sticks out sideways, and the newest message is in sight', async (_, options) => {
    await using chat = await openChat({}, options);
    for (let index = 0; index < 12; index++) await say(chat.page, `message ${index} ${'long'.repeat(60)}`);
    await chat.page.getByText('re: message 11 long').waitFor();
    await eventually(async () => expect(await inPage(chat.page, "[...document.querySelectorAll('.bubble')].at(-1).getBoundingClientRect().bottom <= innerHeight")).toBe(true));
    expect(await inPage(chat.page, "[...document.querySelectorAll('*')].filter((each) => each.getBoundingClientRect().right > innerWidth + 1).map((each) => each.className)")).toEqual([]);
    expect(await inPage(chat.page, '[document.documentElement.scrollHeight <= innerHeight, document.documentElement.scrollWidth <= innerWidth]')).toEqual([true, true]);
  });

  it('does not pull a reader away from older messages', async () => {
    await using chat = await openChat({}, { viewport: { width: 600, height: 500 } });
    for (let index = 0; index < 12; index++) await say(chat.page, `message ${index}`);
    await chat.page.getByText('re: message 11', { exact: true }).waitFor(); // 're: message 1' with the time behind it may read the same
    await chat.page.locator('#log').evaluate((log) => log.scrollTo(0, 0));
    await eventually(async () => {
      chat.server.tell({ type: 'message', id: replyId(), inReplyTo: null, text: 'news' });
      expect(await chat.page.getByRole('button', { name: 'New messages' }).isVisible()).toBe(true);
    });
    expect(await chat.page.locator('#log').evaluate((log) => log.scrollTop)).toBe(0);
    await chat.page.getByRole('button', { name: 'New messages' }).click();
    await eventually(async () => expect(await chat.page.getByRole('button', { name: 'New messages' }).isHidden()).toBe(true));
  });
});
