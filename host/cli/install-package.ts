// Brings a package into a home: verified first, then copied byte for byte to plugins/<id>-<version>. Called by `init` and `plugins enable`.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TrustRecord } from '../../schemas/release.ts';
import { writeFileWhole } from '../authoring/write-file.ts';
import type { Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { readPackage } from '../trust/package.ts';
import { loadRevocations } from '../trust/revocation.ts';
import { packageDigest, subjectOf } from '../trust/statement.ts';
import { loadTrust, readTrustRecord } from '../trust/trust-store.ts';
import { verifyPackage, type VerifiedRelease } from '../trust/verify.ts';
import { packageFolder } from './enable-package.ts';
import { publisherFolders, revocationsFile } from './trust-context.ts';

/** The verdict of this home on a package, by both implementations. Throws what refuses it. */
export async function verifyForHome(path: string, config: ResolvedConfig, clock: Clock): Promise<VerifiedRelease> {
  const [{ store: trust }, revocations] = await Promise.all([loadTrust(publisherFolders(config)), loadRevocations(revocationsFile(config))]);
  const verdict = await verifyPackage(path, { trust, revocations, now: clock.now(), secondOpinion: 'always', profile: config.profile, strict: config.strict });
  if (!verdict.ok) throw verdict.error;
  return verdict.release;
}

/**
 * Copies the verified bytes. What is there already stays when it is the same; a development build replaces another
 * of its version. Throws SAME_VERSION_CHANGED for two releases of one version.
 */
export async function installPackage(home: string, release: VerifiedRelease): Promise<void> {
  const { id, version } = release.manifest;
  const target = join(home, packageFolder(release.manifest));
  if (existsSync(target)) {
    const seen = packageDigest(subjectOf((await readPackage(target)).files));
    if (seen === release.packageDigest && (await isSameContent(target, release))) return;
    if (seen !== release.packageDigest && !release.development) throw new GatehouseError('SAME_VERSION_CHANGED', { plugin: id, version, digest: release.packageDigest, seen });
  }
  await replaceFolder(target, release.files);
}

/** Lets the home trust what this install builds. Keys it trusts already stay: packages from another checkout are signed with them. */
export async function trustFirstParty({ dataDir }: Pick<ResolvedConfig, 'dataDir'>, record: TrustRecord): Promise<void> {
  const folder = join(dataDir, 'trust', 'publishers');
  const file = join(folder, `${record.publisher}.json`);
  const earlier = existsSync(file) ? readTrustRecord(await readFile(file), file).record.keys : [];
  const keys = [...earlier.filter(({ keyid }) => !record.keys.some((each) => each.keyid === keyid)), ...record.keys];
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await mkdir(folder, { recursive: true });
  await writeFileWhole(file, `${JSON.stringify({ ...record, keys }, null, 2)}\n`);
}

/** The same files with the same signature: the digest leaves the signature out. */
async function isSameContent(target: string, { files }: VerifiedRelease): Promise<boolean> {
  const present = (await readPackage(target)).files;
  return present.size === files.size && [...files].every(([name, content]) => present.get(name)?.equals(content));
}

/** Written beside the target and renamed: nobody ever finds half a package. */
async function replaceFolder(target: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const draft = join(dirname(target), `.draft-${randomUUID()}`);
  const earlier = join(dirname(target), `.earlier-${randomUUID()}`);
  try {
    for (const [name, content] of files) {
      const file = join(draft, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { flag: 'wx', flush: true });
    }
    if (existsSync(target)) await rename(target, earlier);
    await rename(draft, target);
  } finally {
    await rm(draft, { recursive: true, force: true });
    await rm(earlier, { recursive: true, force: true });
  }
}
