// The first-party plugins of an install: built and signed when it was packed, and taken from there. Used by `init`, `plugins enable`, `first-party build` and packaging/build.ts.
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatehouseError } from '../errors.ts';
import { readManifest } from '../trust/manifest.ts';
import { MANIFEST_FILE } from '../trust/package-names.ts';
import { readPackage } from '../trust/package.ts';
import { packageDigest, subjectOf } from '../trust/statement.ts';
import { readTrustRecord } from '../trust/trust-store.ts';
import { INSTALL_DIR, buildFirstParty, firstPartyNames, type FirstParty, type FirstPartyPlugin } from './first-party.ts';
import { writeFileWhole } from './write-file.ts';

/** A checkout has no such folder: it builds its own. */
const SHIPPED_DIR = join(INSTALL_DIR, 'first-party');
const RECORD_FILE = 'trust-record.json';

/** Signed packages, wherever this code runs; writes nothing in an install. `only` names ids, default all. Throws FIRST_PARTY_UNKNOWN, and in a checkout what building throws. */
export async function firstParty(options: { readonly now: number; readonly only?: readonly string[] }): Promise<FirstParty> {
  return existsSync(SHIPPED_DIR) ? await readShipped(SHIPPED_DIR, options.only) : await buildFirstParty(options);
}

/** Copies built packages, and whom to trust for them, into a new folder: never a private key. */
export async function shipFirstParty(folder: string, { plugins, record }: FirstParty): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, path } of plugins) await cp(path, join(folder, name), { recursive: true });
  await writeFileWhole(join(folder, RECORD_FILE), `${JSON.stringify(record, null, 2)}\n`);
}

/** Nothing is verified here: whoever uses a package verifies it against their own trust, as with any other. */
async function readShipped(folder: string, only: readonly string[] | undefined): Promise<FirstParty> {
  const all = await Promise.all((await firstPartyNames(folder)).map((name) => describe(name, join(folder, name))));
  const unknown = only?.find((id) => !all.some((plugin) => plugin.id === id));
  if (unknown !== undefined) throw new GatehouseError('FIRST_PARTY_UNKNOWN', { plugin: unknown, known: all.map(({ id }) => id).join(', ') });
  const file = join(folder, RECORD_FILE);
  const { record } = readTrustRecord(await readFile(file), file);
  return { plugins: all.filter(({ id }) => only === undefined || only.includes(id)), record };
}

async function describe(name: string, path: string): Promise<FirstPartyPlugin> {
  const { files } = await readPackage(path);
  const { id, version } = readManifest(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), join(path, MANIFEST_FILE));
  return { name, id, version, path, packageDigest: packageDigest(subjectOf(files)), changed: false };
}
