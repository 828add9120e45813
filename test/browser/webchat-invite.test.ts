// The webchat outside of profile local, with a real host: refused and said so, let in by an invite, and shut out again.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import axe from 'axe-core';
import type { NewInviteView, PairingView } from '../../schemas/pairing.ts';
import { newConversation, openChat } from '../support/chat.ts';
import { addFirstParty, releaseFirstParty } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { hasChromium, startBrowser } from './browser.ts';

/** A home of its own for each: a lockout is of an address, and all of them come from one. */
async function aGuestHome(): Promise<TestHome> {
  const home = await aHome([], { profile: 'lan' });
  for (const name of ['webchat', 'echo'] as const) await addFirstParty(home, name);
  await releaseFirstParty(home);
  return home;
}

describe('guessing invites', () => {
  it('ends after ten in a minute', async () => {
    await using home = await aGuestHome();
    await using host = await startGatehouse(home);
    const guess = async () => (await host.fetch('/channels/webchat/-/access', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ conversation: newConversation(), invite: `ghi_${'0'.repeat(16)}_${'A'.repeat(43)}` }) })).status;
    for (let n = 0; n < 10; n++) expect(await guess()).toBe(403);
    expect(await guess()).toBe(429);
  });
});

describe('the webchat outside of profile local', () => {
  let home: TestHome;
  let host: Gatehouse;
  beforeAll(async () => {
    home = await aGuestHome();
    host = await startGatehouse(home);
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const invite = async (body: object = {}) => (await host.api('/pairing/invites', { method: 'POST', body: { instance: 'webchat', ...body } })).json<NewInviteView>();
  const access = async (body: object, headers: Record<string, string> = {}) => {
    const answer = await host.fetch('/channels/webchat/-/access', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
    return { status: answer.status, ...answer.json<{ access?: string; code?: string }>() };
  };

  it('takes no socket without an invite or a token, and serves the page all the same', async () => {
    const conversation = newConversation();
    await expect(openChat(host.address, { conversation })).rejects.toThrow('no socket');
    expect((await host.fetch('/channels/webchat/')).status).toBe(200);
    expect(await access({ conversation })).toEqual({ status: 200, access: 'invite' });
    expect((await host.fetch('/channels/echo/-/access', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status).toBe(404);
    expect(await access({})).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
    expect(await access({ conversation, invite: (await invite()).invite }, { origin: 'https://elsewhere.example' })).toMatchObject({ status: 403, code: 'ORIGIN_REFUSED' });
  });

  it('lets in as many conversations as an invite says, in a race too, and keeps its secret as a hash', async () => {
    const made = await invite({ label: 'Ada', uses: 2 });
    expect(made).toMatchObject({ state: 'open', uses: 2, used: 0, path: `/channels/webchat/#invite=${made.invite}` });
    const conversations = [newConversation(), newConversation(), newConversation()];
    const answers = await Promise.all(conversations.map((conversation) => access({ conversation, invite: made.invite })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 403]);
    const conversation = conversations[answers.findIndex(({ status }) => status === 200)] ?? '';
    expect(await access({ conversation, invite: made.invite })).toEqual({ status: 200, access: 'granted' });
    await using chat = await openChat(host.address, { conversation });
    expect(await chat.ask('echo hello')).toBe('hello');

    const shown = (await host.api('/pairing/invites')).text;
    expect(shown).toContain(made.id);
    expect(shown).not.toContain(made.invite.slice(21));
    const log = (await host.api('/audit')).text;
    expect(log).toContain('pairing.invite-used');
    expect(log).not.toContain(made.invite.slice(21));
    const { items } = (await host.api(`/pairing?state=approved`)).json<{ items: PairingView[] }>();
    const guests = items.filter(({ via }) => via === `invite:${made.id}`);
    expect(guests).toHaveLength(2);
    for (const { id } of guests) await host.api(`/pairing/${id}/revoke`, { method: 'POST' });
    expect(await chat.closed).toMatchObject({ code: 1008 });
    await expect(openChat(host.address, { conversation })).rejects.toThrow('no socket');
  });

  it('refuses invites that are withdrawn, changed or for nobody', async () => {
    const made = await invite({ uses: 5 });
    const conversation = newConversation();
    expect(await access({ conversation, invite: `${made.invite.slice(0, -1)}${made.invite.endsWith('A') ? 'B' : 'A'}` })).toMatchObject({ status: 403, code: 'INVITE_REFUSED' });
    expect((await host.api(`/pairing/invites/${made.id}/withdraw`, { method: 'POST' })).json()).toMatchObject({ state: 'withdrawn' });
    expect(await access({ conversation, invite: made.invite })).toMatchObject({ status: 403, code: 'INVITE_REFUSED' });
    expect((await host.api('/pairing/invites', { method: 'POST', body: { instance: 'nobody' } })).status).toBe(404);
    expect((await host.api('/pairing/invites/0000000000000000/withdraw', { method: 'POST' })).json()).toMatchObject({ code: 'INVITE_NOT_FOUND' });
  });

  it('takes a token with the scope messages:write in the place of an invite', async () => {
    const tokenFor = async (...scopes: readonly string[]) => (await host.api('/tokens', { method: 'POST', body: { label: 'chat', scopes } })).json<{ id: string; token: string }>();
    const { default: WebSocketClient } = await import('ws');
    const open = (token: string) => new Promise<string>((done) => {
      const socket = new WebSocketClient(`${host.address.replace('http', 'ws')}/channels/webchat/ws?conversation=${newConversation()}`, { headers: { authorization: `Bearer ${token}` } });
      socket.on('open', () => (socket.close(), done('open')));
      socket.on('unexpected-response', (request, response) => (request.destroy(), done(String(response.statusCode))));
      socket.on('error', () => undefined);
    });
    expect(await open((await tokenFor('messages:write')).token)).toBe('open');
    expect(await open((await tokenFor('messages:read')).token)).toBe('403');
    expect(await open(`ght_${'0'.repeat(16)}_${'A'.repeat(43)}`)).toBe('401');
  });

  describe.skipIf(!hasChromium)('in a browser', () => {
    it('says that an invite is needed, refuses a wrong one, takes a pasted link, and remembers', async () => {
      await using browser = await startBrowser();
      const { page } = await browser.open(`${host.address}/channels/webchat/`);
      const field = page.getByLabel('Invite', { exact: true });
      await page.getByRole('heading', { name: 'This chat is for those who were invited' }).waitFor();
      expect(await page.getByRole('status').textContent()).toBe('Not invited yet');
      expect(await page.getByLabel('Message').isVisible()).toBe(false);
      expect(await field.evaluate((input) => input === input.ownerDocument.activeElement)).toBe(true);
      await page.evaluate(axe.source);
      const found = await page.evaluate<{ violations: { id: string }[] }>('axe.run({ runOnly: ["wcag2a", "wcag2aa"] })');
      expect(found.violations.map(({ id }) => id)).toEqual([]);

      await field.fill('let me in');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').getByText('This is no invite').waitFor();
      const made = await invite();
      await field.fill(`https://chat.example.com${made.path}`);
      await page.keyboard.press('Enter');
      await page.getByText('Connected', { exact: true }).waitFor();
      await page.getByLabel('Message').fill('echo hello');
      await page.keyboard.press('Enter');
      await page.locator('.reply').getByText('hello', { exact: true }).waitFor();
      await page.reload();
      await page.getByText('Connected', { exact: true }).waitFor();

      const { items } = (await host.api('/pairing?state=approved')).json<{ items: PairingView[] }>();
      await host.api(`/pairing/${items.find(({ via }) => via === `invite:${made.id}`)?.id}/revoke`, { method: 'POST' });
      await page.getByRole('heading', { name: 'This chat is for those who were invited' }).waitFor();
      expect(await page.getByLabel('Message').isVisible()).toBe(false);
    });

    it('is let in by the link of an invite, which stays neither in the address nor in the history', async () => {
      const made = await invite();
      await using browser = await startBrowser();
      const { page, complaints } = await browser.open(`${host.address}${made.path}`);
      await page.getByText('Connected', { exact: true }).waitFor();
      expect(page.url()).toBe(`${host.address}/channels/webchat/`);
      expect(complaints).toEqual([]);
    });
  });
});
