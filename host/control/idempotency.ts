// One request is carried out once, however often it is sent: `Idempotency-Key` of draft-ietf-httpapi-idempotency-key-header-07. api.ts asks for every mutation that carries one; decision 0041 says why it is as it is.
import { hash } from 'node:crypto';
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { BoundedTable } from '../store/bounded-table.ts';
import { put, type Key, type Put, type Store } from '../store/store.ts';
import { requestKeys, type RequestKeyRow } from '../store/tables.ts';
import { canonicalJson } from '../trust/canonical-json.ts';

export interface KeyedRequest {
  readonly tokenId: string;
  readonly key: string;
  readonly method: string;
  /** Below /api/v1, with `:name` for parameters: what others are told of it. */
  readonly path: string;
  /** As it was asked for. */
  readonly address: string;
  readonly body: unknown;
}

/** What a route can say of an action that was begun before a crash. */
export interface KeyedRoute {
  /** Its answer holds a secret that is told once: it is not kept. */
  readonly answersOnce?: boolean | undefined;
  /** What became of what `bind` named in the commit that made it. Without it, nobody knows how far the action came. */
  readonly resume?: ((bound: string) => unknown) | undefined;
}

/** A row for the commit that makes something, so that a repetition finds it: the name is what `resume` is given. */
export type Bind = (name: string) => Put;

export interface KeyedAnswer {
  readonly answer: unknown;
  /** It was carried out earlier. */
  readonly replayed: boolean;
}

export interface Idempotency extends AsyncDisposable {
  /**
   * Throws IDEMPOTENCY_REUSED, IDEMPOTENCY_UNDERWAY, IDEMPOTENCY_UNCERTAIN, IDEMPOTENCY_ANSWER_GONE; and what `action` throws. A refusal frees the key: nothing was done. So does what may be tried again.
   */
  carryOut(request: KeyedRequest, route: KeyedRoute, action: (bind: Bind) => unknown): Promise<KeyedAnswer>;
}

export const KEPT_MS = 24 * 3600 * 1000;
/** One program that makes keys without end pushes out its own, and nobody else's. */
export const KEY_BOUNDS = { perToken: 10_000, all: 100_000 } as const;
const MOST_ANSWER_BYTES = 64 * 1024;
const TRIM_EVERY_MS = 3600 * 1000;

/** Throws REQUEST_INVALID. Undefined without the header. */
export function idempotencyKeyOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header;
  throw new GatehouseError('REQUEST_INVALID', { path: 'header idempotency-key', problem: 'must be 1 to 255 visible ASCII characters, given once' });
}

