// The dashboard for everybody and under strain: no finding of axe on any view, light and dark, desk and phone; ten thousand rows; a slow network; and a proof checked in the browser.
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeadLetterView, MessageView } from '../../schemas/control.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { hasChromium, startBrowser } from './browser.ts';
import { adminToken, signIn } from './dashboard.ts';

const VIEWS = ['', 'plugins', 'plugins/echo', 'messages', 'dead-letters', 'deliveries', 'lanes', 'sessions', 'pairing', 'costs', 'quarantine', 'quarantine/clock', 'approvals', 'events', 'audit', 'tokens', 'settings', 'nowhere'];

describe.skipIf(!hasChromium)('the dashboard', () => {
  let home: TestHome;
  let host: Gatehouse;
  let views: readonly string[];

  beforeAll(async () => {
    home = await aHome();
    for (const name of ['webchat', 'clock', 'echo'] as const) await addFirstParty(home, name);
    await home.add({ name: 'with-a-name-that-is-as-long-as', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => { if (message.text === 'fail') throw new Error('no'); return null; } } });`, manifest: { skill: {}, capabilities: [{ name: 'kv', quotaBytes: 65_536 }] }, enablement: { order: 1 } });
    host = await startGatehouse(home);
    await using chat = await openChat(host.address);
    await chat.ask('echo hello');
    await chat.ack('fail');
    await host.api('/plugins/clock/quarantine', { method: 'POST', body: { reason: 'to see how that looks' } });
    const letters = await eventually(async () => {
      const { items } = (await host.api('/dead-letters')).json<{ items: DeadLetterView[] }>();
      if (items.length === 0) throw new Error('no dead letter yet');
      return items;
    }, 120_000);
    const messages = (await host.api('/messages')).json<{ items: MessageView[] }>().items;
    views = [...VIEWS, `dead-letters/${letters[0]?.id}`, `messages/${messages.find(({ outcome }) => outcome === 'answered')?.id}`];
  });
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  const go = async (page: Page, view: string) => {
    await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}`)}`);
    await page.locator('#title').waitFor();
    await page.getByRole('main').locator('.skeleton').first().waitFor({ state: 'detached' });
  };

  it.for([
    ['at a desk', { viewport: { width: 1280, height: 800 } }],
    ['on a phone', { viewport: { width: 320, height: 640 }, isMobile: true }],
  ] as const)('has no fault that axe finds %s, in light and dark, and nothing that sticks out', async ([, options]) => {
    const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
    await using browser = await startBrowser(options);
    const { page, complaints } = await browser.open(`${host.address}/`);
    await page.evaluate(axe);
    const run = async (name: string, rules: string) => {
      const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(`axe.run(document, { resultTypes: ['violations'] ${rules} })`);
      return violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`);
    };
    const sticksOut = async (name: string, faults: readonly string[]) => ((await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')) ? [...faults, `${name}: wider than the screen`] : [...faults]);
    const look = async (name: string) => {
      await page.emulateMedia({ colorScheme: 'light' });
      // A phone has the same document: what its width decides is what is looked at there.
      const faults = await run(name, 'isMobile' in options ? ", runOnly: ['target-size', 'color-contrast', 'scrollable-region-focusable', 'empty-table-header']" : '');
      if ('isMobile' in options) return sticksOut(name, faults);
      await page.emulateMedia({ colorScheme: 'dark' });
      // All that the scheme changes.
      faults.push(...(await run(`${name} in the dark`, `, runOnly: ['color-contrast', 'link-in-text-block']`)));
      return sticksOut(name, faults);
    };
    const faults = await look('sign in');
    await signIn(page, await adminToken(host));
    for (const view of views) {
      await go(page, view);
      faults.push(...(await look(view)));
    }
    expect(faults).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('keeps ten thousand rows as smooth as a hundred, with only those in sight in the document', async () => {
    const { audit } = host.host;
    await Promise.all(Array.from({ length: 10_000 }, (_, index) => audit.append({ actor: 'host', action: 'test.fill', resource: `row ${index}`, outcome: 'done' })));
    await using browser = await startBrowser();
    const { page } = await browser.open(`${host.address}/`);
    await signIn(page, await adminToken(host));
    await go(page, 'audit?action=test.fill');
    const frames = (from: number, to: number) => page.evaluate<number>(`new Promise((done) => { const box = document.querySelector('.scroll'); const times = []; let last = performance.now(); let at = ${from}; const step = (now) => { times.push(now - last); last = now; at += (${to} - ${from}) / 60; box.scrollTop = at; if (times.length < 60) requestAnimationFrame(step); else done(times.sort((a, b) => a - b)[30]); }; requestAnimationFrame(step); })`);
    const rows = page.locator('.list tr.item');
    await rows.first().waitFor();
    const withFew = await frames(0, 2000);
    await page.evaluate('globalThis.reading = setInterval(() => { document.querySelector(".scroll").scrollTop = 1e9; }, 20)');
    await page.getByText('10,000 entries', { exact: true }).waitFor();
    await page.evaluate('clearInterval(globalThis.reading)');
    const withMany = await frames(0, 300_000);
    expect(await rows.count()).toBeLessThan(120);
    expect(withMany).toBeLessThan(withFew * 4);
    await page.evaluate('document.querySelector(".scroll").scrollTop = 1e9');
    await page.getByText('row 0', { exact: true }).waitFor();
  });

  it('checks in the browser that an entry is in the log, and says so of one that is not', async () => {
    await using browser = await startBrowser();
    const { page } = await browser.open(`${host.address}/`);
    await signIn(page, await adminToken(host));
    await go(page, 'audit?action=plugin.quarantine');
    const first = page.getByRole('button', { name: 'plugin.quarantine' }).first();
    await first.click();
    await page.getByText('Verified in this browser.').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.route('**/proof', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: (await answer.text()).replace('to see how that looks', 'it was never so').replace('"actor":"token:', '"actor":"tokem:') });
    });
    await first.click();
    await page.getByText('Not verified.').waitFor();
    expect(await page.getByText('It was changed after it was written.').count()).toBe(1);
  });

  it('shows on a slow network what is on its way, and sends nothing twice', async () => {
    await using browser = await startBrowser();
    const { page } = await browser.open(`${host.address}/`);
    await signIn(page, await adminToken(host));
    const gate = Promise.withResolvers<void>();
    const sent: (string | undefined)[] = [];
    await page.route('**/api/v1/plugins/echo', async (route) => {
      await gate.promise;
      await route.continue();
    });
    await page.evaluate('location.hash = "#/plugins/echo"');
    await page.getByRole('main').getByRole('status').filter({ hasText: 'Loading' }).waitFor();
    gate.resolve();
    await page.getByRole('button', { name: 'Disable…' }).click();
    const answering = Promise.withResolvers<void>();
    await page.route('**/api/v1/plugins/echo/disable', async (route) => {
      sent.push(route.request().headers()['idempotency-key']);
      await answering.promise;
      await route.continue();
    });
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('a rest');
    const submit = dialog.getByRole('button', { name: 'Disable', exact: true });
    for (let times = 0; times < 5; times += 1) await submit.click({ force: true });
    await page.keyboard.press('Enter');
    answering.resolve();
    await page.getByText('echo is disabled.').waitFor();
    expect(sent).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
  });

  it('is told no in the host’s own words, with the code, and stays where it was', async () => {
    await using browser = await startBrowser();
    const { page } = await browser.open(`${host.address}/`);
    await signIn(page, await adminToken(host));
    await go(page, 'plugins/nobody');
    const { detail, code } = (await host.api('/plugins/nobody')).json<{ detail: string; code: string }>();
    await page.getByRole('alert').getByText(detail).waitFor();
    expect(await page.getByRole('alert').getByText(code, { exact: true }).count()).toBe(1);
    expect(page.url()).toBe(`${host.address}/#/plugins/nobody`);
  });
});
