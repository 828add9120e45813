// What two manifests say otherwise beside powers: names, contacts, requirements, shape of the config, tools. Called by diff.ts.
import { isDeepStrictEqual } from 'node:util';
import type { FactChange, ReleaseDiff } from '../../../schemas/release-diff.ts';
import type { PluginManifest, ToolDeclaration } from '../../../schemas/plugin-manifest.ts';
import type { Side } from './side.ts';

type Facts = ReadonlyMap<string, unknown>;

/** In the order of the newer one, what is gone last. */
function changesIn(before: Facts, after: Facts): FactChange[] {
  const names = new Set([...after.keys(), ...before.keys()]);
  return [...names].filter((fact) => !isDeepStrictEqual(before.get(fact), after.get(fact))).map((fact) => ({ fact, before: textOf(before.get(fact)), after: textOf(after.get(fact)) }));
}

const MOST_TEXT = 4000;

function textOf(value: unknown): string | null {
  if (value === undefined) return null;
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MOST_TEXT);
}

/** Version, powers, config and tools have places of their own. */
const ELSEWHERE: ReadonlySet<string> = new Set<keyof PluginManifest>(['version', 'capabilities', 'limits', 'config', 'tools', 'requires']);

export function identityChanges(before: Side, after: Side): FactChange[] {
  return changesIn(identityOf(before), identityOf(after));
}

/** Sections of a kind by their parts, requirements one by one. */
function identityOf({ manifest, provenance, label: { keyid, expiresAt } }: Side): Facts {
  const own = Object.entries(manifest).filter(([name]) => !ELSEWHERE.has(name));
  const parts = own.flatMap(([name, value]): [string, unknown][] => (typeof value === 'object' ? Object.entries(value).map(([part, each]) => [`${name}.${part}`, each]) : [[name, value]]));
  const requires = (manifest.requires ?? []).map(({ id, range, optional }): [string, unknown] => [`requires ${id}`, optional === true ? `${range} (optional)` : range]);
  const made = Object.entries(provenance ?? {}).map(([name, value]): [string, unknown] => [`provenance.${name}`, value]);
  return new Map<string, unknown>([...parts, ...requires, ...made, ['signed by', keyid ?? undefined], ['expires', expiresAt ?? undefined]]);
}

/** Of the schema that an operator's config is held against: a setting a line, by its path. */
export function configChanges(before: PluginManifest, after: PluginManifest): FactChange[] {
  return changesIn(new Map(settingsIn(before.config ?? {})), new Map(settingsIn(after.config ?? {})));
}

function settingsIn(schema: Readonly<Record<string, unknown>>, path = '/'): [string, unknown][] {
  const { properties, required, ...rest } = schema;
  const names = new Set(Array.isArray(required) ? required : []);
  const children = isRecord(properties) ? Object.entries(properties) : [];
  const mine: [string, unknown][] = Object.keys(rest).length === 0 ? [] : [[path, rest]];
  const below = path === '/' ? '/' : `${path}/`;
  return [...mine, ...children.flatMap(([name, child]) => (isRecord(child) ? settingsIn({ ...child, ...(names.has(name) ? { 'x-required': true } : {}) }, `${below}${name}`) : []))];
}

export function toolChanges({ tools: before = [] }: PluginManifest, { tools: after = [] }: PluginManifest): ReleaseDiff['tools'] {
  const known = new Map(before.map((tool) => [tool.name, tool]));
  const now = new Set(after.map(({ name }) => name));
  return {
    added: after.filter(({ name }) => !known.has(name)).map(({ name }) => name),
    removed: before.filter(({ name }) => !now.has(name)).map(({ name }) => name),
    changed: after.flatMap((tool) => {
      const what = whatDiffers(known.get(tool.name) ?? tool, tool);
      return what.length === 0 ? [] : [{ name: tool.name, what }];
    }),
  };
}

function whatDiffers(before: ToolDeclaration, after: ToolDeclaration): string[] {
  return [
    ...(before.effects === after.effects ? [] : [`effects: ${before.effects} to ${after.effects}`]),
    ...(before.idempotent === after.idempotent ? [] : [after.idempotent ? 'may be called twice' : 'may not be called twice']),
    ...(before.description === after.description ? [] : ['description']),
    ...(isDeepStrictEqual(before.inputSchema, after.inputSchema) ? [] : ['what it takes']),
    ...(isDeepStrictEqual(before.outputSchema, after.outputSchema) ? [] : ['what it answers']),
  ];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
