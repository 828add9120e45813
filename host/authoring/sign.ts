// Signs a package: states its files and their digests, and puts the signed statement into it. Used by `sign`, first-party builds and tests.
import { join } from 'node:path';
import type { Provenance } from '../../schemas/release.ts';
import { toTimestamp } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { ENVELOPE_FILE, preAuthEncoding, writeEnvelope } from '../trust/dsse.ts';
import { sign, type SigningKey } from '../trust/keys.ts';
import { readManifest } from '../trust/manifest.ts';
import { MANIFEST_FILE } from '../trust/package-names.ts';
import { readPackage } from '../trust/package.ts';
import { bytewise, packageDigest, subjectOf, writeStatement } from '../trust/statement.ts';
import { writeArchive } from '../trust/tar.ts';
import { writeFileWhole } from './write-file.ts';

export interface SignOptions {
  readonly key: SigningKey;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds since the epoch; a release without it never expires. */
  readonly expiresAt?: number;
  /** What it was made from; believed by nobody who does not check, and bound to the release. */
  readonly provenance?: Provenance;
  /** Sign although the key belongs to another publisher. Verifying will refuse it; for tests and repairs. */
  readonly force?: boolean;
}

export interface Signed {
  readonly path: string;
  readonly id: string;
  readonly version: string;
  readonly packageDigest: string;
  readonly keyid: string;
}

/** Writes plugin.dsse.json into a folder, or a `.tgz` anew, in place of an earlier signature. Throws SIGN_PUBLISHER, MANIFEST_INVALID and what reading a package throws. */
export async function signPackage(path: string, options: SignOptions): Promise<Signed> {
  const { files, path: root, form } = await readPackage(path);
  const { envelope, ...signed } = signFiles(files, options);
  if (form === 'folder') await writeFileWhole(join(root, ENVELOPE_FILE), envelope);
  else await writeFileWhole(root, writeArchive(new Map([...files, [ENVELOPE_FILE, envelope] as const].sort(([a], [b]) => bytewise(a, b)))));
  return { path: root, ...signed };
}

/** The envelope for these files; an envelope among them is left out of account. */
export function signFiles(files: ReadonlyMap<string, Buffer>, { key, now, expiresAt, provenance, force = false }: SignOptions): Omit<Signed, 'path'> & { readonly envelope: Buffer } {
  const { id, version, publisher } = readManifest(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), MANIFEST_FILE);
  if (key.publisher !== publisher && !force) throw new GatehouseError('SIGN_PUBLISHER', { plugin: id, publisher, keyid: key.keyid, other: key.publisher });
  const subject = subjectOf(files);
  const payload = writeStatement(subject, { id, version, publisher, issuedAt: toTimestamp(now), ...(expiresAt === undefined ? {} : { expiresAt: toTimestamp(expiresAt) }), ...(provenance && { provenance }) });
  const envelope = writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) });
  return { id, version, packageDigest: packageDigest(subject), keyid: key.keyid, envelope };
}
