// `ctx.kv`: a private key-value space per instance. Writes are buffered in the call and committed with the stage that made it; reads see them.
import { Type } from 'typebox';
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed } from '../../schemas/closed.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import type { Store } from '../store/store.ts';
import { kv, type KvRow } from '../store/tables.ts';
import { operation, type AnyOperation } from './capability.ts';
import type { KvLedger } from './kv-ledger.ts';

const LIST_MOST = 100;
/** After every key of a prefix: no well-formed text sorts behind it. */
const AFTER_ALL = '\u{10ffff}';

const Key = Type.String({ minLength: 1, maxLength: BOUNDS.kvKeyBytes, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });
const keyRequest = compileSchema<{ key: string }>(closed({ key: Key }));
const setRequest = compileSchema<{ key: string; value: unknown }>(closed({ key: Key, value: Type.Unknown() }));
const listRequest = compileSchema<{ prefix?: string; after?: string; limit?: number }>(
  closed({ prefix: Type.Optional(Type.String({ maxLength: BOUNDS.kvKeyBytes })), after: Type.Optional(Type.String({ maxLength: BOUNDS.kvKeyBytes })), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIST_MOST })) }),
);

/** The four kv operations over one store and ledger. */
export function kvOperations(store: Store, ledger: KvLedger): readonly AnyOperation[] {
  const stored = async (instance: string, key: string) => (await store.get(kv, kv.key(instance, key)))?.value;

  return [
    operation<{ key: string }, 'kv'>({
      op: 'kv.get',
      capability: 'kv',
      request: keyRequest,
      authorize: () => undefined,
      async perform({ key }, caller, scope) {
        const own = scope.read(caller.instance, key);
        const entry = own === undefined ? await stored(caller.instance, key) : own;
        return entry?.value ?? null;
      },
    }),
    operation<{ key: string; value: unknown }, 'kv'>({
      op: 'kv.set',
      capability: 'kv',
      request: setRequest,
      authorize: () => undefined,
      async perform({ key, value }, caller, scope, grant) {
        refuseLongKey(key);
        const json = JSON.stringify(value);
        if (Buffer.byteLength(json) > BOUNDS.kvValueBytes) throw new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'kv.set', path: '/value', problem: `a value has at most ${BOUNDS.kvValueBytes} bytes` });
        const own = scope.read(caller.instance, key);
        const before = own === undefined ? await stored(caller.instance, key) : own;
        const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(json);
        const size = Math.max(0, sizeBytes - (before?.sizeBytes ?? 0));
        const reservation = await ledger.reserve(caller.instance, size, grant.quotaBytes);
        if ('used' in reservation) throw new GatehouseError('KV_QUOTA', { instance: caller.instance, used: reservation.used, quotaBytes: grant.quotaBytes, size });
        scope.onRelease(reservation.release);
        scope.write(caller.instance, key, { value, sizeBytes });
        return null;
      },
    }),
    operation<{ key: string }, 'kv'>({
      op: 'kv.delete',
      capability: 'kv',
      request: keyRequest,
      authorize: () => undefined,
      async perform({ key }, caller, scope) {
        scope.write(caller.instance, key, null);
        return null;
      },
    }),
    operation<{ prefix?: string; after?: string; limit?: number }, 'kv'>({
      op: 'kv.list',
      capability: 'kv',
      request: listRequest,
      authorize: () => undefined,
      async perform({ prefix = '', after = '', limit = LIST_MOST }, caller, scope) {
        const own = [...(scope.writes.get(caller.instance) ?? [])].filter(([key]) => key.startsWith(prefix) && key > after);
        const from = after > prefix ? after : prefix;
        // Deletions of this call may hide stored rows, so read that many more.
        const rows = await store.range(kv, kv.prefix(caller.instance), { from: kv.key(caller.instance, from), to: kv.key(caller.instance, `${prefix}${AFTER_ALL}`), limit: limit + own.length + 2 });
        const merged = new Map<string, KvRow | null>();
        for (const row of rows) {
          const key = String(row.key[2]);
          if (key.startsWith(prefix) && key > after) merged.set(key, row.value);
        }
        for (const [key, write] of own) merged.set(key, write);
        const items: { key: string; value: unknown }[] = [];
        let bytes = 0;
        let more = false;
        for (const key of [...merged.keys()].sort(bytewise)) {
          const entry = merged.get(key);
          if (!entry) continue;
          bytes += entry.sizeBytes;
          if (items.length === limit || bytes > BOUNDS.messageListBytes) {
            more = true;
            break;
          }
          items.push({ key, value: entry.value });
        }
        return { items, cursor: more ? (items.at(-1)?.key ?? null) : null };
      },
    }),
  ];
}

function refuseLongKey(key: string): void {
  if (Buffer.byteLength(key) > BOUNDS.kvKeyBytes) throw new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'kv.set', path: '/key', problem: `a key has at most ${BOUNDS.kvKeyBytes} bytes` });
}

const bytewise = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
