// Signed plugin packages from a few lines of script, with throw-away keys: `await buildTestPackage({ dir, id: 'acme.echo', kind: 'skill', source })`.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PluginKind } from '../../schemas/plugin-manifest.ts';
import type { Provenance, TrustRecord } from '../../schemas/release.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { systemClock } from '../../host/clock.ts';
import { generateKey, type SigningKey } from '../../host/trust/keys.ts';
import { readTrustRecord } from '../../host/trust/trust-store.ts';

export interface TestPackage {
  /** The folder to write; made if it is not there. */
  readonly dir: string;
  readonly id: string;
  readonly version?: string;
  readonly kind: PluginKind;
  /** The text of plugin.js; it may call `gatehouse.register` itself. */
  readonly source: string;
  /** Laid over the minimal manifest of the kind; undefined removes a key. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Further files by name. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Who signs: made for the id's publisher when absent, nobody when null. */
  readonly key?: SigningKey | null;
  readonly now?: number;
  readonly expiresAt?: number;
  readonly provenance?: Provenance;
}

export interface BuiltTestPackage {
  readonly path: string;
  readonly key: SigningKey | null;
  /** Null when not signed. */
  readonly packageDigest: string | null;
}

export function newTestKey(publisher: string): SigningKey {
  return generateKey(publisher);
}

/** Writes and signs a package folder; no bundler, so it takes a few milliseconds. */
export async function buildTestPackage({ dir, id, version = '1.0.0', kind, source, manifest = {}, files = {}, key, now, expiresAt, provenance }: TestPackage): Promise<BuiltTestPackage> {
  const text = JSON.stringify(aManifest({ id, version, kind, ...manifest }), null, 2);
  for (const [name, content] of Object.entries({ 'plugin.json': text, 'plugin.js': source, ...files })) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  if (key === null) return { path: dir, key: null, packageDigest: null };
  const signer = key ?? newTestKey(id.slice(0, id.indexOf('.')));
  const { packageDigest } = await signPackage(dir, { key: signer, now: now ?? systemClock.now(), ...(expiresAt === undefined ? {} : { expiresAt }), ...(provenance && { provenance }), force: true });
  return { path: dir, key: signer, packageDigest };
}

const SECTIONS: Readonly<Record<PluginKind, Readonly<Record<string, unknown>>>> = {
  channel: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'none' } }] } },
  skill: { skill: { triggers: { always: true } } },
  moderation: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound', 'outbound'] } },
  tool: { tools: [{ name: 'run', description: 'Runs.', inputSchema: { type: 'object' }, outputSchema: {}, effects: 'read', idempotent: true }] },
};

/** A minimal manifest; `kind` brings its section along. */
export function aManifest(changes: { readonly id: string; readonly kind: PluginKind } & Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { id, kind } = changes;
  return { manifestVersion: 1, publisher: id.slice(0, id.indexOf('.')), version: '1.0.0', displayName: id, description: '', license: 'MIT', hostApi: '^1.0.0', ...SECTIONS[kind], ...changes };
}

export interface TestTrust {
  /** Default: everything of the publisher. */
  readonly prefixes?: readonly string[];
  readonly development?: boolean;
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** Adds the key to `<home>/manifests/trust/publishers/<publisher>.json`, keeping keys that are there; returns the file. */
export async function writeTrustRecord(home: string, key: SigningKey, { prefixes, ...validity }: TestTrust = {}): Promise<string> {
  const file = join(home, 'manifests', 'trust', 'publishers', `${key.publisher}.json`);
  await mkdir(dirname(file), { recursive: true });
  const keys = existsSync(file) ? readTrustRecord(await readFile(file), file).record.keys : [];
  const entry = { keyid: key.keyid, publicKey: key.publicKey.toString('base64'), ...validity };
  const record: TrustRecord = { publisher: key.publisher, prefixes: [...(prefixes ?? [`${key.publisher}.`])], keys: [...keys.filter(({ keyid }) => keyid !== key.keyid), entry] };
  await writeFile(file, JSON.stringify(record, null, 2));
  return file;
}
