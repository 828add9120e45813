// What rebuilding found out about packages, one small file a package beside the trust records: whoever keeps the home under version control keeps the verdicts too. Written by `verify --rebuild`, read for reports.
import { join } from 'node:path';
import { RebuildRecord, type RebuildAttempt } from '../../schemas/rebuild.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readRegularFile } from './regular-file.ts';

/** Attempts that are kept of one package, the newest first. */
const KEPT = 20;
const RECORD_BYTES = 4 * 1024 * 1024;

/** `trustDir` is the `manifests/trust` of a home, or a folder like it. */
export const rebuildFile = (trustDir: string, packageDigest: string): string => join(trustDir, 'rebuilds', `${packageDigest.slice('sha256:'.length)}.json`);

export interface Rebuilds {
  readonly attempts: readonly RebuildAttempt[];
  /** The file is there and does not count. */
  readonly problem?: string;
}

/** What is recorded of a package. A record that cannot be read, or that speaks of another package, is told and does not count. */
export async function readRebuilds(trustDir: string, packageDigest: string): Promise<Rebuilds> {
  const file = rebuildFile(trustDir, packageDigest);
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(file);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR')) return { attempts: [] };
    return { attempts: [], problem: `${file} cannot be read (${problemOf(thrown)})` };
  }
  try {
    const record = parseDocument(bytes, compileSchema(RebuildRecord), { source: file, maxBytes: RECORD_BYTES, maxDepth: 5 });
    if (record.packageDigest !== packageDigest) return { attempts: [], problem: `${file} speaks of ${record.packageDigest}, not of ${packageDigest}` };
    return { attempts: record.attempts };
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { attempts: [], problem: thrown.message };
  }
}

/** The text of the record with one more attempt: one that `readRebuilds` takes, with as many earlier attempts as there is room for. */
export function withAttempt(about: Pick<RebuildRecord, 'plugin' | 'version' | 'packageDigest'>, attempt: RebuildAttempt, earlier: readonly RebuildAttempt[]): string {
  const record: RebuildRecord = { ...about, attempts: [attempt, ...earlier].slice(0, KEPT) };
  const text = `${JSON.stringify(record, null, 2)}\n`;
  if (Buffer.byteLength(text) > RECORD_BYTES && earlier.length > 0) return withAttempt(about, attempt, record.attempts.slice(1, -1));
  parseDocument(text, compileSchema(RebuildRecord), { source: 'the record of this attempt', maxBytes: RECORD_BYTES, maxDepth: 5 });
  return text;
}
