// Builds a package once more from its source and compares every byte: whether what was signed is what the source says. Used by `verify --rebuild`.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RebuildDifference, RebuildVerdict } from '../../schemas/rebuild.ts';
import { GatehouseError } from '../errors.ts';
import { ENVELOPE_FILE } from '../trust/dsse.ts';
import { readRegularFile } from '../trust/regular-file.ts';
import { buildFiles } from './build.ts';

export interface Rebuild {
  readonly verdict: RebuildVerdict;
  /** Why it could not be built. */
  readonly problem?: string;
  /** The version of esbuild here. */
  readonly bundler?: string;
  /** What is checked out where the source lies, as its `.git` says. */
  readonly commit?: string;
  /** How many files were compared. */
  readonly files: number;
  readonly differences: readonly Difference[];
}

export interface Difference extends RebuildDifference {
  /** Where the two part, in files that are both there: the first line that differs, with both texts cut short. Foreign text: make it safe before printing. */
  readonly first?: { readonly line: number; readonly package: string; readonly rebuilt: string };
}

/** Builds in memory, as `buildFiles` does: nothing of the source is run, and nothing is written. `files` are those of the package. */
export async function rebuild(source: string, files: ReadonlyMap<string, Buffer>): Promise<Rebuild> {
  const commit = await checkedOut(source);
  const about = commit === undefined ? {} : { commit };
  try {
    const built = await buildFiles(source);
    const names = [...new Set([...files.keys(), ...built.files.keys()])].filter((name) => name !== ENVELOPE_FILE).sort();
    const differences = names.flatMap((name) => differenceOf(name, files.get(name), built.files.get(name)) ?? []);
    return { ...about, verdict: differences.length === 0 ? 'reproduced' : 'differs', bundler: built.bundler, files: names.length, differences };
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { ...about, verdict: 'could-not-build', problem: thrown.message, files: 0, differences: [] };
  }
}

function differenceOf(name: string, signed: Buffer | undefined, rebuilt: Buffer | undefined): Difference | undefined {
  if (signed && rebuilt?.equals(signed)) return undefined;
  const digest = (content: Buffer | undefined) => (content === undefined ? null : `sha256:${createHash('sha256').update(content).digest('hex')}`);
  return { name, package: digest(signed), rebuilt: digest(rebuilt), ...(signed && rebuilt && { first: firstDifference(signed, rebuilt) }) };
}

const SHOWN = 160;

function firstDifference(one: Buffer, other: Buffer): NonNullable<Difference['first']> {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at += 1;
  const start = one.lastIndexOf(0x0a, at - 1) + 1;
  const lineAt = (content: Buffer) => {
    const end = content.indexOf(0x0a, at);
    // What is long before the difference says less than what follows it.
    const from = Math.max(at === 0 ? 0 : start, at - SHOWN / 2);
    return content.toString('utf8', from, Math.min(end < 0 ? content.length : end, from + SHOWN));
  };
  let line = 1;
  for (let feed = one.indexOf(0x0a); feed >= 0 && feed < at; feed = one.indexOf(0x0a, feed + 1)) line += 1;
  return { line, package: lineAt(one), rebuilt: lineAt(other) };
}

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Read from the files of `.git`: git itself would run what a foreign checkout configures, such as `core.fsmonitor`. Undefined where they do not say. */
async function checkedOut(source: string): Promise<string | undefined> {
  const read = async (name: string) => String(await readRegularFile(join(source, '.git', name)).catch(() => '')).trim();
  const head = await read('HEAD');
  const ref = /^ref: (refs\/[\w./-]+)$/.exec(head)?.[1];
  if (ref === undefined) return COMMIT.test(head) ? head : undefined;
  if (ref.split('/').includes('..')) return undefined;
  const packed = (await read('packed-refs')).split('\n').find((line) => line.endsWith(` ${ref}`));
  return [await read(ref), packed?.split(' ')[0] ?? ''].find((each) => COMMIT.test(each));
}
