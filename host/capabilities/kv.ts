// `ctx.kv`: a private key-value space per instance. Writes are buffered in the call and committed with the stage that made it; reads see them.
import { Type } from 'typebox';
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed } from '../../schemas/closed.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import type { Store } from '../store/store.ts';
import { kv, type KvRow } from '../store/tables.ts';
import { operation, type AnyOperation } from './capability.ts';
import { afterPrefix, bytewise, withKeys } from './kv-key.ts';
import type { KvLedger } from './kv-ledger.ts';

const LIST_MOST = 100;

const Key = Type.String({ minLength: 1 });
const keyRequest = withKeys(compileSchema<{ key: string }>(closed({ key: Key })), 'key');
const setRequest = withKeys(compileSchema<{ key: string; value: unknown }>(closed({ key: Key, value: Type.Unknown() })), 'key');
const listRequest = withKeys(
  compileSchema<{ prefix?: string; after?: string; limit?: number }>(
    closed({ prefix: Type.Optional(Type.String()), after: Type.Optional(Type.String()), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIST_MOST })) }),
  ),
  'prefix',
  'after',
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
      spends: 'kvBytes',
      request: setRequest,
      authorize: () => undefined,
      async perform({ key, value }, caller, scope, grant) {
        const json = JSON.stringify(value);
        if (Buffer.byteLength(json) > BOUNDS.kvValueBytes) throw new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'kv.set', path: '/value', problem: `a value has at most ${BOUNDS.kvValueBytes} bytes` });
        const own = scope.read(caller.instance, key);
        const before = own === undefined ? await stored(caller.instance, key) : own;
        const sizeBytes = Buffer.byteLength(key) + Buffer.byteLength(json);
        const size = Math.max(0, sizeBytes - (before?.sizeBytes ?? 0));
        const reservation = await ledger.reserve(caller.instance, size, grant.quotaBytes);
        if ('used' in reservation) throw new GatehouseError('KV_QUOTA', { instance: caller.instance, used: reservation.used, quotaBytes: grant.quotaBytes, size });
        scope.onRelease(reservation.release);
        scope.hold('kvBytes');
        scope.write(caller.instance, key, { value, sizeBytes });
        scope.spend({ kvBytes: sizeBytes });
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
        const own = [...scope.visible(caller.instance)].filter(([key]) => key.startsWith(prefix) && bytewise(key, after) > 0);
        const to = afterPrefix(prefix);
        const rows = await store.range(kv, kv.prefix(caller.instance), {
          from: kv.key(caller.instance, prefix),
          after: kv.key(caller.instance, after),
          ...(to !== undefined && { to: kv.key(caller.instance, to) }),
          // Deletions of this call may hide stored rows, and one more tells whether a page follows.
          limit: limit + own.length + 1,
        });
        const merged = new Map<string, KvRow | null>(rows.map((row) => [String(row.key[2]), row.value]));
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
