// Puts first-party plugins, as `npm run plugins` built and signed them, into a test's home.
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Enablement } from '../../schemas/enablement.ts';
import type { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { systemClock } from '../../host/clock.ts';
import type { TestHome } from './home.ts';
import { newTestKey, writeTrustRecord } from './packages.ts';

const ROOT = resolve(import.meta.dirname, '../..');

export type FirstParty = 'webchat' | 'webhook' | 'wordlist' | 'clock' | 'concierge' | 'echo';

/** Copies package and development trust, and enables it with everything it asks for. */
export async function addFirstParty(home: TestHome, name: FirstParty, enablement: Partial<Enablement> = {}): Promise<void> {
  const built = join(ROOT, 'plugins', name, 'dist');
  const manifest = JSON.parse(await readFile(join(built, 'plugin.json'), 'utf8')) as PluginManifest;
  const source = `plugins/${manifest.id}-${manifest.version}`;
  await cp(built, join(home.path, source), { recursive: true });
  await mkdir(join(home.path, 'data/trust/publishers'), { recursive: true, mode: 0o700 });
  await cp(join(ROOT, 'data/trust/publishers/gatehouse.json'), join(home.path, 'data/trust/publishers/gatehouse.json'));
  await home.write(`manifests/plugins/${name}.json`, { plugin: manifest.id, instance: name, source, grants: manifest.capabilities ?? [], ...(name === 'concierge' ? { order: 1000 } : {}), ...enablement });
}

export const WEBHOOK_SECRET = 'a shared secret for tests';

/** The webhook with its secret in a file of the home. */
export async function addWebhook(home: TestHome, enablement: Partial<Enablement> = {}): Promise<void> {
  await home.write('webhook.secret', `${WEBHOOK_SECRET}\n`);
  await addFirstParty(home, 'webhook', { secrets: { signing: { file: 'webhook.secret' } }, ...enablement });
}

/** Signs what was added with a key that counts in every profile; the development key counts in `local` alone. */
export async function releaseFirstParty(home: TestHome): Promise<void> {
  const key = newTestKey('gatehouse');
  await rm(join(home.path, 'data/trust'), { recursive: true, force: true });
  await writeTrustRecord(home.path, key);
  for (const name of await readdir(join(home.path, 'plugins'))) if (name.startsWith('gatehouse.')) await signPackage(join(home.path, 'plugins', name), { key, now: systemClock.now(), force: true });
}
