// The only way out: every message, edit and reaction leaves through here. Says when the next try may be made, asks the channel what is to be done, has it done, and says what became of it. stages/deliver.ts and delivery-work.ts call it.
import type { DeliveryFailure } from '../../schemas/control.ts';
import type { StageRecord } from '../../schemas/message.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { Clock } from '../clock.ts';
import { problemOf, type ErrorCode } from '../errors.ts';
import { askChannel } from '../pipeline/channel-calls.ts';
import { askToSend, type Asked } from '../pipeline/delivery/channel-send.ts';
import type { DeliveryContext } from '../pipeline/context.ts';
import type { PluginCalls } from '../pipeline/plugin-calls.ts';
import type { ChannelEntry, PluginDirectory } from '../pipeline/plugin-directory.ts';
import { policyOf } from '../pipeline/policy.ts';
import { readMessage } from '../store/messages.ts';
import { put, type Put, type Store } from '../store/store.ts';
import { pauses } from '../store/tables.ts';
import type { Actions, Performed } from './actions.ts';
import { MOST_RETRY_AFTER_MS } from './answers.ts';
import type { Rates } from './rate.ts';
import type { SocketHub } from './sockets.ts';

export interface GatewayParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly sockets: Pick<SocketHub, 'opened'>;
  readonly actions: Pick<Actions, 'perform'>;
  readonly rates: Rates;
}

/** A delivery that waits for its next try. `turnAtMs`, monotonic, is the turn it was given. */
export interface Waiting {
  readonly instance: string;
  readonly conversation: string;
  readonly turnAtMs?: number;
}

/** What became of one try. `whose`: the channel's handler failed, or was not there (`away`); the remote; or the host had no quota or room. */
export type Tried =
  | { readonly outcome: 'sent'; readonly remoteId?: string; readonly record: StageRecord; readonly scope?: CallScope }
  | { readonly outcome: 'failed'; readonly class: DeliveryFailure; readonly whose: 'away' | 'channel' | 'remote' | 'host'; readonly code: ErrorCode; readonly problem: string; readonly afterMs?: number };

