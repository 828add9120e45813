// Reads the bill of materials of a package, whoever wrote it: what it names, and whether it speaks of this bundle. Used by reports and by the scanner.
import { createHash } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { SBOM_FILE, SCRIPT_FILE } from './package-names.ts';

/**
 * `bound`: it names the SHA-256 of plugin.js, and the plugin's id and version. `unbound`: it is of something else, so nothing in it counts.
 * `unreadable`: not JSON, or not CycloneDX. `missing`: the package has none.
 */
export type SbomState = 'bound' | 'unbound' | 'unreadable' | 'missing';

export interface SbomComponent {
  /** With its group, as `@scope/name`. */
  readonly name: string;
  readonly version: string | null;
  /** Ids, expressions or names, joined by commas; null where it names none. */
  readonly license: string | null;
  readonly purl: string | null;
  /** How many files of it are listed. */
  readonly files: number;
}

export interface Sbom {
  readonly state: SbomState;
  /** Why it is not bound, with both values. */
  readonly problem?: string;
  readonly expected?: string;
  readonly found?: string;
  /** Version of CycloneDX. */
  readonly specVersion: string | null;
  /** What wrote the bundle, as `esbuild 0.25.0`. */
  readonly tools: readonly string[];
  /** How many files of the plugin's own are listed. */
  readonly sources: number;
  /** Libraries in the bundle, in the order of the document. */
  readonly components: readonly SbomComponent[];
}

const SBOM_BYTES = 8 * 1024 * 1024;

/** `claims` is what plugin.json says. Never throws for what a package holds. */
export function readSbom(files: ReadonlyMap<string, Uint8Array>, claims: { readonly id: string; readonly version: string }): Sbom {
  const bytes = files.get(SBOM_FILE);
  if (!bytes) return { ...NOTHING, state: 'missing' };
  let document: CycloneDx;
  try {
    document = parseDocument(bytes, compileSchema(CycloneDx), { source: SBOM_FILE, maxBytes: SBOM_BYTES, maxDepth: 16 });
  } catch (thrown) {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { ...NOTHING, state: 'unreadable', problem: problemOf(thrown) };
  }
  const { specVersion, metadata: { component: self, tools } = {}, components = [] } = document;
  const contents = {
    specVersion,
    tools: toolsOf(tools).map(({ name, version }) => (version === undefined ? name : `${name} ${version}`)),
    sources: filesIn(self?.components),
    components: components.filter(({ type }) => type !== 'file').map((each) => ({ name: each.group === undefined ? each.name : `${each.group}/${each.name}`, version: each.version ?? null, license: licenseOf(each), purl: each.purl ?? null, files: filesIn(each.components) })),
  };
  const script = createHash('sha256').update(files.get(SCRIPT_FILE) ?? '').digest('hex');
  const digest = self?.hashes?.find(({ alg }) => alg === 'SHA-256')?.content.toLowerCase();
  if (digest !== script) return { ...contents, state: 'unbound', problem: `it is of another ${SCRIPT_FILE}`, expected: `sha256:${script}`, found: digest === undefined ? 'no SHA-256 of the bundle' : `sha256:${digest}` };
  const [expected, found] = [`${claims.id} ${claims.version}`, `${self?.name} ${self?.version}`];
  if (expected !== found) return { ...contents, state: 'unbound', problem: 'it is of another plugin', expected, found };
  return { ...contents, state: 'bound' };
}

const NOTHING = { specVersion: null, tools: [], sources: 0, components: [] } as const;

const Named = Type.Object({ name: Type.String(), version: Type.Optional(Type.String()) });

/** The parts of CycloneDX 1.4 to 1.6 that are shown or relied on; the rest may be anything. */
const Component = Type.Object({
  type: Type.String(),
  group: Type.Optional(Type.String()),
  name: Type.String(),
  version: Type.Optional(Type.String()),
  purl: Type.Optional(Type.String()),
  hashes: Type.Optional(Type.Array(Type.Object({ alg: Type.String(), content: Type.String() }))),
  licenses: Type.Optional(Type.Array(Type.Object({ license: Type.Optional(Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) })), expression: Type.Optional(Type.String()) }))),
  components: Type.Optional(Type.Array(Type.Object({ type: Type.String(), name: Type.String() }), { maxItems: 10_000 })),
});
type Component = Static<typeof Component>;

const CycloneDx = Type.Object({
  bomFormat: Type.Literal('CycloneDX'),
  specVersion: Type.String({ maxLength: 20 }),
  metadata: Type.Optional(Type.Object({ component: Type.Optional(Component), tools: Type.Optional(Type.Union([Type.Array(Named), Type.Object({ components: Type.Optional(Type.Array(Named)) })])) })),
  components: Type.Optional(Type.Array(Component, { maxItems: 10_000 })),
});
type CycloneDx = Static<typeof CycloneDx>;

const toolsOf = (tools: NonNullable<CycloneDx['metadata']>['tools']): readonly Static<typeof Named>[] => (Array.isArray(tools) ? tools : (tools?.components ?? []));

const filesIn = (components: Component['components']): number => components?.filter(({ type }) => type === 'file').length ?? 0;

function licenseOf({ licenses = [] }: Component): string | null {
  return licenses.flatMap(({ license, expression }) => expression ?? license?.id ?? license?.name ?? []).join(', ') || null;
}
