// Packs a built plugin into one file to hand on. Used by `pack`.
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import { readManifest } from '../trust/manifest.ts';
import { MANIFEST_FILE } from '../trust/package-names.ts';
import { readPackage } from '../trust/package.ts';
import { packageDigest, subjectOf } from '../trust/statement.ts';
import { writeArchive } from '../trust/tar.ts';
import { writeFileWhole } from './write-file.ts';

export interface Packed {
  readonly path: string;
  readonly id: string;
  readonly version: string;
  readonly packageDigest: string;
  readonly signed: boolean;
  readonly files: number;
  readonly bytes: number;
}

/** Writes the same `.tgz` for the same files, with the signature if there is one. Throws MANIFEST_INVALID and what reading a package throws. */
export async function packPackage(path: string, out: string): Promise<Packed> {
  const { files } = await readPackage(path);
  const { id, version } = readManifest(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), MANIFEST_FILE);
  const archive = writeArchive(files);
  if (archive.length > BOUNDS.packageBytes) throw new GatehouseError('PACKAGE_TOO_LARGE', { source: path, problem: `packed it has ${archive.length} bytes; the limit is ${BOUNDS.packageBytes}` });
  await writeFileWhole(out, archive);
  return { path: out, id, version, packageDigest: packageDigest(subjectOf(files)), signed: files.has('plugin.dsse.json'), files: files.size, bytes: archive.length };
}
