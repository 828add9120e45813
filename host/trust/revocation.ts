// What is revoked, and why: keys, package digests, ranges of versions. Wins over everything; gathered by registry/revocations.ts from the operator's file, signed lists and what the store remembers.
import semver from 'semver';
import { Revocations } from '../../schemas/revocation.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readRegularFile } from './regular-file.ts';

/** One thing that is revoked. */
export type Revoked = { readonly keyid: string } | { readonly digest: string } | { readonly id: string; readonly range: string };

export type Revocation = Revoked & {
  readonly reason?: string;
  /** RFC 3339. */
  readonly at?: string;
};

export interface RevocationList {
  /** Why this release is revoked, to follow "is revoked: ", or undefined. Any part may be left out when it is not known. */
  reasonFor(release: { readonly keyid?: string; readonly digest?: string; readonly id?: string; readonly version?: string }): string | undefined;
}

export const REVOCATIONS_BYTES = 16 * 1024 * 1024;
const REVOCATIONS_DEPTH = 3;

/** `key ed25519:…`, `digest sha256:…`, `plugin acme.weather <1.2.0`: names it in the store and for people. */
export function revocationId(revoked: Revoked): string {
  if ('keyid' in revoked) return `key ${revoked.keyid}`;
  if ('digest' in revoked) return `digest ${revoked.digest}`;
  return `plugin ${revoked.id} ${revoked.range}`;
}

/** The operator's list. A file that is not there revokes nothing; one that cannot be read or understood throws, because nobody knows what it revokes. */
export async function loadRevocations(file: string): Promise<readonly Revocation[]> {
  try {
    return readRevocations(await readRegularFile(file), file);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  }
}

/** Throws JSON_… and SCHEMA_…, for a range that is none, too. */
export function readRevocations(bytes: Uint8Array, source: string): readonly Revocation[] {
  const document = parseDocument(bytes, compileSchema(Revocations), { source, maxBytes: REVOCATIONS_BYTES, maxDepth: REVOCATIONS_DEPTH });
  const wrong = wrongRange(document);
  if (wrong !== undefined) throw new GatehouseError('SCHEMA_INVALID', { source, path: '/plugins', line: 1, column: 1, problem: `'${wrong}' is not a semver range` });
  return revocationsIn(document);
}

export const wrongRange = ({ plugins = [] }: Pick<Revocations, 'plugins'>): string | undefined => plugins.find(({ range }) => semver.validRange(range) === null)?.range;

/** Every entry in one form, whether it was written with reason and time or plainly. */
export function revocationsIn({ keys = [], digests = [], plugins = [] }: Pick<Revocations, 'keys' | 'digests' | 'plugins'>): Revocation[] {
  return [...keys.map((each) => (typeof each === 'string' ? { keyid: each } : each)), ...digests.map((each) => (typeof each === 'string' ? { digest: each } : each)), ...plugins];
}

/** Of two that name the same, the first gives the reason. */
export function revocationList(revocations: readonly Revocation[]): RevocationList {
  const keys = new Map<string, Revocation>();
  const digests = new Map<string, Revocation>();
  const ranges = Map.groupBy(revocations.filter((each) => 'range' in each), ({ id }) => id);
  for (const each of revocations) {
    if ('keyid' in each) keys.set(each.keyid, keys.get(each.keyid) ?? each);
    else if ('digest' in each) digests.set(each.digest, digests.get(each.digest) ?? each);
  }
  return {
    reasonFor({ keyid = '', digest = '', id = '', version }) {
      const key = keys.get(keyid);
      if (key) return because(`the key ${keyid} is revoked`, key);
      const bytes = digests.get(digest);
      if (bytes) return because(`the package ${digest} is revoked`, bytes);
      const found = version === undefined ? undefined : ranges.get(id)?.find(({ range }) => semver.satisfies(version, range, { includePrerelease: true }));
      return found && because(`versions ${found.range} are revoked`, found);
    },
  };
}

const because = (what: string, { reason }: Revocation) => (reason === undefined ? what : `${what} (${reason.replace(/[.\s]+$/, '')})`);

/** What somebody names, or what is wrong with naming it so: exactly one of key, digest, and plugin with range. */
export function revokedBy({ keyid, digest, plugin, range }: { readonly keyid?: string; readonly digest?: string; readonly plugin?: string; readonly range?: string }): Revoked | { readonly problem: string } {
  if ([keyid, digest, plugin].filter((each) => each !== undefined).length !== 1) return { problem: 'name exactly one of key, digest, and plugin with range' };
  if ((plugin === undefined) !== (range === undefined)) return { problem: 'a plugin is revoked with a range of its versions, and nothing else has one' };
  if (keyid !== undefined) return { keyid };
  if (digest !== undefined) return { digest };
  if (range === undefined || semver.validRange(range) === null) return { problem: `'${range}' is not a semver range` };
  return { id: plugin ?? '', range };
}