export class Gateway {
  readonly #parts: GatewayParts;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Takes up what remotes asked for before the host's last end. */
  async recover(): Promise<void> {
    for (const { key, value } of await this.#parts.store.range(pauses, pauses.prefix())) this.#parts.rates.pause(String(key[1]), value.untilMs);
  }

  /** How long this delivery has to wait before its next try, and with which turn; undefined when it may go. Nothing is written down for it. */
  notYet({ instance, conversation, turnAtMs: given }: Waiting): { readonly waitMs: number; readonly turnAtMs?: number } | undefined {
    const { rates, clock, directory } = this.#parts;
    let turnAtMs = given;
    if (turnAtMs === undefined) {
      const channel = directory.channel(instance);
      const limits = channel ? policyOf(channel.policy, conversation).outbound.rates : [];
      if (limits.length > 0) turnAtMs = clock.monotonicMs() + rates.take(instance, conversation, limits);
    }
    const waitMs = Math.max(rates.pausedForMs(instance, MOST_RETRY_AFTER_MS), turnAtMs === undefined ? 0 : turnAtMs - clock.monotonicMs());
    if (waitMs <= 0) return undefined;
    return { waitMs: Math.ceil(waitMs), ...(turnAtMs === undefined ? {} : { turnAtMs }) };
  }

  /** The remote named a moment: the whole instance rests until then, over a restart too, unless its policy says that only the conversation does. The row is the caller's to commit. */
  rest(instance: string, conversation: string, forMs: number): Put | undefined {
    const { rates, clock, directory } = this.#parts;
    const channel = directory.channel(instance);
    if (!channel || policyOf(channel.policy, conversation).outbound.pause === 'conversation') return undefined;
    const untilMs = clock.now() + forMs;
    rates.pause(instance, untilMs);
    return put(pauses, pauses.key(instance), { untilMs });
  }

  /** One try at the piece that is under way. Never rejects for anything channel or remote did. */
  async send(context: DeliveryContext, channel: ChannelEntry): Promise<Tried> {
    const { row } = context;
    await this.#parts.sockets.opened(row.instance, row.conversation);
    const known = context.isDoubtful && channel.can('lookup') ? await this.#lookUp(context, channel) : undefined;
    if (known) return known;
    const asked = context.offered ?? (await this.#ask(context, channel));
    context.offered = undefined;
    if ('ok' in asked && !asked.ok) return notAsked(asked);
    const { actions, record } = asked;
    const scope = 'scope' in asked ? asked.scope : undefined;
    try {
      const performed = await this.#parts.actions.perform(row.instance, actions, context.done);
      if (performed.outcome === 'done') return sent(record, performed.remoteId ?? ('remoteId' in asked ? asked.remoteId : undefined), scope);
      scope?.release();
      return notDone(performed);
    } catch (error) {
      scope?.release();
      return { outcome: 'failed', class: 'retryable', whose: 'channel', code: 'DELIVERY_FAILED', problem: problemOf(error) };
    }
  }

  async #ask(context: DeliveryContext, channel: ChannelEntry): Promise<Asked> {
    const { row, attempts, pieces, piece } = context;
    const { calls, store } = this.#parts;
    const waitMs = channel.wallMs;
    if (row.edits === undefined && row.reacts === undefined) return await askToSend(calls, row, { attempts, waitMs, ...(pieces && pieces.length > 1 ? { piece: { text: pieces[piece] ?? '', index: piece + 1, count: pieces.length } } : {}) });
    const target = await readMessage(store, row.edits ?? row.reacts ?? '');
    if (!target) return { ok: false, away: false, terminal: true, problem: 'the message it is about is gone' };
    const thread = row.thread === undefined ? {} : { thread: row.thread };
    const options = { attemptKey: row.id, waitMs, hops: row.hops };
    const attempt = attempts + 1;
    const answer = row.edits === undefined
      ? await askChannel(calls, channel, 'react', { conversation: row.conversation, message: target.senderMessageId ?? target.id, emoji: row.text, remove: false, attempt }, options)
      : await askChannel(calls, channel, 'edit', { id: target.id, ...(target.remoteIds ? { remoteIds: [...target.remoteIds] } : {}), conversation: row.conversation, ...thread, text: row.text, attempt }, options);
    if (!answer.ok) return { ok: false, away: answer.away, terminal: answer.failure === 'terminal', problem: answer.problem };
    if (answer.by === 'host') return { ok: false, away: false, terminal: true, problem: `the channel has no '${row.edits === undefined ? 'react' : 'edit'}' any more` };
    return { ok: true, actions: answer.value.actions, scope: answer.scope, record: { stage: row.edits === undefined ? 'react' : 'edit', decision: 'sent', instance: row.instance, durationMs: answer.wallMs, cpuUs: answer.cpuUs } };
  }

  /** Undefined when the remote does not have it: then it may be sent. Who cannot tell is asked again later; nothing is repeated meanwhile. */
  async #lookUp(context: DeliveryContext, channel: ChannelEntry): Promise<Tried | undefined> {
    const { row, pieces, piece } = context;
    const thread = row.thread === undefined ? {} : { thread: row.thread };
    const id = pieces && pieces.length > 1 ? `${row.id}/${piece + 1}` : row.id;
    const answer = await askChannel(this.#parts.calls, channel, 'lookup', { id, conversation: row.conversation, ...thread, text: pieces?.[piece] ?? row.text, at: row.at }, { attemptKey: id, waitMs: channel.wallMs, hops: row.hops });
    if (!answer.ok) return { outcome: 'failed', class: 'unknown', whose: answer.away ? 'away' : 'remote', code: 'DELIVERY_FAILED', problem: `whether it has arrived cannot be told: ${answer.problem}` };
    if (answer.by === 'host') return undefined;
    const { found, remoteId } = answer.value;
    const record: StageRecord = { stage: 'lookup', decision: found ? 'found' : 'not-found', instance: row.instance, durationMs: answer.wallMs, cpuUs: answer.cpuUs };
    if (found) return sent(record, remoteId, answer.scope);
    answer.scope.release();
    context.stages.push(record);
    context.isDoubtful = false;
    return undefined;
  }
}

const sent = (record: StageRecord, remoteId: string | undefined, scope: CallScope | undefined): Tried => ({ outcome: 'sent', record, ...(remoteId === undefined ? {} : { remoteId }), ...(scope ? { scope } : {}) });

function notAsked({ away, terminal, problem }: Extract<Asked, { ok: false }>): Tried {
  return terminal && !away ? { outcome: 'failed', class: 'terminal', whose: 'channel', code: 'DELIVERY_REFUSED', problem } : { outcome: 'failed', class: 'retryable', whose: away ? 'away' : 'channel', code: 'DELIVERY_FAILED', problem };
}

function notDone(performed: Exclude<Performed, { outcome: 'done' }>): Tried {
  const { code, problem } = performed;
  if (performed.outcome === 'refused') return { outcome: 'failed', class: performed.class, whose: 'remote', code, problem };
  return { outcome: 'failed', class: performed.class, whose: performed.whose, code, problem, ...(performed.afterMs === undefined ? {} : { afterMs: performed.afterMs }) };
}
