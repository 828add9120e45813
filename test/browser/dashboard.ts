// The dashboard in a browser, signed in with a token of the test's own: what the tests of its pages share.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import type { NewTokenView } from '../../schemas/token.ts';
import type { Gatehouse } from '../support/gatehouse.ts';

/** The token that may do everything. */
export const adminToken = async ({ host }: Pick<Gatehouse, 'host'>): Promise<string> => (await readFile(join(host.config.dataDir, 'admin-token'), 'utf8')).trim();

/** A token that may do this and nothing else. */
export async function tokenFor(gatehouse: Pick<Gatehouse, 'api'>, ...scopes: readonly string[]): Promise<string> {
  const answer = await gatehouse.api('/tokens', { method: 'POST', body: { label: 'somebody at the desk', scopes } });
  return answer.json<NewTokenView>().token;
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('#title').waitFor();
}

/** Follows a link of the navigation, as a person does. */
export async function open(page: Page, place: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: place }).click();
  await page.getByRole('heading', { level: 1, name: place }).waitFor();
}
