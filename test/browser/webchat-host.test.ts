// A person with the webchat page and a real host: from the first answer to a kill in the middle of a conversation.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { aHome } from '../support/home.ts';
import { aGallery, post, startFileServer } from '../support/media-host.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { hasChromium, startBrowser } from './browser.ts';

async function aChattyHome() {
  const home = await aHome();
  for (const name of ['webchat', 'wordlist', 'clock', 'concierge', 'echo'] as const) await addFirstParty(home, name);
  return home;
}

describe.skipIf(!hasChromium)('the webchat page and a real host', () => {
  it('answers, tells the time, refuses what breaks a rule, and complains about nothing', async () => {
    await using home = await aChattyHome();
    await using host = await startProcess(home.path);
    await using browser = await startBrowser();
    const { page, complaints } = await browser.open(`${host.address}/channels/webchat/`);

    const say = async (text: string) => {
      await page.getByLabel('Message').fill(text);
      await page.keyboard.press('Enter');
    };
    await say('good to be here');
    await page.getByText('It is number 1 of this conversation.').waitFor();
    await say('/time Europe/Berlin');
    await page.getByText('in Europe/Berlin (UTC').waitFor();
    await say('open for the Trojan horse');
    await page.getByRole('alert').getByText('Refused: No trojan horses past this gate.').waitFor();
    await say('echo darn it');
    await page.getByText('**** it', { exact: true }).waitFor();
    expect(complaints).toEqual([]);

    await page.reload();
    await page.getByText('Connected', { exact: true }).waitFor();
    expect(await page.locator('.own').count()).toBe(4);
    expect(await page.locator('.reply').count()).toBe(3);
  });

  it('shows a stored image, while it is there and again after the page was opened anew', async () => {
    await using server = await startFileServer({ 'cat.png': { png: { width: 30, height: 20 } } });
    await using home = await aGallery([server]);
    await addFirstParty(home, 'webchat');
    // Remembers what the gallery was sent, and shows it to whoever asks.
    const source = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
      if (message.media.length > 0) { await ctx.kv.set('seen', message.media); return { replies: [] }; }
      return { replies: [{ text: '', media: await ctx.kv.get('seen') }] };
    } } });`;
    await home.add({ name: 'curator', kind: 'skill', source, manifest: { skill: {}, capabilities: [{ name: 'kv', quotaBytes: 65_536 }] } });
    await using host = await startProcess(home.path);
    await using browser = await startBrowser();
    const { page, complaints } = await browser.open(`${host.address}/channels/webchat/`);
    await page.getByText('Connected', { exact: true }).waitFor();
    const { messageId } = await post(host, '1', [{ kind: 'image', url: `${server.origin}/cat.png`, name: 'cat.png' }]);
    const outcome = async () => (await runCommand(['messages', 'show', messageId, '--json', '--home', home.path])).json()['outcome'];
    await eventually(async () => expect(await outcome()).toBe('unanswered'));
    await page.getByLabel('Message').fill('show me');
    await page.keyboard.press('Enter');
    const width = async () => await page.locator('.files img').evaluate((image) => Number(Reflect.get(image, 'naturalWidth')));
    await eventually(async () => expect(await width()).toBe(30));

    await page.evaluate('for (const key of Object.keys(localStorage)) if (key.endsWith(":transcript")) localStorage.removeItem(key)');
    await page.reload();
    await eventually(async () => expect(await width()).toBe(30));
    expect(complaints).toEqual([]);
  });

  it('loses and doubles nothing when the host is killed in the middle of it', async () => {
    await using home = await aChattyHome();
    const first = await startProcess(home.path);
    const { port } = new URL(first.address);
    await using browser = await startBrowser();
    const { page } = await browser.open(`${first.address}/channels/webchat/`);
    await page.getByText('Connected', { exact: true }).waitFor();

    const texts = Array.from({ length: 30 }, (_, index) => `word-${String(index).padStart(2, '0')}`);
    const say = async (text: string) => {
      await page.getByLabel('Message').fill(`echo ${text}`);
      await page.keyboard.press('Enter');
    };
    for (const text of texts.slice(0, 20)) await say(text);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    for (const text of texts.slice(20)) await say(text);
    await page.getByText('Not connected').waitFor();

    await using second = await startProcess(home.path, ['--listen', `127.0.0.1:${port}`]);
    expect(second.address).toBe(first.address);
    await eventually(async () => expect(await page.locator('.own[data-status="accepted"]').count()).toBe(texts.length), 120_000);
    await eventually(async () => expect((await page.locator('.reply .bubble').allTextContents()).toSorted()).toEqual(texts), 120_000);

    // What the page shows is what the host holds: a browser that knows only the conversation's id reads the same replies.
    await page.evaluate('for (const key of Object.keys(localStorage)) if (key.endsWith(":transcript")) localStorage.removeItem(key)');
    await page.reload();
    await eventually(async () => expect(await page.locator('.reply .bubble').allTextContents()).toEqual(texts));
  });
});
