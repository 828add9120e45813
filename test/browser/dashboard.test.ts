// The dashboard in a real browser on a real host: who gets in, what is shown, what is done about a plugin, and that a token sees what it permits and no more.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PluginView } from '../../schemas/control.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { hasChromium, startBrowser, type Browser } from './browser.ts';
import { adminToken, open, signIn, tokenFor } from './dashboard.ts';

describe.skipIf(!hasChromium)('the dashboard', () => {
  let home: TestHome;
  let host: Gatehouse;
  let browser: Browser;

  beforeAll(async () => {
    home = await aHome();
    for (const name of ['webchat', 'wordlist', 'clock', 'concierge', 'echo'] as const) await addFirstParty(home, name);
    host = await startGatehouse(home);
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  const enter = async (token: string, path = '') => {
    const opened = await browser.open(`${host.address}/${path}`);
    await signIn(opened.page, token);
    return opened;
  };
  const stateOf = async (instance: string) => (await host.api(`/plugins/${instance}`)).json<PluginView>().state;
  /** All that a page keeps or shows, as one text. */
  const traces = (page: Page) => page.evaluate<string>('document.documentElement.outerHTML + location.href + JSON.stringify(history.state) + document.cookie + JSON.stringify(localStorage)');

  it('says so of a wrong token, keeps a right one in the tab alone, and forgets it', async () => {
    const token = await adminToken(host);
    const { page, complaints } = await browser.open(`${host.address}/`);
    await page.getByLabel('Token').fill('ght_0000000000000000_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('UNAUTHENTICATED', { exact: true }).waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);

    await signIn(page, token);
    await page.getByText('Messages a minute').waitFor();
    expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual(['gatehouse.token']);
    expect(await traces(page)).not.toContain(token.slice(21));
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    // What a browser writes of an answer of 401 is all there is: no script failed, and no policy was violated.
    expect(complaints.filter((each) => !each.includes('401'))).toEqual([]);
  });

  it('shows throughput, latency, depth and errors as they are, and what needs attention with what helps', async () => {
    await using chat = await openChat(host.address);
    await chat.ask('echo hello');
    await host.api('/plugins/clock/quarantine', { method: 'POST', body: { reason: 'it is late' } });
    const { page, complaints } = await enter(await adminToken(host));
    for (const title of ['Throughput', 'Latency', 'Queue depth', 'Errors']) await page.getByRole('img', { name: new RegExp(`^${title} over the last hour\\. .*: now .*, at most`) }).waitFor();
    const attention = page.getByRole('region', { name: 'Needs attention' });
    await attention.getByText('it is late').waitFor();
    expect(await attention.getByRole('link', { name: 'evidence' }).count()).toBe(1);
    await host.api('/plugins/clock/release', { method: 'POST', body: { reason: 'it was not' } });
    await page.getByText('Nothing needs attention.').waitFor();
    expect(complaints).toEqual([]);
  });

  it('quarantines and releases an instance by keyboard alone, with what changes shown and a reason demanded', async () => {
    const { page, complaints } = await enter(await adminToken(host), '#/plugins/echo');
    await page.getByRole('heading', { level: 1, name: 'echo' }).waitFor();
    const press = async (...keys: readonly string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () => page.evaluate<string>('document.activeElement.textContent || document.activeElement.tagName');
    const tabTo = async (text: string) => {
      for (let tries = 0; tries < 40 && !(await focused()).startsWith(text); tries += 1) await press('Tab');
      expect(await focused()).toMatch(new RegExp(`^${text}`));
    };
    await tabTo('Quarantine…');
    await press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Quarantine echo?' });
    await dialog.getByText('state quarantined').waitFor();
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await focused()).toBe('Quarantine…');

    await press('Enter');
    await dialog.getByText('state quarantined').waitFor();
    expect(await dialog.getByRole('button', { name: 'Quarantine' }).isDisabled()).toBe(true);
    await tabTo('TEXTAREA');
    await page.keyboard.type('it repeats itself');
    await tabTo('Quarantine');
    await press('Enter');
    await eventually(async () => expect(await stateOf('echo')).toBe('quarantined'));
    await page.getByText('it repeats itself').waitFor();

    await page.getByRole('button', { name: 'Release…' }).waitFor();
    await tabTo('Release…');
    await press('Enter');
    await tabTo('TEXTAREA');
    await page.keyboard.type('that is what it is for');
    await tabTo('Release');
    await press('Enter');
    await eventually(async () => expect(await stateOf('echo')).toBe('active'));
    expect(complaints).toEqual([]);
  });

  it('offers a token what it permits and no more, and ends with it', async () => {
    const token = await tokenFor(host, 'status:read', 'plugins:read');
    const { page } = await enter(token);
    await eventually(async () => expect(await page.getByRole('navigation', { name: 'Views' }).getByRole('link').allTextContents()).toEqual(['Overview', expect.stringMatching(/^Plugins/), expect.stringMatching(/^Approvals/)]));
    await open(page, 'Plugins');
    await page.getByRole('link', { name: 'echo', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'echo' }).waitFor();
    await page.getByRole('heading', { level: 2, name: 'Grants' }).waitFor();
    expect(await page.getByRole('main').getByRole('button').filter({ hasNotText: /^$/ }).allTextContents()).toEqual([]);
    await page.goto(`${host.address}/#/tokens`);
    await page.getByText('This token does not permit it').waitFor();

    await host.api(`/tokens/${token.slice(4, 20)}/revoke`, { method: 'POST' });
    await page.getByRole('alert').getByText('The host no longer takes this token').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });
});
