// The evidence of a quarantine: one JSON file in the data directory, named by instance and time, referred to by its digest. plugin-life.ts writes it before it gives an instance up, desk.ts reads it back.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BOUNDS } from '../../schemas/bounds.ts';
import { Evidence, type EvidenceState } from '../../schemas/quarantine.ts';
import { searchFor } from '../egress/secret-search.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import { parseStrict } from '../strict-json.ts';
import type { Lately } from './recent.ts';
import { withoutPeople, withoutSecrets } from './redaction.ts';

export interface Bundle {
  readonly bytes: Buffer;
  /** `sha256:<hex>` over the bytes. */
  readonly digest: string;
  readonly file: string;
}

export interface Findings extends Omit<Evidence, 'evidenceVersion' | keyof Lately> {
  readonly lately: Lately;
  /** Values that must not stand in it, in any encoding that is tried. */
  readonly secretValues: readonly string[];
}

/** The bundle as it will stand on disk; its digest can be recorded before it is written. */
export function bundleOf(dataDir: string, { lately: { history, refused, log }, secretValues, ...facts }: Findings): Bundle {
  const searches = secretValues.map(searchFor);
  const { at, instance, reason, review } = facts;
  const bytes = textOf({
    evidenceVersion: 1,
    ...facts,
    reason: withoutSecrets(reason, searches),
    history: withoutSecrets(history, searches),
    refused: withoutSecrets(refused, searches),
    log: log.map((line) => ({ ...line, text: withoutPeople(line.text, searches) })),
    ...(review && { review: withoutSecrets(review, searches) }),
  });
  return { bytes, digest: digestOf(bytes), file: join(folderOf(dataDir), `${instance}-${at.replaceAll(':', '')}.json`) };
}

/** As it stands on disk: what was parsed from a bundle comes to the same bytes again. */
export const textOf = (evidence: unknown): Buffer => Buffer.from(`${JSON.stringify(evidence, null, 2)}\n`);

export const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const folderOf = (dataDir: string) => join(dataDir, 'evidence');

/** Private to the host's user: folder 0700, file 0600; complete or not there. At once, so that a quarantine which is on record has its evidence, whatever happens in between. */
export function writeBundle({ bytes, file }: Bundle): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.part`, bytes, { mode: 0o600 });
  renameSync(`${file}.part`, file);
}

/** Removes the oldest beyond the bounds of number and size; the newest of each of `needed` stays, whatever its age. */
export function sweepEvidence(dataDir: string, needed: ReadonlySet<string>): void {
  const folder = folderOf(dataDir);
  const newestFirst = readdirSync(folder).flatMap((name) => named(name) ?? []).sort((a, b) => (a.at < b.at ? 1 : -1));
  const seen = new Set<string>();
  let files = 0;
  let bytes = 0;
  for (const { name, instance } of newestFirst) {
    files += 1;
    bytes += statSync(join(folder, name)).size;
    const isLast = !seen.has(instance);
    seen.add(instance);
    if ((files > BOUNDS.evidenceFiles || bytes > BOUNDS.evidenceBytes) && !(isLast && needed.has(instance))) unlinkSync(join(folder, name));
  }
}

export type FoundEvidence =
  | { readonly state: Extract<EvidenceState, 'intact'>; readonly file: string; readonly bytes: Buffer }
  /** No file of the instance has the digest. `file`: the newest, which has another. */
  | { readonly state: Extract<EvidenceState, 'changed'>; readonly file: string; readonly actual: string }
  | { readonly state: Extract<EvidenceState, 'missing'> };

/** The file of the instance with this digest, whatever its name says of its time. */
export async function findEvidence(dataDir: string, instance: string, digest: string): Promise<FoundEvidence> {
  const folder = folderOf(dataDir);
  const names = await readdir(folder).catch((): string[] => []);
  const own = names.flatMap((name) => named(name) ?? []).filter((each) => each.instance === instance).sort((a, b) => (a.at < b.at ? 1 : -1));
  let other: { readonly file: string; readonly actual: string } | undefined;
  for (const { name } of own) {
    const file = join(folder, name);
    const bytes = await readFile(file);
    const actual = digestOf(bytes);
    if (actual === digest) return { state: 'intact', file, bytes };
    other ??= { file, actual };
  }
  return other ? { state: 'changed', ...other } : { state: 'missing' };
}

const schema = compileSchema(Evidence);

/** Of bytes whose digest holds: the host wrote them. */
export function readEvidence(bytes: Buffer, source: string): Evidence {
  const { value } = parseStrict(bytes, { source, maxBytes: bytes.length, maxDepth: 32 });
  if (!schema.is(value)) throw new GatehouseError('INTERNAL', { problem: `${source} is no evidence bundle at ${schema.explain(value)?.path}` });
  return value;
}

/** `<instance>-<time without colons>.json`; anything else in the folder is not ours. */
function named(name: string): { readonly name: string; readonly instance: string; readonly at: string } | undefined {
  const [, instance, at] = /^(.+)-(\d{4}-\d{2}-\d{2}T\d{6}\.\d{3}Z)\.json$/.exec(name) ?? [];
  return instance === undefined || at === undefined ? undefined : { name, instance, at };
}
