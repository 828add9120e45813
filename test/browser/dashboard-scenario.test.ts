// An operator's afternoon at the dashboard, on a real host: a plugin is enabled, talked to, followed, broken, stopped by the host, released, and its dead letter put back to work.
import { expect, it } from 'vitest';
import type { DeadLetterView, PluginView } from '../../schemas/control.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { hasChromium, startBrowser } from './browser.ts';
import { adminToken, open, signIn } from './dashboard.ts';

/** Answers, and never comes back from `break` until its configuration says that it is mended. */
const addFragile = (home: TestHome, config: { readonly mended: boolean }, enabled: boolean) =>
  home.add({
    name: 'fragile',
    kind: 'skill',
    source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { if (message.text === 'break' && !ctx.config.mended) for (;;); return { replies: [{ text: 'you said ' + message.text }] }; } } });`,
    manifest: { skill: {}, config: { type: 'object', properties: { mended: { type: 'boolean' } }, additionalProperties: false } },
    enablement: { config, enabled },
  });

it.skipIf(!hasChromium)('leads from a plugin that is enabled over its quarantine to the replay of what it failed at', async () => {
  await using home = await aHome();
  await addFirstParty(home, 'webchat');
  await addFragile(home, { mended: false }, false);
  await using host = await startGatehouse(home);
  await using browser = await startBrowser();
  const { page, complaints } = await browser.open(`${host.address}/`);
  await signIn(page, await adminToken(host));

  await open(page, 'Plugins');
  await page.getByRole('link', { name: 'fragile' }).click();
  await page.getByRole('button', { name: 'Enable…' }).click();
  const enabling = page.getByRole('dialog', { name: 'Enable fragile?' });
  await enabling.getByText('state disabled').waitFor();
  await enabling.getByRole('button', { name: 'Enable' }).click();
  await page.locator('main > header').getByText('active', { exact: true }).waitFor();

  const chat = (await browser.open(`${host.address}/channels/webchat/`)).page;
  const say = async (text: string) => {
    await chat.getByLabel('Message').fill(text);
    await chat.keyboard.press('Enter');
  };
  await say('hello');
  await chat.getByText('you said hello').waitFor();

  await open(page, 'Messages');
  await page.getByRole('link', { name: 'hello', exact: true }).click();
  const walk = page.getByRole('region', { name: 'Walk' }).getByRole('listitem');
  await walk.first().waitFor();
  const stages = await walk.locator('b').allTextContents();
  expect(stages).toEqual(expect.arrayContaining(['receive', 'admit', 'accept', 'respond']));
  await page.getByRole('region', { name: 'Costs' }).getByText('fragile').waitFor();
  await page.getByRole('region', { name: 'Replies' }).getByText('you said hello').waitFor();

  await open(page, 'Live events');
  for (const word of ['break', 'break']) await say(word);
  await page.getByRole('button', { name: /plugin\.strike/ }).first().waitFor();
  await eventually(async () => expect((await host.api('/plugins/fragile')).json<PluginView>().state).toBe('quarantined'), 120_000);
  await open(page, 'Overview');
  const attention = page.getByRole('region', { name: 'Needs attention' });
  await attention.getByText('quarantined', { exact: true }).waitFor();
  await attention.getByRole('link', { name: 'evidence' }).click();
  await page.getByRole('heading', { level: 1, name: 'fragile' }).waitFor();
  await page.getByRole('region', { name: 'What led to it' }).first().getByText('plugin.strike').waitFor();

  await addFragile(home, { mended: true }, true);
  await page.getByRole('button', { name: 'Release…' }).click();
  const releasing = page.getByRole('dialog', { name: 'Release fragile?' });
  await releasing.getByLabel('Reason').fill('its configuration is mended');
  await releasing.getByRole('button', { name: 'Release' }).click();
  await eventually(async () => expect((await host.api('/plugins/fragile')).json<PluginView>().state).toBe('active'), 120_000);

  await eventually(async () => expect((await host.api('/dead-letters')).json<{ items: DeadLetterView[] }>().items.length).toBeGreaterThan(0), 120_000);
  await open(page, 'Dead letters');
  await page.locator('.list').getByRole('link').first().click();
  await page.getByRole('heading', { level: 1, name: 'Dead letter' }).waitFor();
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByText('The dead letter is back at work.').waitFor();
  await chat.getByText('you said break').first().waitFor();
  expect(complaints).toEqual([]);
});
