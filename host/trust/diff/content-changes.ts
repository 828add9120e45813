// What two packages hold otherwise: files by digest, and the parts their SBOMs name. Called by diff.ts.
import { createHash } from 'node:crypto';
import { problemOf } from '../../errors.ts';
import type { ReleaseDiff } from '../../../schemas/release-diff.ts';
import { parseStrict } from '../../strict-json.ts';
import { ENVELOPE_FILE } from '../dsse.ts';

type Files = ReadonlyMap<string, Buffer>;

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

const SBOM_FILE = 'sbom.cdx.json';

/** By name; a part in several versions is several parts. */
export function componentChanges(before: Files, after: Files): ReleaseDiff['sbom'] {
  const [known, now] = [componentsIn(before), componentsIn(after)];
  const [gone, come] = [minus(known, now), minus(now, known)];
  const isOnlyOne = (name: string) => gone.filter((each) => each.name === name).length === 1 && come.filter((each) => each.name === name).length === 1;
  return {
    added: come.filter(({ name }) => !isOnlyOne(name)),
    removed: gone.filter(({ name }) => !isOnlyOne(name)),
    changed: come.filter(({ name }) => isOnlyOne(name)).map(({ name, version }) => ({ name, before: gone.find((each) => each.name === name)?.version ?? '', after: version })),
  };
}

interface Component {
  readonly name: string;
  readonly version: string;
}

const minus = (some: readonly Component[], others: readonly Component[]) => some.filter(({ name, version }) => !others.some((each) => each.name === name && each.version === version));

const MOST_COMPONENTS = 2000;

/** A list that cannot be read is told as a part of that name, so that it is seen; a package without a list has no parts. */
function componentsIn(files: Files): Component[] {
  const bytes = files.get(SBOM_FILE);
  if (!bytes) return [];
  try {
    const { components }: { readonly components?: unknown } = Object(parseStrict(bytes, { source: SBOM_FILE, maxBytes: 4 * 1024 * 1024, maxDepth: 32 }).value);
    const parts: unknown[] = Array.isArray(components) ? components.slice(0, MOST_COMPONENTS) : [];
    return parts.map((part) => {
      const { group, name, version }: { readonly group?: unknown; readonly name?: unknown; readonly version?: unknown } = Object(part);
      const scope = typeof group === 'string' && group !== '' ? `${group}/` : '';
      return { name: `${scope}${typeof name === 'string' ? name : '(no name)'}`.slice(0, 500), version: (typeof version === 'string' ? version : '(no version)').slice(0, 200) };
    });
  } catch (thrown) {
    return [{ name: `(${SBOM_FILE} cannot be read)`, version: problemOf(thrown).slice(0, 200) }];
  }
}
