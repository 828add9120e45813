// What an operator does at the dashboard day by day: budgets, strangers and invites, the settings of the network; a line that breaks; and what neither page nor browser keep of a secret.
import { createServer, connect, type Server, type Socket } from 'node:net';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CostView } from '../../schemas/costs.ts';
import type { PluginView } from '../../schemas/control.ts';
import type { InviteView, PairingView } from '../../schemas/pairing.ts';
import { DASHBOARD_DIST } from '../../host/control/dashboard/build.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { hasChromium, startBrowser, type Browser } from './browser.ts';
import { adminToken, open, signIn, tokenFor } from './dashboard.ts';

const CODE = /\b[A-HJ-NP-Z2-9]{8}\b/;

describe.skipIf(!hasChromium)('the dashboard', () => {
  let home: TestHome;
  let host: Gatehouse;
  let browser: Browser;

  beforeAll(async () => {
    home = await aHome();
    await addFirstParty(home, 'webchat', { admit: { access: 'pairing' } });
    const webchat: object = JSON.parse(await readFile(join(home.path, 'manifests/plugins/webchat.json'), 'utf8'));
    await home.write('manifests/plugins/door.json', { ...webchat, instance: 'door' });
    await home.add({ name: 'talker', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => (message.text === 'again' ? { replies: [{ text: 'you again' }] } : null) } });`, manifest: { skill: {} }, enablement: { order: 1 } });
    await home.add({ name: 'thrifty', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: 'heard ' + message.text }] }) } });`, manifest: { skill: {} }, enablement: { budgets: { perDay: { calls: 4 }, perMessage: { cpuMs: 500 } }, order: 2 } });
    // More instances than one page of the API holds.
    for (let index = 0; index < 52; index += 1) await home.write(`manifests/plugins/idle-${index}.json`, { plugin: 'test.idle', instance: `idle-${index}`, source: 'plugins/nowhere', enabled: false });
    host = await startGatehouse(home);
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  const enter = async (token: string, path = '', address = host.address) => {
    const opened = await browser.open(`${address}/${path}`);
    await signIn(opened.page, token);
    return opened;
  };

  it('lets a stranger in by the code they were told, shuts them out again, and shows no code', async () => {
    await using chat = await openChat(host.address, { channel: 'door' });
    const { page, complaints } = await enter(await adminToken(host), '#/pairing?instance=door');
    chat.say('hello');
    const code = CODE.exec((await chat.frame(({ text = '' }) => CODE.test(text))).text ?? '')?.[0] ?? '';
    await page.getByRole('button', { name: 'Refresh' }).click();
    const strangers = page.getByRole('region', { name: 'Pairings' });
    await strangers.getByText('pending').waitFor();
    expect(await page.content()).not.toContain(code);

    await page.getByRole('button', { name: 'Enter a code…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Who was told a code?' });
    await dialog.getByLabel('Code').fill('ZZZZZZZZ');
    await dialog.getByRole('button', { name: 'Let in' }).click();
    await dialog.getByText('PAIRING_CODE', { exact: true }).waitFor();
    await dialog.getByLabel('Code').fill(code.toLowerCase());
    await dialog.getByRole('button', { name: 'Let in' }).click();
    await strangers.getByText('approved').waitFor();
    expect(await chat.ask('again')).toBe('you again');

    await strangers.getByRole('button', { name: 'Revoke…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
    await strangers.getByText('revoked').waitFor();
    expect((await host.api('/pairing?instance=door')).json<{ items: PairingView[] }>().items.map(({ state }) => state)).toEqual(['revoked']);
    expect(page.url()).not.toContain(code);
    // What a browser writes of the refusal is all there is.
    expect(complaints.filter((each) => !each.includes('404') && !each.includes('400') && !each.includes('409'))).toEqual([]);
  });

  it('makes an invite whose link is shown once, and withdraws it', async () => {
    const { page, complaints } = await enter(await adminToken(host), '#/pairing');
    await page.getByRole('button', { name: 'New invite…' }).click();
    const making = page.getByRole('dialog', { name: 'New invite' });
    await making.getByLabel('Channel').selectOption('webchat');
    await making.getByLabel('For', { exact: true }).fill('Ada');
    await making.getByLabel('Lets in').fill('2');
    await making.getByRole('button', { name: 'Create' }).click();
    const made = page.getByRole('dialog', { name: 'Hand out this link now' });
    const link = await made.locator('.secret code').innerText();
    expect(link).toMatch(new RegExp(`^${host.address}/channels/webchat/#invite=ghi_`));
    await made.getByRole('button', { name: 'I have it' }).click();
    const invites = page.getByRole('region', { name: 'Invites' });
    await invites.getByText('0 of 2').waitFor();
    expect(await page.content()).not.toContain(link.slice(-20));
    await invites.getByRole('button', { name: 'Withdraw…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Withdraw', exact: true }).click();
    await invites.getByText('withdrawn').waitFor();
    expect((await host.api('/pairing/invites')).json<{ items: InviteView[] }>().items.map(({ label, state, uses }) => ({ label, state, uses }))).toEqual([{ label: 'Ada', state: 'withdrawn', uses: 2 }]);
    expect(complaints).toEqual([]);
  });

  it('shows what was spent today against the budgets, and the history of one plugin', async () => {
    await using chat = await openChat(host.address);
    chat.say('who am I');
    const code = CODE.exec((await chat.frame(({ text = '' }) => CODE.test(text))).text ?? '')?.[0] ?? '';
    await host.api(`/pairing/${code}/approve`, { method: 'POST' });
    const spentOf = async () => (await host.api('/costs/thrifty')).json<CostView>().spent.calls;
    while ((await spentOf()) < 4) await chat.ask('more');
    const { page, complaints } = await enter(await adminToken(host), '#/costs');
    const row = page.getByRole('row').filter({ hasText: 'thrifty' });
    await row.getByText('spent', { exact: true }).waitFor();
    expect(await row.getByRole('meter').getAttribute('aria-valuetext')).toBe('100%');
    await row.getByRole('link', { name: 'thrifty' }).click();
    await page.getByRole('region', { name: 'Today' }).getByText('4 of 4').waitFor();
    await page.getByRole('region', { name: 'Today' }).getByText('500 ms cpu').waitFor();
    await page.getByRole('img', { name: /^Calls over the last 48 hours\. Answered: now 4,/ }).waitFor();
    await page.getByLabel('Steps of the history').selectOption('day');
    await page.getByRole('img', { name: /^Calls over the last 30 days\. Answered: now 4,/ }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('shows the network policy with who said so, and leads to a page of a channel in a tab of its own', async () => {
    const { page, complaints } = await enter(await adminToken(host), '#/settings');
    const network = page.getByRole('region', { name: 'Network policy' });
    await network.getByText(host.address, { exact: true }).waitFor();
    expect(await network.getByText('this machine only').count()).toBe(1);
    expect(await page.getByRole('region', { name: 'Discovery' }).getByText('off', { exact: true }).count()).toBe(2);

    await page.goto(`${host.address}/#/plugins/webchat`);
    const link = page.getByRole('link', { name: 'Open its page in a new tab' });
    const [tab] = await Promise.all([page.waitForEvent('popup'), link.click()]);
    await tab.waitForURL(`${host.address}/channels/webchat/`);
    // Neither reaches the other, and the token stays where it was.
    expect(await tab.evaluate('[window.opener, sessionStorage.getItem("gatehouse.token")]')).toEqual([null, null]);
    expect(complaints).toEqual([]);
  });

  it('lists more instances than the API hands out at once', async () => {
    const { page } = await enter(await adminToken(host), '#/plugins');
    const { items, cursor } = (await host.api('/plugins')).json<{ items: PluginView[]; cursor: string | null }>();
    expect(items.length).toBe(50);
    expect(cursor).not.toBeNull();
    await page.getByText('56 plugins', { exact: true }).waitFor();
  });

  it('goes on after a broken line where it was, losing no event and showing none twice', async () => {
    await using line = await aLineTo(host.address);
    const { page } = await enter(await adminToken(host), '#/events', line.address);
    await page.getByText('connected', { exact: true }).waitFor();
    const asked: Request[] = [];
    page.on('request', (request) => request.url().includes('/api/v1/events') && asked.push(request));
    await line.cut();
    await page.getByText('not connected').waitFor();
    await host.api('/plugins/thrifty/quarantine', { method: 'POST', body: { reason: 'while nobody looked' } });
    await line.mend();
    const moved = page.getByRole('row').filter({ hasText: 'while nobody looked' });
    await moved.waitFor();
    expect(await moved.count()).toBe(1);
    const headers = await asked.at(-1)?.allHeaders();
    expect(headers?.['last-event-id']).toMatch(/^[0-9a-z]+\.[0-9]+$/);
    // Messages are many: who looks at what happens to the host is not sent them.
    expect(asked.every((each) => !new URL(each.url()).searchParams.get('types')?.includes('message'))).toBe(true);
    await host.api('/plugins/thrifty/release', { method: 'POST', body: { reason: 'seen' } });
    await eventually(async () => expect((await host.api('/plugins/thrifty')).json<PluginView>().state).toBe('active'));
  });

  it('does nothing to an instance that somebody else changed while its dialog was open, and shows it anew', async () => {
    const { page } = await enter(await adminToken(host), '#/plugins/talker');
    await page.getByRole('button', { name: 'Quarantine…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('state active').waitFor();
    await host.api('/plugins/talker/disable', { method: 'POST', body: { reason: 'somebody was quicker' } });
    await dialog.getByLabel('Reason').fill('too late');
    await dialog.getByRole('button', { name: 'Quarantine', exact: true }).click();
    await dialog.getByText('Somebody changed it meanwhile.').waitFor();
    expect((await host.api('/plugins/talker')).json<PluginView>().state).toBe('disabled');
    await dialog.getByRole('button', { name: 'Look again' }).click();
    await dialog.getByText('state disabled').waitFor();
    await host.api('/plugins/talker/enable', { method: 'POST' });
    await eventually(async () => expect((await host.api('/plugins/talker')).json<PluginView>().state).toBe('active'));
  });

  it('is refused what a token does not permit, when the page is made to try all the same, and says so', async () => {
    const { page } = await enter(await tokenFor(host, 'plugins:read'), '#/plugins/thrifty');
    expect(await page.getByRole('button', { name: 'Disable…' }).count()).toBe(0);
    // The page of somebody who may, with the token of one who may not: as if nothing were hidden.
    await page.route('**/tokens/self', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), scopes: ['*'] } });
    });
    await page.reload();
    await page.getByRole('button', { name: 'Disable…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('to try');
    await dialog.getByRole('button', { name: 'Disable', exact: true }).click();
    await dialog.getByRole('alert').getByText('FORBIDDEN', { exact: true }).waitFor();
    expect((await host.api('/plugins/thrifty')).json<PluginView>().state).toBe('active');
  });

  it('leaves no token in the history, the cache or a file of the browser', async () => {
    await using other = await startBrowser();
    const token = await adminToken(host);
    const { page } = await other.open(`${host.address}/`);
    await signIn(page, token);
    for (const place of ['Messages', 'Tokens', 'Audit log', 'Plugins']) await open(page, place);
    expect(await page.evaluate('caches.keys()')).toEqual([]);
    const profile = other.profile;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.goBack();
    await page.getByLabel('Token').waitFor();
    await other.context.close();
    const secret = token.slice(21);
    const files = readdirSync(profile, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((each) => readFileSync(join(each.parentPath, each.name)).includes(secret)).map(({ name }) => name)).toEqual([]);
  });

  it('weighs what it may', async () => {
    const page = await readFile(join(DASHBOARD_DIST, 'index.html'), 'utf8');
    const files = readdirSync(join(DASHBOARD_DIST, 'assets'));
    const weightOf = (names: readonly string[]) => names.reduce((sum, name) => sum + gzipSync(readFileSync(join(DASHBOARD_DIST, 'assets', name))).length, 0);
    const first = files.filter((name) => page.includes(name));
    expect(first.length).toBeGreaterThanOrEqual(3);
    expect(weightOf(first)).toBeLessThanOrEqual(45_000);
    expect(weightOf(files)).toBeLessThanOrEqual(70_000);
  });
});

/** Between a browser and a host: cut, nothing goes through and nothing can be opened; mended, it is where it was. */
async function aLineTo(address: string): Promise<AsyncDisposable & { readonly address: string; cut(): Promise<void>; mend(): Promise<void> }> {
  const { hostname, port } = new URL(address);
  const open = new Set<Socket>();
  let server: Server;
  const listen = async (at: number) => {
    server = createServer((near) => {
      const far = connect(Number(port), hostname);
      for (const socket of [near, far]) {
        open.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => open.delete(socket));
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((done) => {
      server.listen(at, '127.0.0.1', done);
    });
    const bound = server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : 0;
  };
  const own = await listen(0);
  const cut = async () => {
    const closed = new Promise((done) => {
      server.close(done);
    });
    for (const socket of open) socket.destroy();
    await closed;
  };
  return { address: `http://127.0.0.1:${own}`, cut, mend: async () => void (await listen(own)), [Symbol.asyncDispose]: cut };
}
