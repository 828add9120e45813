// What two packages hold otherwise: files by digest, and the parts their SBOMs name. Called by diff.ts.
import { createHash } from 'node:crypto';
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';
import type { ReleaseDiff } from '../../../schemas/release-diff.ts';
import { ENVELOPE_FILE } from '../dsse.ts';
import { SBOM_FILE } from '../package-names.ts';
import { readSbom } from '../sbom.ts';

type Files = ReadonlyMap<string, Buffer>;

interface Contents {
  readonly files: Files;
  readonly manifest: PluginManifest;
}

/** But for the envelope, which differs whenever anything does. */
export function fileChanges(before: Files, after: Files): ReleaseDiff['files'] {
  const [known, now] = [factsOf(before), factsOf(after)];
  return {
    added: [...now.values()].filter(({ name }) => !known.has(name)),
    removed: [...known.values()].filter(({ name }) => !now.has(name)),
    changed: [...now.values()].flatMap((file) => {
      const earlier = known.get(file.name);
      return earlier && earlier.sha256 !== file.sha256 ? [{ name: file.name, before: earlier, after: file }] : [];
    }),
  };
}

function factsOf(files: Files) {
  const names = [...files.keys()].filter((name) => name !== ENVELOPE_FILE).sort();
  return new Map(names.map((name) => [name, { name, bytes: files.get(name)?.length ?? 0, sha256: createHash('sha256').update(files.get(name) ?? '').digest('hex') }]));
}

/** By name; a part in several versions is several parts. */
export function componentChanges(before: Contents, after: Contents): ReleaseDiff['sbom'] {
  const [known, now] = [componentsIn(before), componentsIn(after)];
  const [gone, come] = [minus(known, now), minus(now, known)];
  const [left, entered] = [Map.groupBy(gone, ({ name }) => name), Map.groupBy(come, ({ name }) => name)];
  const isOnlyOne = (name: string) => left.get(name)?.length === 1 && entered.get(name)?.length === 1;
  return {
    added: come.filter(({ name }) => !isOnlyOne(name)),
    removed: gone.filter(({ name }) => !isOnlyOne(name)),
    changed: come.filter(({ name }) => isOnlyOne(name)).map(({ name, version }) => ({ name, before: left.get(name)?.[0]?.version ?? '', after: version })),
  };
}

interface Component {
  readonly name: string;
  readonly version: string;
}

const keyOf = ({ name, version }: Component) => JSON.stringify([name, version]);

function minus(some: readonly Component[], others: readonly Component[]): Component[] {
  const known = new Set(others.map(keyOf));
  return some.filter((each) => !known.has(keyOf(each)));
}

/** A list that cannot be read is told as a part of that name, so that it is seen; a package without a list has no parts. */
function componentsIn({ files, manifest }: Contents): Component[] {
  const { state, problem = '', components } = readSbom(files, manifest);
  if (state === 'unreadable') return [{ name: `(${SBOM_FILE} cannot be read)`, version: problem.slice(0, 200).toWellFormed() }];
  return components.map(({ name, version }) => ({ name: name.slice(0, 500).toWellFormed(), version: (version ?? '(no version)').slice(0, 200).toWellFormed() }));
}
