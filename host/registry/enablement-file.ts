// One enablement file: read strictly, or switched on and off without touching anything else in it. Used by discover and by `plugins enable/disable`.
import { randomUUID } from 'node:crypto';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import semver from 'semver';
import { BOUNDS } from '../../schemas/bounds.ts';
import { Enablement } from '../../schemas/enablement.ts';
import type { SessionPolicy } from '../../schemas/policy.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { parseStrict } from '../strict-json.ts';
import { timeZone } from '../time-zone.ts';

type Optional = 'source' | 'digest' | 'onQuarantine' | 'relaxTo' | 'queue' | 'outbound' | 'session' | 'health' | 'media' | 'budgets';

/** An enablement with every default applied. */
export interface ResolvedEnablement extends Required<Omit<Enablement, '$schema' | Optional>>, Pick<Enablement, Optional> {}

const enablementOf = compileSchema(Enablement);

/** `file` names it in messages. Throws JSON_…, SCHEMA_UNKNOWN_KEY, SCHEMA_INVALID with the position. */
export function readEnablement(bytes: Uint8Array, file: string): ResolvedEnablement {
  const options = { source: file, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth };
  const { $schema: _, ...given } = parseDocument(bytes, enablementOf, options);
  if (given.version !== undefined && semver.validRange(given.version) === null) {
    const position = parseStrict(bytes, options).locate('/version');
    throw new GatehouseError('SCHEMA_INVALID', { source: file, path: '/version', ...position, problem: 'it is not a semver range' });
  }
  for (const [path, session] of sessionsIn(given)) {
    const zone = session.reset?.timeZone;
    if (zone === undefined || timeZone(zone)) continue;
    const pointer = `${path}/reset/timeZone`;
    throw new GatehouseError('SCHEMA_INVALID', { source: file, path: pointer, ...parseStrict(bytes, options).locate(pointer), problem: 'it is no time zone that this host knows' });
  }
  return {
    instance: given.plugin.slice(given.plugin.lastIndexOf('.') + 1),
    version: '*', required: false, enabled: true, order: 100, allowRollback: false, grants: [], config: {}, secrets: {}, limits: {}, admit: {}, commands: {}, gates: {}, rooms: {}, approvals: 0, hibernate: true, onTimeout: 'refuse',
    ...given,
  };
}

/** What it says about sessions, for all conversations and for single ones, by JSON pointer. */
function sessionsIn({ session, rooms = {} }: Pick<Enablement, 'session' | 'rooms'>): (readonly [string, SessionPolicy])[] {
  const ofRooms = Object.entries(rooms).flatMap(([room, policy]) => (policy.session ? [[`/rooms/${room.replaceAll('~', '~0').replaceAll('/', '~1')}/session`, policy.session] as const] : []));
  return [...(session ? [['/session', session] as const] : []), ...ofRooms];
}

/** Told of the real path and the new text before anybody can see it. */
export type OnWriting = (path: string, text: string) => void;

/** Sets `enabled` and rewrites the file as 2-space JSON, every other key in its place; a reader sees the old file or the new one. Throws as `readEnablement` does. */
export async function writeEnabled(file: string, enabled: boolean, onWriting?: OnWriting): Promise<void> {
  const target = await realpath(file);
  const bytes = await readFile(target);
  readEnablement(bytes, basename(file));
  const document: Record<string, unknown> = JSON.parse(bytes.toString('utf8'));
  document['enabled'] = enabled;
  const text = `${JSON.stringify(document, null, 2)}\n`;
  onWriting?.(target, text);
  await replaceFile(target, text);
}

/** Writes the whole text at once, with the mode that the file has. The draft's name begins with a dot, so that nobody takes it for an enablement. */
export async function replaceFile(target: string, text: string): Promise<void> {
  const draft = join(dirname(target), `.${basename(target)}.${randomUUID()}`);
  try {
    await using handle = await open(draft, 'wx', (await stat(target)).mode & 0o777);
    await handle.writeFile(text);
    await handle.sync();
    await rename(draft, target);
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
}
