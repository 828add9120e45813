// What the operator has revoked: keys, package digests, ranges of versions. Wins over everything; read at start and whenever the file changes.
import semver from 'semver';
import { Revocations } from '../../schemas/release.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readRegularFile } from './regular-file.ts';

export interface RevocationList {
  /** Why this release is revoked, to follow "is revoked: ", or undefined. Any part may be left out when it is not known. */
  reasonFor(release: { readonly keyid?: string; readonly digest?: string; readonly id?: string; readonly version?: string }): string | undefined;
}

const REVOCATIONS_BYTES = 16 * 1024 * 1024;

/** A file that is not there revokes nothing; one that cannot be read or understood throws, because nobody knows what it revokes. */
export async function loadRevocations(file: string): Promise<RevocationList> {
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(file);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return revocationList({});
    throw thrown;
  }
  const revocations = parseDocument(bytes, compileSchema(Revocations), { source: file, maxBytes: REVOCATIONS_BYTES, maxDepth: 3 });
  const wrong = revocations.plugins?.find(({ range }) => semver.validRange(range) === null);
  if (wrong) throw new GatehouseError('SCHEMA_INVALID', { source: file, path: '/plugins', line: 1, column: 1, problem: `'${wrong.range}' is not a semver range` });
  return revocationList(revocations);
}

export function revocationList({ keys = [], digests = [], plugins = [] }: Revocations): RevocationList {
  const revokedKeys = new Set(keys);
  const revokedDigests = new Set(digests);
  return {
    reasonFor({ keyid, digest, id, version }) {
      if (keyid !== undefined && revokedKeys.has(keyid)) return `the key ${keyid} is revoked`;
      if (digest !== undefined && revokedDigests.has(digest)) return `the package ${digest} is revoked`;
      const range = version === undefined ? undefined : plugins.find((each) => each.id === id && semver.satisfies(version, each.range, { includePrerelease: true }))?.range;
      return range === undefined ? undefined : `versions ${range} are revoked`;
    },
  };
}
