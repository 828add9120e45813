// The plugins that come with Gatehouse, built and signed where they lie with a development key of this checkout. Used by `first-party build`, `init` and `plugins enable`.
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TrustRecord } from '../../schemas/release.ts';
import { GatehouseError } from '../errors.ts';
import { generateKey, readKeyFile, toKeyFile, type SigningKey } from '../trust/keys.ts';
import { MANIFEST_FILE } from '../trust/package-names.ts';
import { loadTrust, type TrustStore } from '../trust/trust-store.ts';
import { verifyPackage } from '../trust/verify.ts';
import { buildPlugin } from './build.ts';
import { signPackage } from './sign.ts';
import { writeFileOnce, writeFileWhole } from './write-file.ts';

const PUBLISHER = 'gatehouse';

/** The checkout or install this code belongs to. */
export const INSTALL_DIR = resolve(import.meta.dirname, '..', '..');

export interface FirstPartyPlugin {
  /** The folder's name, which is the default instance. */
  readonly name: string;
  readonly id: string;
  readonly version: string;
  /** The signed package folder. */
  readonly path: string;
  readonly packageDigest: string;
  /** False when it was built and signed already. */
  readonly changed: boolean;
}

export interface FirstParty {
  readonly plugins: readonly FirstPartyPlugin[];
  /** Whom a home must trust to run them; never holds the private key. */
  readonly record: TrustRecord;
}

export interface FirstPartyOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Where key and trust record are kept; default: `data/` of the install. */
  readonly dataDir?: string;
  /** Default: `plugins/` of the install. */
  readonly pluginsDir?: string;
  /** Ids to build; default: all of them. */
  readonly only?: readonly string[];
}

/**
 * Builds what changed and signs what is not signed with this checkout's key; the key is made on first use (`keys/gatehouse.key.json`, 0600), its public half
 * written to `trust/publishers/gatehouse.json`. When nothing changed nothing is written. Throws FIRST_PARTY_UNKNOWN and what building and signing throw.
 */
export async function buildFirstParty({ now, dataDir = join(INSTALL_DIR, 'data'), pluginsDir = join(INSTALL_DIR, 'plugins'), only }: FirstPartyOptions): Promise<FirstParty> {
  const key = await developmentKey(join(dataDir, 'keys'));
  const record = recordOf(key);
  const trustDir = join(dataDir, 'trust', 'publishers');
  await writeIfDifferent(trustDir, `${PUBLISHER}.json`, `${JSON.stringify(record, null, 2)}\n`);
  const { store } = await loadTrust([trustDir]);
  const names = await firstPartyNames(pluginsDir);
  const unknown = only?.find((id) => !names.some((name) => idOf(name) === id));
  if (unknown !== undefined) throw new GatehouseError('FIRST_PARTY_UNKNOWN', { plugin: unknown, known: names.map(idOf).join(', ') });
  const wanted = names.filter((name) => only === undefined || only.includes(idOf(name)));
  const plugins = await Promise.all(wanted.map((name) => buildAndSign(name, join(pluginsDir, name), key, store, now)));
  return { plugins, record };
}

/** The folders of `plugins/` that hold a plugin, sorted. */
export async function firstPartyNames(pluginsDir = join(INSTALL_DIR, 'plugins')): Promise<string[]> {
  const names = existsSync(pluginsDir) ? await readdir(pluginsDir) : [];
  return names.filter((name) => existsSync(join(pluginsDir, name, MANIFEST_FILE))).sort();
}

function idOf(name: string): string {
  return `${PUBLISHER}.${name}`;
}

async function buildAndSign(name: string, source: string, key: SigningKey, trust: TrustStore, now: number): Promise<FirstPartyPlugin> {
  const { id, version, path, packageDigest, changed } = await buildPlugin(source);
  // The second opinion is for what comes from elsewhere; here it would cost more than everything else together.
  const verdict = changed ? undefined : await verifyPackage(path, { trust, revocations: null, now, secondOpinion: { known: () => true, remember: () => undefined }, profile: 'local', strict: false });
  const isGood = verdict?.ok === true;
  if (!isGood) await signPackage(path, { key, now });
  return { name, id, version, path, packageDigest, changed: !isGood };
}

/** The key in the folder, made there first if need be: two builds at once agree on the one that was written first. */
async function developmentKey(folder: string): Promise<SigningKey> {
  const file = join(folder, `${PUBLISHER}.key.json`);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await writeFileOnce(file, `${JSON.stringify(toKeyFile(generateKey(PUBLISHER)), null, 2)}\n`, 0o600);
  }
  return readKeyFile(await readFile(file), file);
}

function recordOf({ publisher, keyid, publicKey }: SigningKey): TrustRecord {
  return { publisher, prefixes: [`${publisher}.`], keys: [{ keyid, publicKey: publicKey.toString('base64'), development: true }] };
}

async function writeIfDifferent(folder: string, name: string, content: string): Promise<void> {
  const file = join(folder, name);
  if (existsSync(file) && (await readFile(file, 'utf8')) === content) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileWhole(file, content);
}