export function createIdempotency(store: Store, clock: Clock, log: Log, bounds: { readonly perToken: number; readonly all: number } = KEY_BOUNDS): Idempotency {
  const isOld = ({ atMs }: RequestKeyRow) => atMs <= clock.now() - KEPT_MS;
  const bounded = (prefix: Key, most: number) =>
    new BoundedTable<RequestKeyRow>({
      store, table: requestKeys, prefix, most,
      seenAtMs: ({ atMs }) => atMs, forgetBefore: () => clock.now() - KEPT_MS,
      onGone: () => undefined,
      onFault: (thrown) => log.warn({ err: problemOf(thrown) }, 'old request keys could not be removed'),
    });
  const rows = bounded(requestKeys.prefix(), bounds.all);
  /** Of tokens that sent a key to this process; somebody made each of them. */
  const ofTokens = new Map<string, BoundedTable<RequestKeyRow>>();
  /** In this process; a row that is begun and not here was begun before a crash, or its end could not be written. */
  const underway = new Set<string>();
  let trimmedAtMs = clock.monotonicMs();

  function grew(tokenId: string): void {
    const own = ofTokens.get(tokenId) ?? bounded(requestKeys.prefix(tokenId), bounds.perToken);
    ofTokens.set(tokenId, own);
    own.grew();
    rows.grew();
    if (clock.monotonicMs() - trimmedAtMs < TRIM_EVERY_MS) return;
    trimmedAtMs = clock.monotonicMs();
    rows.trim().catch((error: unknown) => log.warn({ err: problemOf(error) }, 'old request keys could not be removed'));
  }

  return {
    async carryOut(request, route, action) {
      const place = [request.tokenId, hash('sha256', request.key)] as const;
      const key = requestKeys.key(...place);
      const name = place.join(':');
      const begun: RequestKeyRow = { atMs: clock.now(), method: request.method, path: request.path, fingerprint: fingerprintOf(request), state: 'begun' };
      if (underway.has(name)) {
        const first = (await store.get(requestKeys, key))?.value;
        throw first && first.fingerprint !== begun.fingerprint ? reused(first) : new GatehouseError('IDEMPOTENCY_UNDERWAY');
      }
      underway.add(name);
      try {
        const found = await store.get(requestKeys, key);
        const first = found && !isOld(found.value) ? found.value : undefined;
        if (first) {
          if (first.fingerprint !== begun.fingerprint) throw reused(first);
          if (first.state !== 'begun') return { answer: keptAnswer(first), replayed: true };
          if (!route.resume) throw new GatehouseError('IDEMPOTENCY_UNCERTAIN', toldOf(first));
          if (first.bound !== undefined) return { answer: await route.resume(first.bound), replayed: true };
          // Nothing was bound, so nothing was made: the action is carried out as if for the first time.
        }
        await store.commit({ put: [put(requestKeys, key, begun)] });
        grew(request.tokenId);
        return { answer: await ended(), replayed: false };
      } finally {
        underway.delete(name);
      }

      async function ended(): Promise<unknown> {
        let bound: string | undefined;
        let answer: unknown;
        try {
          answer = await action((made) => put(requestKeys, key, { ...begun, bound: (bound = made) }));
        } catch (error) {
          // What is bound is made, whatever came after; what may have been half done is not done again.
          if (bound === undefined && wasNotDone(error)) await written({ remove: [{ table: requestKeys, key }] });
          throw error;
        }
        const text = JSON.stringify(answer);
        const kept = route.answersOnce || Buffer.byteLength(text) > MOST_ANSWER_BYTES ? { state: 'gone' as const } : { state: 'answered' as const, answer: text };
        await written({ put: [put(requestKeys, key, { ...begun, ...(bound === undefined ? {} : { bound }), ...kept })] });
        return answer;
      }

      /** Whoever asked hears what became of the action all the same; a repetition is told that nobody knows. */
      async function written(commit: Parameters<Store['commit']>[0]): Promise<void> {
        await store.commit(commit).catch((error: unknown) => log.error({ err: problemOf(error) }, 'the end of a keyed request could not be written'));
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([rows, ...ofTokens.values()].map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

/** What was asked, whatever the order of keys in its body. Only a hash: a body may hold what nobody else is to read. */
function fingerprintOf({ method, address, body }: KeyedRequest): string {
  return hash('sha256', JSON.stringify([method, address, body === undefined ? null : canonicalJson(body)]));
}

function keptAnswer(row: RequestKeyRow): unknown {
  if (row.state === 'answered' && row.answer !== undefined) return JSON.parse(row.answer);
  throw new GatehouseError('IDEMPOTENCY_ANSWER_GONE', toldOf(row));
}

const reused = (first: RequestKeyRow) => new GatehouseError('IDEMPOTENCY_REUSED', toldOf(first));

const toldOf = ({ atMs, method, path }: RequestKeyRow) => ({ at: toTimestamp(atMs), method, path });

/** A refusal changes nothing, and an error that may be tried again has changed nothing: both are the errors' own promise (host/errors.ts). */
const wasNotDone = (error: unknown): boolean => error instanceof GatehouseError && (error.row.httpStatus < 500 || error.row.retryable);
