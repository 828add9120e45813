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
import { readTrustRecord } from '../trust/trust-store.ts';
import { verifyPackage, type Verification, type VerifiedRelease } from '../trust/verify.ts';
import { packageFolder } from './enable-package.ts';
import { trustOfHome } from './home-trust.ts';

/** The verdict of this home on a package, by both implementations. Throws what refuses it. */
export async function verifyForHome(path: string, config: ResolvedConfig, clock: Clock): Promise<VerifiedRelease> {
  const verdict = await judgeForHome(path, config, clock);
  if (!verdict.ok) throw verdict.error;
  return verdict.release;
}

async function judgeForHome(path: string, config: ResolvedConfig, clock: Clock): Promise<Verification> {
  const now = clock.now();
  const { trust, revocations } = await trustOfHome(config, now);
  return verifyPackage(path, { trust, revocations, now, secondOpinion: 'always', profile: config.profile, strict: config.strict });
}

/**
 * Copies the verified bytes. What is there already stays when it is the same; a development build replaces another of its version, and anything
 * replaces a copy that was damaged. Throws SAME_VERSION_CHANGED for two releases of one version.
 */
export async function installPackage(config: ResolvedConfig, release: VerifiedRelease, clock: Clock): Promise<Installed> {
  const { manifest: { id, version }, packageDigest: digest, development } = release;
  const folder = packageFolder(release.manifest);
  const target = join(config.home, folder);
  const before = existsSync(target) ? await judgeForHome(target, config, clock) : undefined;
  if (before?.ok && before.release.packageDigest === digest && isSameContent(before.release, release)) return 'present';
  const genuine = before !== undefined && isGenuine(before);
  if (genuine && before.claims.packageDigest !== digest && !development) {
    throw new GatehouseError('SAME_VERSION_CHANGED', { plugin: id, version, digest, seen: `${before.claims.packageDigest} in ${folder}` });
  }
  await replaceFolder(target, release.files);
  return before === undefined || genuine ? 'installed' : 'repaired';
}

/** `repaired`: in place of a copy that was not what a trusted key had signed. */
export type Installed = 'installed' | 'present' | 'repaired';

/** Exactly what a trusted key signed, even if a rule such as its expiry refuses it: the checks up to `identity` end at the first failure. */
const isGenuine = ({ checks }: Verification): boolean => checks.some(({ name, ok }) => name === 'identity' && ok === true);

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
function isSameContent({ files: present }: VerifiedRelease, { files }: VerifiedRelease): boolean {
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
