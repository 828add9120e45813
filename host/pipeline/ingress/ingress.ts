// The door of a channel: a request or frame comes in, is verified by the host, read by the channel's `receive`, and each message goes through the inbound stages. The source is answered after the accept commit, never before.
import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReceiveResult, type ChannelRequest, type StageRecord } from '../../../schemas/message.ts';
import type { Clock } from '../../clock.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import { GatehouseError, problemOf, type ErrorCode, type Fields } from '../../errors.ts';
import { publish } from '../../events.ts';
import type { Log } from '../../log.ts';
import type { Actions } from '../../outbound/actions.ts';
import type { SocketHub } from '../../outbound/sockets.ts';
import type { Store } from '../../store/store.ts';
import { compileSchema } from '../../schema.ts';
import { problemAnswer } from '../../problem.ts';
import { ackFrame, httpAnswer, jsonAnswer, type Acceptance } from './acceptance.ts';
import type { Arrival } from '../inbound.ts';
import { costOf } from '../cost-record.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import type { ChannelEntry, PluginDirectory } from '../plugin-directory.ts';
import { matchRoute, type RouteMatch } from './routes.ts';
import { Replays } from './replays.ts';
import { secondLook } from './second-look.ts';
import { verifyRequest, type Verified } from '../stages/verify.ts';
import { unreadOf } from './unread.ts';
import { standingOf, type Standing } from '../verifying/speaker.ts';

export interface IngressRequest {
  readonly method: string;
  /** Path below the channel, decoded. */
  readonly path: string;
  /** The request target exactly as sent, for signatures over it and for routing. */
  readonly target: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export interface IngressAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string | Buffer;
}

export interface SocketPeer {
  readonly conversation: string;
  readonly query: Record<string, string>;
  send(text: string): void;
  close(code: number, reason: string): void;
}

export interface SocketSession {
  frame(text: string): void;
  closed(): void;
}

export interface IngressParts {
  readonly calls: PluginCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly sockets: SocketHub;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly actions: Actions;
  /** Runs the inbound stages; never rejects. */
  submit(arrival: Arrival): Promise<Acceptance>;
  /** How long answers wait, because queues fill. */
  pauseMs(): number;
  /** Commits what a call wrote when no message carries it. */
  readonly writes: PluginWrites;
}

/** What `receive` made of a request, with its records and what it wrote. */
interface Received {
  readonly result: ReceiveResult;
  readonly scope: CallScope;
  readonly records: readonly StageRecord[];
  readonly standing: Standing;
}

interface Refusal {
  readonly code: ErrorCode;
  readonly fields: Fields;
}

/** Frames of one socket that may wait for the one before them. */
const FRAMES_WAITING = 64;
/** Characters of them: a thousand sockets together stay below what a host can spare. One frame of any size may always wait. */
const CHARACTERS_WAITING = 256 * 1024;
/** Headers a plugin never sees: they carry credentials of the host's own users. */
const HIDDEN_HEADERS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

const receiveResult = compileSchema<ReceiveResult>(ReceiveResult);

export class Ingress {
  readonly #parts: IngressParts;
  readonly #replays: Replays;

  constructor(parts: IngressParts) {
    this.#parts = parts;
    this.#replays = new Replays(parts);
  }

  /** Never rejects: whatever the remote or the plugin did is an answer. */
  async http(channel: ChannelEntry, request: IngressRequest): Promise<IngressAnswer> {
    try {
      return await this.#answer(channel, request);
    } catch (error) {
      return problemAnswer(this.#faultOf(channel, error));
    }
  }

  async #answer(channel: ChannelEntry, request: IngressRequest): Promise<IngressAnswer> {
    const match = matchRoute(channel.section.ingress, channel.instance, request.method, request.target);
    if (!match) return problemAnswer('INGRESS_NOT_FOUND', { instance: channel.instance, method: request.method, path: request.target.split('?')[0]?.slice(0, 200) ?? '' });
    const limit = match.route.bodyLimitBytes;
    if (limit !== undefined && request.body.length > limit) return problemAnswer('INGRESS_TOO_LARGE', { limit });

    const { clock } = this.#parts;
    const startedAt = clock.monotonicMs();
    const { verify } = match.route;
    const verified = verifyRequest(verify, request, { secret: channel.secret, nowMs: clock.now() });
    if (!verified.ok) return this.#disbelieve(channel, match, verified.cause);
    if (!isUtf8(request.body)) return this.#notText(channel);
    const record: StageRecord = { stage: 'verify', decision: 'pass', reason: verify.scheme, durationMs: round(clock.monotonicMs() - startedAt) };
    if (!verified.seen) return await this.#take(channel, request, match, record);

    const claim = await this.#replays.claim(channel.instance, verified.seen);
    // The first may still come to nothing: then the second is welcome.
    if (claim.status === 'in-work') return problemAnswer('HOST_BUSY', { queue: 'host', depth: 1 });
    if (claim.status === 'replayed') return this.#disbelieve(channel, match, 'replayed');
    using kept = claim;
    const answer = await this.#take(channel, request, match, record);
    if (!comesAgain(answer)) await kept.keep();
    return answer;
  }

