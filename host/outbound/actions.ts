// Performs what a channel's handlers ask the host to do for them, under the channel's own grants. deliver.ts waits for what becomes of it; ingress.ts does not.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeliveryFailure } from '../../schemas/control.ts';
import type { Action } from '../../schemas/message.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf, type ErrorCode } from '../errors.ts';
import { publish } from '../events.ts';
import type { Log } from '../log.ts';
import { judgeAnswer } from './answers.ts';
import { remoteIdIn } from './remote-id.ts';
import type { SocketHub } from './sockets.ts';

export type ActionRequest = Extract<Action, { request: unknown }>['request'];

/** As much of the answer as counts; nobody reads the rest. */
export interface ActionAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Only where it was asked for. */
  readonly body?: string;
}

export interface ActionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly sockets: Pick<SocketHub, 'send'>;
  /** Performs one request as the instance, held against its grants and quotas; with `isRead` the answer has a body. Throws the errors of broker and egress. */
  request(instance: string, request: ActionRequest, isRead: boolean): Promise<ActionAnswer>;
}

/** What became of a list of actions. */
export type Performed =
  /** `remoteId`: what the remote calls the message, where an action says where to find it. */
  | { readonly outcome: 'done'; readonly remoteId?: string }
  | { readonly outcome: 'refused'; readonly class: 'terminal'; readonly code: ErrorCode; readonly problem: string }
  | {
      readonly outcome: 'later';
      readonly class: Exclude<DeliveryFailure, 'terminal'>;
      readonly code: ErrorCode;
      readonly problem: string;
      /** Whether the remote failed, or the host only had no room or quota for it yet. */
      readonly whose: 'remote' | 'host';
      /** At least so long, because the remote says so. */
      readonly afterMs?: number;
    };

/** Lists of actions that one instance's `receive` may have waiting; what is beyond is dropped, and said. */
const MOST_ASIDE = 64;

export class Actions {
  readonly #parts: ActionParts;
  readonly #aside = new Map<string, { waiting: number; turn: Promise<void> }>();

  constructor(parts: ActionParts) {
    this.#parts = parts;
  }

  /**
   * In order, up to the first that is not done. `done` names the actions that an earlier try has finished, and grows with each one that this try does: an action
   * is known again by its content, so one that is built from the delivery alone is never performed twice.
   */
  async perform(instance: string, actions: readonly Action[], done: Set<string>): Promise<Performed> {
    const [only, ...others] = actions;
    if (!only) return { outcome: 'done' };
    if (others.length === 0 && done.size === 0) return this.#one(instance, only); // the usual case has nothing to tell apart
    let remoteId: string | undefined;
    for (const [name, action] of named(actions)) {
      if (done.has(name)) continue;
      const performed = await this.#one(instance, action);
      if (performed.outcome !== 'done') return performed;
      remoteId ??= performed.remoteId;
      done.add(name);
    }
    return remoteId === undefined ? { outcome: 'done' } : { outcome: 'done', remoteId };
  }

