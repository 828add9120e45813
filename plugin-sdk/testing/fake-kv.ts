// A kv client over a Map with the host's rules: writes are seen by their own call at once, by others once it has committed.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { JsonValue, KvClient, Page } from '../context.ts';
import { PluginError } from '../plugin-error.ts';
import { encodeUtf8, utf8Length } from '../utf8.ts';

/** Key to JSON text, as the host keeps values. */
export type KvStore = Map<string, string>;

export interface FakeKv {
  readonly client: KvClient;
  /** Writes what the call wrote into the store. Without it, nothing happened. */
  readonly commit: () => void;
}

const LIST_MOST = 100;

export function fakeKv(store: KvStore): FakeKv {
  const writes = new Map<string, string | null>();
  const read = (key: string) => (writes.has(key) ? writes.get(key) : store.get(key)) ?? null;

  const client: KvClient = {
    async get(key) {
      checkKey('kv.get', key);
      return parse(read(key));
    },
    async set(key, value) {
      checkKey('kv.set', key);
      const json: string | undefined = JSON.stringify(value);
      if (json === undefined) throw wrong('kv.set', '/value', 'it is not JSON');
      if (utf8Length(json) > BOUNDS.kvValueBytes) throw wrong('kv.set', '/value', `a value has at most ${BOUNDS.kvValueBytes} bytes`);
      writes.set(key, json);
    },
    async delete(key) {
      checkKey('kv.delete', key);
      writes.set(key, null);
    },
    async list({ prefix = '', after = '', limit = LIST_MOST } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > LIST_MOST) throw wrong('kv.list', '/limit', `it must be a whole number from 1 to ${LIST_MOST}`);
      const keys = [...new Set([...store.keys(), ...writes.keys()])].filter((key) => key.startsWith(prefix) && bytewise(key, after) > 0 && read(key) !== null).sort(bytewise);
      return pageOf(keys.map((key) => ({ key, value: parse(read(key)) })), limit);
    },
  };
  const commit = () => {
    for (const [key, json] of writes) {
      if (json === null) store.delete(key);
      else store.set(key, json);
    }
    writes.clear();
  };
  return { client, commit };
}

function pageOf<Item extends { readonly key: string }>(items: readonly Item[], limit: number): Page<Item> {
  return { items: items.slice(0, limit), cursor: items.length > limit ? (items[limit - 1]?.key ?? null) : null };
}

function checkKey(operation: string, key: string): void {
  if (typeof key !== 'string' || key === '' || /\p{Cc}/u.test(key)) throw wrong(operation, '/key', 'a key is text without control characters');
  if (utf8Length(key) > BOUNDS.kvKeyBytes) throw wrong(operation, '/key', `a key has at most ${BOUNDS.kvKeyBytes} bytes`);
}

const wrong = (operation: string, path: string, problem: string) => new PluginError('CAPABILITY_ARGUMENT', `'${operation}' was called with a wrong argument at ${path}: ${problem}.`);

const parse = (json: string | null): JsonValue => (json === null ? null : JSON.parse(json));

function bytewise(left: string, right: string): number {
  const [a, b] = [encodeUtf8(left), encodeUtf8(right)];
  const differs = a.findIndex((byte, index) => byte !== b[index]);
  return differs === -1 ? a.length - b.length : (a[differs] ?? 0) - (b[differs] ?? -1);
}