  /** What no channel has to look at to know that it is none of its. */
  #notText({ instance }: ChannelEntry): IngressAnswer {
    publish('channel.unread', { instance, kind: 'http', code: 'INGRESS_BODY', failure: 'terminal' });
    return problemAnswer('INGRESS_BODY', { instance, problem: 'the body is not valid UTF-8' });
  }

  /** Whoever sent it learns nothing about why; the operator does. */
  #disbelieve({ instance }: ChannelEntry, { route: { method, path, verify } }: RouteMatch, cause: Extract<Verified, { ok: false }>['cause'] | 'replayed'): IngressAnswer {
    publish('ingress.refused', { instance, route: `${method} ${path}`, scheme: verify.scheme, cause });
    // A key that is being replaced, or lost, is the operator's trouble: who sends has done nothing wrong, and must come back.
    if (cause === 'key-missing' || cause === 'key-unusable') return problemAnswer('INSTANCE_UNAVAILABLE', { instance, state: 'without its secret' });
    return problemAnswer('INGRESS_SIGNATURE', { instance });
  }

  async #take(channel: ChannelEntry, request: IngressRequest, match: RouteMatch, verified: StageRecord): Promise<IngressAnswer> {
    const received = await this.#receive(channel, requestForPlugin(request, match), verified, standingOf(match.route));
    if ('refusal' in received) return problemAnswer(received.refusal.code, received.refusal.fields);
    const acceptances = await this.#submitAll(channel, received);
    this.#parts.actions.performAside(channel.instance, received.result.actions ?? []);
    if (acceptances.length === 0) return respond(received.result);
    await this.#slowDown();
    return httpAnswer(acceptances);
  }

  /** Opens a socket: `open` runs first, then frames one after the other, then `close`. */
  async socket(channel: ChannelEntry, peer: SocketPeer): Promise<SocketSession> {
    const { sockets } = this.#parts;
    const connection = sockets.add(channel.instance, peer.conversation, peer);
    const request = (kind: 'open' | 'frame' | 'close', text?: string): ChannelRequest => ({ kind, connection: connection.id, conversation: peer.conversation, query: peer.query, ...(text === undefined ? {} : { text }) });
    const verified = (): StageRecord => ({ stage: 'verify', decision: 'pass', reason: 'socket', durationMs: 0 });

    const opened = this.#exchange(channel, request('open'), verified(), peer);
    connection.opening(opened);
    let refused = false;
    let turn: Promise<unknown> = opened.then((ok) => {
      refused = !ok;
      if (refused) peer.close(1011, 'the channel is not available');
    });
    let waiting = 0;
    let characters = 0;
    // By its settings of now: a socket outlives changes of its channel, but not its channel.
    const take = async (text: string) => {
      const current = this.#parts.directory.channel(channel.instance);
      if (!current) peer.close(1001, 'the channel is gone');
      else if (!refused) await this.#exchange(current, request('frame', text), verified(), peer);
    };

    return {
      frame: (text) => {
        if (waiting >= FRAMES_WAITING || (waiting > 0 && characters + text.length > CHARACTERS_WAITING)) {
          peer.close(1013, 'too many frames at once');
          return;
        }
        waiting += 1;
        characters += text.length;
        turn = turn.then(() => take(text)).finally(() => {
          waiting -= 1;
          characters -= text.length;
        });
      },
      closed: () => {
        connection.remove();
        void turn.then(() => this.#exchange(channel, request('close'), verified(), { send: () => undefined }));
      },
    };
  }

  /** False when the channel could not take it. Never rejects: a socket's turn must go on. */
  async #exchange(channel: ChannelEntry, request: ChannelRequest, verified: StageRecord, peer: Pick<SocketPeer, 'send'>): Promise<boolean> {
    try {
      return await this.#takeFrame(channel, request, verified, peer);
    } catch (error) {
      peer.send(JSON.stringify({ type: 'error', code: this.#faultOf(channel, error), message: 'The host could not take this.' }));
      return false;
    }
  }

  /** A defect or a store that cannot commit: logged here, told without detail. */
  #faultOf(channel: ChannelEntry, error: unknown): ErrorCode {
    this.#parts.log.error({ instance: channel.instance, err: problemOf(error) }, 'an arrival could not be taken');
    return error instanceof GatehouseError && error.row.retryable ? error.code : 'INTERNAL';
  }

  async #takeFrame(channel: ChannelEntry, request: ChannelRequest, verified: StageRecord, peer: Pick<SocketPeer, 'send'>): Promise<boolean> {
    const received = await this.#receive(channel, request, verified, 'unproven');
    if ('refusal' in received) {
      const { code, fields } = received.refusal;
      const meant = code === 'INGRESS_PAYLOAD' ? fields['problem'] : undefined;
      peer.send(JSON.stringify({ type: 'error', code, message: meant ?? 'The channel could not read this.' }));
      return false;
    }
    const messages = received.result.messages ?? [];
    await this.#submitAll(channel, received, (acceptance, index) => peer.send(ackFrame(messages[index]?.id ?? '', acceptance)));
    this.#parts.actions.performAside(channel.instance, received.result.actions ?? []);
    if (messages.length > 0) await this.#slowDown();
    return true;
  }

  async #receive(channel: ChannelEntry, request: ChannelRequest, verified: StageRecord, standing: Standing): Promise<Received | { readonly refusal: Refusal }> {
    // A socket that is gone is gone, whatever anybody thinks of it.
    const look = request.kind === 'close' ? undefined : await secondLook(this.#parts.calls, channel, request);
    if (look?.outcome === 'refused') return { refusal: look };
    const called = await this.#parts.calls.call(channel.instance, 'receive', request, { attemptKey: randomUUID(), waitMs: channel.wallMs });
    const { result, scope } = called;
    if (!result.ok) {
      const unread = unreadOf(channel.instance, result);
      if (!unread.away) publish('channel.unread', { instance: channel.instance, kind: request.kind, code: unread.code, failure: unread.failure });
      return { refusal: unread };
    }
    if (!receiveResult.is(result.value)) {
      scope.release();
      const wrong = receiveResult.explain(result.value);
      publish('channel.unread', { instance: channel.instance, kind: request.kind, code: 'RESULT_INVALID', failure: 'terminal' });
      return { refusal: { code: 'RESULT_INVALID', fields: { handler: 'receive', instance: channel.instance, path: wrong?.path, problem: wrong?.problem } } };
    }
    const record: StageRecord = { stage: 'receive', decision: 'pass', instance: channel.instance, ...costOf(called) };
    const looked = look && 'record' in look ? [look.record] : [];
    return { result: result.value, scope, records: [verified, ...looked, record], standing: look?.outcome === 'unanswered' ? 'unproven' : standing };
  }

  /** Whoever waits for the answer, or for the turn of his next frame, sends more slowly. */
  async #slowDown(): Promise<void> {
    const pauseMs = this.#parts.pauseMs();
    if (pauseMs > 0) await sleep(pauseMs);
  }

  /** One message after the other: their order is the order the channel gave. */
  async #submitAll(channel: ChannelEntry, { result, scope, records, standing }: Received, told?: (acceptance: Acceptance, index: number) => void): Promise<Acceptance[]> {
    const acceptances: Acceptance[] = [];
    const messages = result.messages ?? [];
    // What `receive` wrote goes into the commit of its last message. By then it is known what became of the others: a cursor must not move past one that the
    // source is told to send again.
    let riding: readonly CallScope[] = [];
    for (const [index, message] of messages.entries()) {
      if (index === messages.length - 1 && scope.hasWrites && !acceptances.some(willComeAgain)) riding = [scope];
      const acceptance = await this.#parts.submit({ channel, message, standing, stages: [...records], scopes: [...riding] });
      acceptances.push(acceptance);
      told?.(acceptance, index);
    }
    const last = acceptances.at(-1);
    if (!scope.hasWrites || (riding.length > 0 && last && isTaken(last))) return acceptances;
    if (acceptances.some(willComeAgain)) scope.release();
    else {
      // Messages that were all refused, or all seen before, send nothing; what they sent the first time is sent.
      if (messages.length > 0 && !acceptances.some(isTaken)) scope.unsend();
      await this.#parts.writes.commit(scope);
    }
    return acceptances;
  }
}

