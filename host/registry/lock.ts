// The lock file: read where a strict host looks at its home, and held against what would run. Written by `gatehouse lock` alone.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Lock, type LockedInstance } from '../../schemas/lock.ts';
import type { ResolvedConfig } from '../config.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { readRegularFile } from '../trust/regular-file.ts';

export const lockFile = ({ manifestsDir }: Pick<ResolvedConfig, 'manifestsDir'>): string => join(manifestsDir, 'gatehouse.lock.json');

const LOCK_BYTES = 16 * 1024 * 1024;
const lockSchema = compileSchema(Lock);

export const EMPTY_LOCK: Lock = { lockVersion: 1, instances: {} };

/** Undefined where there is none. Throws JSON_…, SCHEMA_… with the position, and what the system says. */
export async function readLock(file: string): Promise<Lock | undefined> {
  return existsSync(file) ? parseDocument(await readRegularFile(file), lockSchema, { source: file, maxBytes: LOCK_BYTES, maxDepth: 5 }) : undefined;
}

/** The same lock has the same bytes, wherever it is made. */
export function lockText({ instances }: Lock): string {
  const sorted = Object.entries(instances).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]): [string, LockedInstance] => {
    const { plugin, version, publisher, keyid, packageDigest, grantsDigest, approvals, scan } = each;
    return [name, { plugin, version, publisher, keyid, packageDigest, grantsDigest, approvals: [...approvals].sort(), scan }];
  });
  return `${JSON.stringify({ lockVersion: 1, instances: Object.fromEntries(sorted) }, null, 2)}\n`;
}

/** A value of the lock that is another one now; null where there is none. */
export interface LockDifference {
  readonly instance: string;
  readonly what: keyof LockedInstance | 'instance';
  readonly locked: string | null;
  readonly now: string | null;
}

/** In the order of instance names. */
export function lockDifferences(locked: Lock, now: Lock): LockDifference[] {
  const names = [...new Set([...Object.keys(locked.instances), ...Object.keys(now.instances)])].sort();
  return names.flatMap((instance): LockDifference[] => {
    const [one, other] = [at(locked, instance), at(now, instance)];
    if (!one || !other) return [{ instance, what: 'instance' as const, locked: one ? nameOf(one) : null, now: other ? nameOf(other) : null }];
    return KEYS.filter((key) => textOf(one[key]) !== textOf(other[key])).map((what) => ({ instance, what, locked: textOf(one[what]), now: textOf(other[what]) }));
  });
}

/** Of no prototype: an instance may have any name. */
export const at = ({ instances }: Lock, instance: string): LockedInstance | undefined => (Object.hasOwn(instances, instance) ? instances[instance] : undefined);

const KEYS = ['plugin', 'version', 'publisher', 'keyid', 'packageDigest', 'grantsDigest', 'approvals', 'scan'] as const satisfies readonly (keyof LockedInstance)[];
const nameOf = ({ plugin, version }: LockedInstance) => `${plugin} ${version}`;
const textOf = (value: string | readonly string[]) => (typeof value === 'string' ? value : [...value].sort().join(' ') || 'none');
