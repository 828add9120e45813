// Requests of plugins to the world, performed by the host: who may, where to, how much, how long. `ctx.http.fetch` and a channel's request actions both end here.
import { setTimeout as delay } from 'node:timers/promises';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Grant } from '../../schemas/capability.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { publish, type Events } from '../events.ts';
import { doing, spanned, type Attributes } from '../tracing.ts';
import type { Connections, ConnectionsParts } from './connections.ts';
import type { DailyBytes } from './daily-bytes.ts';
import { exchange, type Answer, type Outgoing, type Sink } from './exchange.ts';
import { headersForOtherOrigin, headersWithoutBody, requestHeaders, type Headers } from './headers.ts';
import type { Injection } from './injection.ts';
import { refuseLeak } from './leak-scan.ts';
import { isAmong, permitFor, redirected, refusalOf, targetOf, type EgressPermit, type Target } from './target.ts';
import { Turns } from './turns.ts';

export type { Sink } from './exchange.ts';
export type { EgressPermit } from './target.ts';

export interface EgressCaller {
  readonly instance: string;
  readonly plugin: string;
}

export interface EgressRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Headers;
  readonly body?: string;
  /** Only the status counts, and no plugin gets the answer: what it holds is nobody's gain. */
  readonly unread?: boolean;
  /** Where the body goes instead, as it comes: for files that are too large to be texts. */
  readonly into?: Sink;
  /** Told of bytes as they go out and come in, and of none before the first. What it throws ends the request. */
  readonly onBytes?: (count: number) => void;
}

export interface EgressResponse {
  readonly status: number;
  /** Lower-case names, no prototype. */
  readonly headers: Headers;
  /** UTF-8 text, decompressed; empty when it went into a sink. */
  readonly body: string;
}

export interface EgressParts extends ConnectionsParts {
  readonly clock: Clock;
  /** Origins that are told of the trace their request is a part of. */
  readonly propagateTo?: ReadonlySet<string>;
  readonly bytes: Pick<DailyBytes, 'used' | 'add'>;
  /** Fetches a minute, by instance. */
  readonly minutes: { take(name: string, perMinute: number): boolean };
}

/** What the http.fetch grants of an instance allow. Grants were resolved before: an origin that still points into the config is nowhere. */
export function permitsOf(grants: readonly Grant[]): EgressPermit[] {
  return grants.filter((grant) => grant.name === 'http.fetch').map(({ origins, methods, quota }) => ({ origins: origins.filter((each) => typeof each === 'string'), methods, ...quota }));
}

/** What goes with a fetch through its redirects. */
interface Following extends Pick<EgressRequest, 'into' | 'onBytes'> {
  readonly injections: readonly Injection[];
  readonly isRead: boolean;
  readonly run: AbortController;
}

export class Egress implements AsyncDisposable {
  readonly #parts: EgressParts;
  #connections: Promise<Connections> | undefined;
  readonly #turns = new Turns();
  /** Files have turns of their own: large ones must not stand in the way of what a channel sends. */
  readonly #downloads = new Turns();
  readonly #running = new Map<AbortController, string>();
  #isClosed = false;

  constructor(parts: EgressParts) {
    this.#parts = parts;
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#turns.waiting + this.#downloads.waiting;
  }

  /** Loads what the first request needs, so that it does not wait for it. Not needed, only early. */
  async prepare(): Promise<void> {
    await this.#opened();
  }

