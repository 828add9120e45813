// plugin.json: the schema, and what no schema can say about it. Used by build, sign, verify and the registry.
import semver from 'semver';
import { BOUNDS } from '../../schemas/bounds.ts';
import { Capability } from '../../schemas/capability.ts';
import { PluginManifest, type PluginKind } from '../../schemas/plugin-manifest.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compilePluginSchema, compileSchema, parseDocument } from '../schema.ts';
import { valuesIn } from './found-at.ts';

/** Parses and judges the exact bytes of a manifest; `source` names it in messages. Throws MANIFEST_INVALID. */
export function readManifest(bytes: Uint8Array, source: string): PluginManifest {
  let manifest: PluginManifest;
  try {
    manifest = parseDocument(bytes, compileSchema(PluginManifest), { source, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth });
    compileSchemas(manifest);
  } catch (thrown) {
    throw new GatehouseError('MANIFEST_INVALID', { source, problem: problemIn(source, thrown), ...valuesIn(bytes, thrown) }, { cause: thrown });
  }
  const problem = RULES.map((rule) => rule(manifest)).find((each) => each !== undefined);
  if (problem !== undefined) throw new GatehouseError('MANIFEST_INVALID', { source, problem: `${problem}.` });
  return manifest;
}

/** What a reader of the document says, to continue "The manifest <source> is wrong: ". */
function problemIn(source: string, thrown: unknown): string {
  if (thrown instanceof GatehouseError && thrown.code === 'SCHEMA_INVALID' && /^\/capabilities\/\d+\/name$/.test(String(thrown.fields['path']))) {
    const { path, line, column } = thrown.fields;
    return `there is no such capability at ${path} (line ${line}, column ${column}); there are ${Capability.anyOf.map(({ properties }) => properties.name.const).join(', ')}.`;
  }
  const text = problemOf(thrown);
  if (text.startsWith(`${source} is wrong `)) return text.slice(`${source} is wrong `.length);
  return text.startsWith(`${source} `) ? `it ${text.slice(source.length + 1)}` : text;
}

type Rule = (manifest: PluginManifest) => string | undefined;

const SECTIONS = { channel: 'channel', skill: 'skill', moderation: 'moderation', tool: 'tools' } as const satisfies Record<PluginKind, keyof PluginManifest>;

/** One rule each, in the order a reader would ask; each says what is wrong, or nothing. */
const RULES: readonly Rule[] = [
  ({ id, publisher }) => (id.startsWith(`${publisher}.`) ? undefined : `the id '${id}' does not start with its publisher '${publisher}.'`),
  ({ version }) => (semver.valid(version) === version ? undefined : `'${version}' is not a semantic version`),
  (manifest) => {
    const own = SECTIONS[manifest.kind];
    const foreign = Object.values(SECTIONS).find((section) => section !== own && manifest[section] !== undefined);
    if (foreign !== undefined) return `a plugin of kind '${manifest.kind}' has no '${foreign}'`;
    return manifest.kind === 'skill' || manifest[own] !== undefined ? undefined : `a plugin of kind '${manifest.kind}' needs '${own}'`;
  },
  ({ hostApi }) => (semver.validRange(hostApi) === null ? `hostApi '${hostApi}' is not a semver range` : undefined),
  ({ requires = [] }) => {
    const wrong = requires.find(({ range }) => semver.validRange(range) === null);
    return wrong && `requires '${wrong.id}' in '${wrong.range}', which is not a semver range`;
  },
  ({ requires = [], id }) => twice(requires.map((each) => each.id).concat(id), 'requires names'),
  ({ tools = [] }) => twice(tools.map((each) => each.name), 'two tools are named'),
  ({ capabilities = [], kind }) => (kind !== 'channel' && capabilities.some(({ name }) => name === 'ui') ? "only channels can ask for 'ui'" : undefined),
  ({ capabilities = [], config }) => {
    const missing = capabilities.flatMap(configPointers).find((pointer) => !hasSetting(config, pointer));
    return missing === undefined ? undefined : `a capability takes its origin from config '${missing}', which the config schema does not have`;
  },
  ({ capabilities = [] }) => {
    const forbidden = capabilities.flatMap(injectedHeader).find((header) => FRAMING_HEADERS.test(header));
    return forbidden && `secret.use writes the header '${forbidden}', which the connection needs for itself`;
  },
  timeProblem,
];

/** A time that is not signed may be any, and a template that names a time there is none of signs nothing that a sender could know. */
function timeProblem({ channel }: PluginManifest): string | undefined {
  for (const { method, path, verify } of channel?.ingress ?? []) {
    if (verify.scheme !== 'hmac' && verify.scheme !== 'ed25519') continue;
    const isSigned = verify.over.includes('{timestamp}');
    if (isSigned && !verify.timestamp) return `the route '${method} ${path}' signs a timestamp and does not say where it stands`;
    if (!isSigned && verify.timestamp) return `the route '${method} ${path}' has a timestamp that 'over' does not sign`;
  }
  return undefined;
}

/** They say where a message ends, whom it is for, or who is in between: a secret in one of them would be a request of another shape. */
const FRAMING_HEADERS = /^(?:host|connection|content-length|content-encoding|transfer-encoding|te|trailer|upgrade|expect|keep-alive|accept-encoding|via|forwarded|x-forwarded-.*|x-real-ip|proxy-.*|sec-.*)$/i;

function injectedHeader(capability: NonNullable<PluginManifest['capabilities']>[number]): string[] {
  if (capability.name !== 'secret.use') return [];
  return ['hmac' in capability.inject ? capability.inject.hmac.header : capability.inject.header];
}

/** Compiling proves that the plugin's own schemas are schemas, and bounded. */
function compileSchemas({ config, tools = [] }: PluginManifest): void {
  if (config) compilePluginSchema(config, { role: 'config', source: 'config' });
  for (const tool of tools) {
    compilePluginSchema(tool.inputSchema, { role: 'input', source: `inputSchema of the tool '${tool.name}'` });
    compilePluginSchema(tool.outputSchema, { role: 'output', source: `outputSchema of the tool '${tool.name}'` });
  }
}

function twice(names: readonly string[], problem: string): string | undefined {
  const second = names.find((name, index) => names.indexOf(name) !== index);
  return second === undefined ? undefined : `${problem} '${second}'`;
}

function configPointers(capability: NonNullable<PluginManifest['capabilities']>[number]): string[] {
  const origins = capability.name === 'http.fetch' ? capability.origins : capability.name === 'secret.use' ? [capability.audience] : [];
  return origins.flatMap((origin) => (typeof origin === 'string' ? [] : [origin.config]));
}

/** Looks at the first part of the pointer only: what lies below may come from a definition. */
function hasSetting(config: PluginManifest['config'], pointer: string): boolean {
  const properties = config?.['properties'];
  return typeof properties === 'object' && properties !== null && Object.hasOwn(properties, pointer.split('/')[1] ?? '');
}
