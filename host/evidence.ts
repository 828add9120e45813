// The evidence of a quarantine: one JSON file in the data directory, named by instance and time, referred to by its digest. Facts only; no message text, no secret.
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Grant } from '../schemas/capability.ts';
import { toTimestamp } from './clock.ts';

export interface Evidence {
  readonly instance: string;
  readonly plugin: string;
  readonly version: string | null;
  readonly packageDigest: string | null;
  readonly actor: string;
  readonly code: string;
  readonly reason: string;
  readonly atMs: number;
  /** What it was allowed to do, without the values of secrets, which are not in it. */
  readonly grants: readonly Grant[];
  /** Since its sandbox was first started. */
  readonly counters: { readonly calls: number; readonly cpuMs: number; readonly restarts: number; readonly strikes: number };
  /** What led to it, oldest first: ends of the sandbox, strikes, refusals. */
  readonly history: readonly unknown[];
}

export interface Bundle {
  readonly bytes: Buffer;
  /** `sha256:<hex>` over the bytes. */
  readonly digest: string;
  readonly file: string;
}

/** The bundle as it will stand on disk; its digest can be recorded before it is written. */
export function bundleOf(dataDir: string, evidence: Evidence): Bundle {
  const at = toTimestamp(evidence.atMs);
  const bytes = Buffer.from(`${JSON.stringify({ ...evidence, at }, null, 2)}\n`);
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, file: join(dataDir, 'evidence', `${evidence.instance}-${at.replaceAll(':', '')}.json`) };
}

/** Private to the host's user: folder 0700, file 0600; complete or not there. At once, so that a quarantine which is on record has its evidence, whatever happens in between. */
export function writeBundle({ bytes, file }: Bundle): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.part`, bytes, { mode: 0o600 });
  renameSync(`${file}.part`, file);
}