/** Answers that have the source send the same once more. */
const comesAgain = ({ status }: IngressAnswer) => status >= 500 || status === 429;

const isTaken = ({ status }: Acceptance) => status === 'accepted' || status === 'held';
const willComeAgain = (acceptance: Acceptance) => acceptance.status === 'refused' && (acceptance.code === 'INTERNAL' || new GatehouseError(acceptance.code).row.retryable);

function requestForPlugin(request: IngressRequest, { route: { verify }, path, params }: RouteMatch): ChannelRequest {
  const headers: Record<string, string> = Object.create(null);
  // A proof is for the host: with a token a plugin could speak as its own source. Of `hmac-sha256` it was always passed on, and can be used only for the same bytes.
  const proof = 'header' in verify && verify.scheme !== 'hmac-sha256' ? verify.header : undefined;
  for (const [name, value] of Object.entries(request.headers)) if (!HIDDEN_HEADERS.has(name) && name !== proof) headers[name] = value;
  return { kind: 'http', method: request.method, path, params, query: request.query, headers, body: request.body.toString('utf8') };
}

function respond({ respond: answer }: ReceiveResult): IngressAnswer {
  if (!answer) return { status: 204, headers: {}, body: '' };
  const { status, headers = {}, body = '' } = answer;
  if (typeof body === 'string') return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...lowerCased(headers) }, body };
  return { ...jsonAnswer(status, body), headers: { 'content-type': status >= 400 ? 'application/problem+json; charset=utf-8' : 'application/json; charset=utf-8', ...lowerCased(headers) } };
}

const lowerCased = (headers: Record<string, string>) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
const round = (ms: number) => Math.round(ms * 1000) / 1000;
