// Packs a built plugin into one file to hand on. Used by `pack`.
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import { ENVELOPE_FILE, readEnvelope } from '../trust/dsse.ts';
import { readManifest } from '../trust/manifest.ts';
import { MANIFEST_FILE } from '../trust/package-names.ts';
import { readPackage } from '../trust/package.ts';
import { packageDigest, readStatement, subjectOf } from '../trust/statement.ts';
import { writeArchive } from '../trust/tar.ts';
import { writeFileWhole } from './write-file.ts';

export interface Packed {
  readonly path: string;
  readonly id: string;
  readonly version: string;
  readonly packageDigest: string;
  /** Whether the release in it names exactly these files. Whose signature it is, and whether it holds, is for `verify` to say. */
  readonly signed: boolean;
  readonly signature: SignatureState;
  readonly files: number;
  readonly bytes: number;
}

/** `stale`: there is one, of other content than this. */
export type SignatureState = 'matches' | 'stale' | 'none';

/** Writes the same `.tgz` for the same files, with the signature if there is one. Throws MANIFEST_INVALID and what reading a package throws. */
export async function packPackage(path: string, out: string): Promise<Packed> {
  const { files } = await readPackage(path);
  const { id, version } = readManifest(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), MANIFEST_FILE);
  const archive = writeArchive(files);
  if (archive.length > BOUNDS.packageBytes) throw new GatehouseError('PACKAGE_TOO_LARGE', { source: path, problem: `packed it has ${archive.length} bytes; the limit is ${BOUNDS.packageBytes}` });
  await writeFileWhole(out, archive);
  const signature = signatureOf(files);
  return { path: out, id, version, packageDigest: packageDigest(subjectOf(files)), signed: signature === 'matches', signature, files: files.size, bytes: archive.length };
}

function signatureOf(files: ReadonlyMap<string, Buffer>): SignatureState {
  const envelope = files.get(ENVELOPE_FILE);
  if (!envelope) return 'none';
  try {
    const { subject } = readStatement(readEnvelope(envelope, ENVELOPE_FILE).payload, ENVELOPE_FILE);
    return packageDigest(subject) === packageDigest(subjectOf(files)) ? 'matches' : 'stale';
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return 'stale'; // an envelope that cannot be read is one to replace
    throw thrown;
  }
}
