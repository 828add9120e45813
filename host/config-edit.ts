// Edits of host.json as values: what a patch makes of it, what that changes, and what of it a running host takes up by itself. Used by config-desk.ts and, with no host running, by `gatehouse config`.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { BOUNDS } from '../schemas/bounds.ts';
import type { ConfigChange } from '../schemas/config-view.ts';
import { HostConfig } from '../schemas/host-config.ts';
import { configIn, type ConfigSources } from './config.ts';
import { GatehouseError } from './errors.ts';
import { compileSchema, parseDocument } from './schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** Taken up at the next look at the home, without a restart. */
const HOT: readonly string[] = ['identities', 'trust'];

export const needsRestart = (path: string): boolean => !HOT.some((hot) => path === hot || path.startsWith(`${hot}.`));

/** Who may run, behind which walls, and what plugins may reach: what a reviewer decides, and nobody who only runs the host. */
const REVIEWED: readonly string[] = ['trust', 'strict', 'profile', 'egress', 'sandbox.jitless', 'collision'];

/** The changes that need a reviewer's scope. */
export const reviewedIn = (changes: readonly ConfigChange[]): readonly string[] => changes.map(({ path }) => path).filter((path) => REVIEWED.some((each) => path === each || path.startsWith(`${each}.`) || each.startsWith(`${path}.`) || path === '/'));

/** `sha256:` over the exact bytes: what an edit was made from. */
export const configHash = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** As host.json is written: two spaces, keys in their order. */
export const configText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;

const hostConfig = compileSchema(HostConfig);

/** What somebody wrote, without defaults. Throws JSON_… and SCHEMA_… with the position; `called` is what they call the file. */
export function readWritten(bytes: Uint8Array, called: string): Json {
  return parseDocument(bytes, hostConfig, { source: called, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth });
}

/** The edited file, once it is known to be one that a host would start with. Throws as `loadConfig` does. */
export function editedText(document: unknown, sources: ConfigSources): string {
  if (!isObject(document)) throw new GatehouseError('REQUEST_INVALID', { path: '/', problem: 'settings are an object' });
  const text = configText(document);
  configIn(Buffer.from(text), sources);
  return text;
}

/** RFC 7396 JSON merge patch: null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

/** `pipeline.queue.mode` and a value, as the patch that sets it. */
export function patchOf(path: string, value: unknown): Json {
  const [key = '', ...rest] = path.split('.');
  return { [key]: rest.length === 0 ? value : patchOf(rest.join('.'), value) };
}

/** The value at a path; undefined when there is none. */
export function valueAt(document: unknown, path: string): unknown {
  let value = document;
  for (const key of path.split('.')) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

/** Every setting in which two files differ, in the order of paths. Lists are compared whole. */
export function changesBetween(before: unknown, after: unknown, path = ''): ConfigChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [{ path: path === '' ? '/' : path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => key !== '$schema').toSorted();
  return keys.flatMap((key) => changesBetween(own(before, key), own(after, key), path === '' ? key : `${path}.${key}`));
}

const own = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