  /**
   * Sends one request and up to three that its answers redirect to, each judged like the first. Within 10 s, after waiting for a turn at most as long.
   * `injections` are written at hops to their audience until a redirect leaves it; their secrets are looked for in every answer. `signal` ends it early.
   *
   * Throws EGRESS_DENIED (policy: says what), EGRESS_FAILED (no name, no connection, no TLS, no HTTP: one error for all, no sooner than after 250 ms),
   * EGRESS_TIMEOUT, EGRESS_TOO_LARGE, EGRESS_RESPONSE (an answer that cannot be used), EGRESS_BUSY, QUOTA_EXCEEDED, SECRET_LEAK, CALL_OVER when `signal` ended it.
   */
  async fetch(caller: EgressCaller, request: EgressRequest, permits: readonly EgressPermit[], injections: readonly Injection[], signal?: AbortSignal): Promise<EgressResponse> {
    const first = this.#prepare(caller, request, permits);
    const { clock } = this.#parts;
    let began = clock.monotonicMs();
    // One controller and listeners that are taken off again: signals composed with `AbortSignal.any` and `timeout` stay in memory for their ten seconds, and longer.
    const run = new AbortController();
    const endWithCall = () => run.abort(new GatehouseError('CALL_OVER'));
    signal?.addEventListener('abort', endWithCall);
    this.#running.set(run, caller.instance);
    if (signal?.aborted) endWithCall();
    if (this.#isClosed) run.abort(new GatehouseError('STOPPING'));
    try {
      return await this.#inTurn(caller, request.into, run, () => {
        began = clock.monotonicMs();
        return this.#follow(caller, first, permits, { injections, isRead: request.unread !== true, into: request.into, onBytes: request.onBytes, run });
      });
    } catch (error) {
      if (error instanceof GatehouseError && error.code === 'EGRESS_FAILED') await delay(Math.max(0, BOUNDS.fetchFailureMs - (clock.monotonicMs() - began)));
      throw error;
    } finally {
      signal?.removeEventListener('abort', endWithCall);
      this.#running.delete(run);
    }
  }

  /** Ends the requests of instances that are gone, with INSTANCE_UNAVAILABLE, and closes their connections. */
  async leave(isGone: (instance: string) => boolean): Promise<void> {
    for (const [run, instance] of this.#running) if (isGone(instance)) run.abort(new GatehouseError('INSTANCE_UNAVAILABLE', { instance, state: 'stopped' }));
    (await this.#connections)?.keepOnly((instance) => !isGone(instance));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const run of this.#running.keys()) run.abort(new GatehouseError('STOPPING'));
    await (await this.#connections)?.[Symbol.asyncDispose]();
  }

  /** The clock of a fetch runs from when its turn has come. */
  async #inTurn<T>({ instance }: EgressCaller, into: Sink | undefined, run: AbortController, work: () => Promise<T>): Promise<T> {
    const endTurn = await (into ? this.#downloads : this.#turns).take(instance, run.signal);
    const deadline = setTimeout(() => run.abort(new DOMException('The fetch took too long.', 'TimeoutError')), into ? BOUNDS.mediaFetchMs : BOUNDS.fetchTotalMs);
    try {
      return await work();
    } finally {
      clearTimeout(deadline);
      endTurn();
    }
  }

  #opened(): Promise<Connections> {
    return (this.#connections ??= import('./connections.ts').then(({ Connections }) => new Connections(this.#parts)));
  }

  /** Everything that can be said of a request before anything is asked of the network; and its place in the quotas. */
  #prepare(caller: EgressCaller, { method, url, headers: given = {}, body }: EgressRequest, permits: readonly EgressPermit[]): Outgoing {
    const { instance } = caller;
    const target = targetOf(url);
    if (typeof target === 'string') throw denied(instance, target);
    this.#judge(caller, target, method, permits);
    const headers = requestHeaders(given);
    if (typeof headers === 'string') throw denied(instance, headers);
    if (body !== undefined && (method === 'GET' || method === 'HEAD')) throw denied(instance, `a ${method} has no body`);
    if (body !== undefined && Buffer.byteLength(body) > BOUNDS.fetchBodyBytes) throw denied(instance, `its body has more than ${BOUNDS.fetchBodyBytes} bytes`);
    const perMinute = permitFor(target, method, permits)?.perMinute ?? BOUNDS.fetchesPerMinute;
    if (!this.#parts.minutes.take(`${instance} http.fetch`, perMinute)) throw new GatehouseError('QUOTA_EXCEEDED', { instance, capability: 'http.fetch', quota: `${perMinute} a minute` });
    return { target, method, headers, body };
  }

  /** The whole policy for one hop. Throws EGRESS_DENIED. */
  #judge({ instance }: EgressCaller, target: Target, method: string, permits: readonly EgressPermit[]): void {
    const refusal = refusalOf(target, method, permits, this.#parts.allow);
    if (refusal === undefined) return;
    publish('egress.request', { instance, method, origin: target.origin, code: 'EGRESS_DENIED', bytes: 0, durationMs: 0 });
    throw denied(instance, refusal);
  }

  async #follow(caller: EgressCaller, first: Outgoing, permits: readonly EgressPermit[], { injections, isRead, run, ...means }: Following): Promise<EgressResponse> {
    let hop = first;
    // What a redirect led to is never given a secret, not even when a second one leads back: the path there was chosen by somebody else.
    let isTrusted = true;
    for (let redirects = 0; ; redirects += 1) {
      this.#judge(caller, hop.target, hop.method, permits);
      const sent = isTrusted ? withInjected(caller.instance, hop, injections) : hop;
      const answer = await this.#send(caller, sent, permitFor(hop.target, hop.method, permits), means, run);
      refuseLeak(caller, hop.target.origin, answer, { injections, isRead });

      const next = redirected(answer.status, hop.method);
      if (!next || answer.location === undefined) return { status: answer.status, headers: answer.headers, body: answer.body };
      if (redirects === BOUNDS.fetchRedirects) throw denied(caller.instance, `it was redirected more than ${BOUNDS.fetchRedirects} times`);
      const target = targetOf(answer.location, hop.target);
      if (typeof target === 'string') throw denied(caller.instance, `it was redirected, and ${target}`);
      const stays = target.origin === hop.target.origin;
      isTrusted &&= stays;
      const headers = stays ? hop.headers : headersForOtherOrigin(hop.headers);
      hop = { target, method: next.method, headers: next.keepsBody ? headers : headersWithoutBody(headers), body: next.keepsBody ? hop.body : undefined };
    }
  }

  /** One hop over a connection of the instance's own; counted and told, however it ends. */
  async #send({ instance }: EgressCaller, hop: Outgoing, permit: EgressPermit | undefined, { into, onBytes }: Pick<Following, 'into' | 'onBytes'>, run: AbortController): Promise<Answer> {
    const { bytes: daily, clock } = this.#parts;
    const { target: { origin }, method } = hop;
    const began = clock.monotonicMs();
    let bytes = 0;
    const charge = (more: number) => {
      bytes += more;
      daily.add(instance, more);
      onBytes?.(more);
      this.#holdToQuota(instance, permit);
    };
    const tell = (end: Pick<Events['egress.request'], 'status' | 'code' | 'cause'>) => publish('egress.request', { instance, method, origin, ...end, bytes, durationMs: clock.monotonicMs() - began });

    this.#holdToQuota(instance, permit);
    onBytes?.(0);
    const connections = await this.#opened();
    const connection = connections.take(instance, origin);
    try {
      const asked = async () => {
        const answer = await exchange(connection, { ...hop, headers: new Map([...DEFAULT_HEADERS, ...hop.headers, ...this.#traceOf(origin)]) }, { run, charge, into });
        doing()?.span?.set({ 'http.response.status_code': answer.status });
        return answer;
      };
      const answer = await spanned(method, 'client', () => attributesOf(instance, hop), asked, ({ status }) => (status >= 400 ? String(status) : undefined));
      connections.give(connection);
      tell({ status: answer.status });
      return answer;
    } catch (error) {
      connections.drop(connection);
      tell(error instanceof GatehouseError ? { code: error.code, cause: causeOf(error.cause) } : { code: 'INTERNAL' });
      throw error;
    }
  }

  /** Whoever is not named learns of no trace, not even that there is one. Over what the plugin says: it knows of none. */
  #traceOf(origin: string): readonly (readonly [string, string])[] {
    const span = this.#parts.propagateTo?.has(origin) ? doing()?.span : undefined;
    return span ? [['traceparent', span.traceparent]] : [];
  }

  #holdToQuota(instance: string, permit: EgressPermit | undefined): void {
    const most = permit?.bytesPerDay;
    if (most !== undefined && this.#parts.bytes.used(instance) >= most) throw new GatehouseError('QUOTA_EXCEEDED', { instance, capability: 'http.fetch', quota: `${most} bytes a day` });
  }
}

/** Injected at this hop and not by the plugin: a header that both write is refused, because only one of them would count. */
function withInjected(instance: string, hop: Outgoing, injections: readonly Injection[]): Outgoing {
  const headers = new Map(hop.headers);
  for (const injection of injections) {
    if (!isAmong(hop.target.origin, [injection.audience])) continue;
    for (const [name, value] of Object.entries(injection.headersFor({ method: hop.method, target: hop.target.path, body: hop.body ?? '' }))) {
      if (hop.headers.has(name)) throw denied(instance, `the header '${name}' is written by the secret '${injection.handle}'`);
      headers.set(name, value);
    }
  }
  return { ...hop, headers };
}

/** As OpenTelemetry's conventions for HTTP clients have them, without path and query: those are the plugin's. */
function attributesOf(instance: string, { method, target: { origin } }: Outgoing): Attributes {
  const { protocol, hostname, port } = new URL(origin);
  return { 'http.request.method': method, 'url.scheme': protocol.slice(0, -1), 'server.address': hostname, 'server.port': Number(port) || (protocol === 'https:' ? 443 : 80), 'gatehouse.instance': instance };
}

/** Under what the plugin says. Compression is not asked for: exchange.ts says why. */
const DEFAULT_HEADERS: readonly (readonly [string, string])[] = [
  ['accept', '*/*'],
  ['accept-encoding', 'identity'],
  ['user-agent', 'gatehouse'],
];

const denied = (instance: string, problem: string) => new GatehouseError('EGRESS_DENIED', { instance, problem });

/** For the operator alone, in one word: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `ADDRESS_REFUSED`. */
function causeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : problemOf(error);
  return /^\w{1,60}$/.test(code) ? code : 'OTHER';
}