  /** For `receive`, whose source has its answer already: frames at once, requests after those of earlier calls, each tried once. */
  performAside(instance: string, actions: readonly Action[]): void {
    for (const action of actions) if ('frame' in action) this.#parts.sockets.send(instance, action.frame, action.text);
    const requests = actions.filter((action) => 'request' in action);
    if (requests.length === 0) return;
    const queue = this.#aside.get(instance) ?? { waiting: 0, turn: Promise.resolve() };
    if (queue.waiting >= MOST_ASIDE) {
      this.#parts.log.warn({ instance, requests: requests.length }, 'requests of a channel are dropped: too many are waiting');
      return;
    }
    this.#aside.set(instance, queue);
    queue.waiting += 1;
    queue.turn = queue.turn.then(() => this.#inTurn(instance, requests)).finally(() => {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#aside.delete(instance);
    });
  }

  /** Waits for what `performAside` has under way, at most so long. */
  async close(deadlineMs: number): Promise<void> {
    const deadline = new AbortController();
    await Promise.race([Promise.all([...this.#aside.values()].map(({ turn }) => turn)), sleep(deadlineMs, undefined, deadline).catch(() => undefined)]);
    deadline.abort();
  }

  async #inTurn(instance: string, requests: readonly Action[]): Promise<void> {
    for (const action of requests) {
      try {
        const performed = await this.#one(instance, action);
        if (performed.outcome !== 'done') this.#parts.log.warn({ instance, code: performed.code, problem: performed.problem }, 'a request of a channel failed');
      } catch (error) {
        this.#parts.log.error({ instance, err: problemOf(error) }, 'a request of a channel failed');
      }
    }
  }

  async #one(instance: string, action: Action): Promise<Performed> {
    if ('frame' in action) {
      this.#parts.sockets.send(instance, action.frame, action.text);
      return { outcome: 'done' };
    }
    try {
      const { status, headers, body } = await this.#parts.request(instance, action.request, action.remoteId !== undefined);
      const judged = this.#judged(status, headers);
      const remoteId = judged.outcome === 'done' && action.remoteId !== undefined ? remoteIdIn(body, action.remoteId) : undefined;
      return remoteId === undefined ? judged : { outcome: 'done', remoteId };
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      if (REFUSALS.has(error.code)) publish('capability.denied', { instance, capability: error.fields['capability'] === 'secret.use' ? 'secret.use' : 'http.fetch', code: error.code });
      // What was wrong with an answer nobody reads is no reason to do again what it says was done.
      const { status } = error.fields;
      return typeof status === 'number' ? this.#judged(status, {}) : failed(error);
    }
  }

  #judged(status: number, headers: Readonly<Record<string, string>>): Performed {
    const judged = judgeAnswer(status, headers, this.#parts.clock.now());
    const problem = `the remote answered ${status}`;
    if (judged.outcome === 'done') return judged;
    return judged.outcome === 'refused' ? { ...judged, class: 'terminal', code: 'DELIVERY_REFUSED', problem } : { ...judged, class: status === 429 ? 'rate-limited' : 'retryable', code: 'DELIVERY_FAILED', problem, whose: 'remote' };
  }
}

/** Refusals that the broker would tell of, had plugin code asked for itself. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['CAPABILITY_DENIED', 'CAPABILITY_ARGUMENT', 'EGRESS_DENIED', 'QUOTA_EXCEEDED', 'BUDGET_EXCEEDED']);

/** What policy refuses it would refuse again; everything else may be better at another time. */
function failed({ code, message: problem, fields }: GatehouseError): Performed {
  switch (code) {
    case 'QUOTA_EXCEEDED':
    case 'BUDGET_EXCEEDED':
      return { outcome: 'later', class: 'rate-limited', code, problem, whose: 'host' };
    case 'EGRESS_BUSY':
      return { outcome: 'later', class: 'retryable', code, problem, whose: 'host' };
    case 'INSTANCE_UNAVAILABLE':
      // Stopped before it was sent, or while it was under way.
      return { outcome: 'later', class: fields['written'] === false ? 'retryable' : 'unknown', code, problem, whose: 'host' };
    case 'STOPPING':
      return { outcome: 'later', class: 'unknown', code, problem, whose: 'host' };
    case 'SECRET_MISSING':
      // The operator can put this right while the work waits.
      return { outcome: 'later', class: 'retryable', code, problem, whose: 'remote' };
    case 'EGRESS_FAILED':
    case 'EGRESS_TIMEOUT':
    case 'EGRESS_TOO_LARGE':
    case 'EGRESS_RESPONSE':
      return { outcome: 'later', class: fields['written'] === false ? 'retryable' : 'unknown', code, problem, whose: 'remote' };
    default:
      return { outcome: 'refused', class: 'terminal', code, problem };
  }
}

/** Each action with a name made of its content; the second of two equal ones is another one. */
function named(actions: readonly Action[]): [string, Action][] {
  const seen = new Map<string, number>();
  return actions.map((action) => {
    const digest = createHash('sha256').update(JSON.stringify(action)).digest('base64url').slice(0, 22);
    const count = seen.get(digest) ?? 0;
    seen.set(digest, count + 1);
    return [count === 0 ? digest : `${digest}${count}`, action];
  });
}
