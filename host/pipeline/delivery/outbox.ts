// What plugins send: addressed, sanitized and judged while their call waits, so that a refusal is theirs to handle and nothing unjudged is ever stored. plugin-writes.ts stores it, and hands it back here to be delivered.
import { ConversationId } from '../../../schemas/ids.ts';
import type { Message, StageRecord } from '../../../schemas/message.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import type { Letter, MessageOutbox, Taken } from '../../capabilities/message-send.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { publish } from '../../events.ts';
import type { Ids } from '../../ids.ts';
import type { MessageRow } from '../../store/tables.ts';
import { traced } from '../../tracing.ts';
import { PLUGIN_SENDER } from '../gating/frozen.ts';
import { tellObservers, type ObserverParts } from '../gating/observers.ts';
import type { ChannelEntry, PluginDirectory } from '../plugin-directory.ts';
import { judgedOf, type Judged } from '../gating/provenance.ts';
import { askGates, type GateParts } from '../gating/gates.ts';
import { maySend } from '../../outbound/rules.ts';
import { policyOf } from '../policy.ts';
import { sessionKey } from '../sessions/session-keys.ts';
import type { Rooms } from '../sessions/rooms.ts';
import { leaving, polished } from './leaving.ts';

export interface OutboxParts extends GateParts, ObserverParts {
  readonly directory: PluginDirectory;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly rooms: Pick<Rooms, 'kindOf'>;
  /** Places in the delivery queue of a conversation. `reserve` throws LANE_FULL or HOST_BUSY. */
  readonly reserve: (instance: string, conversation: string) => void;
  readonly unreserve: (instance: string, conversation: string) => void;
  /** Puts a message that is durable into its delivery queue. */
  readonly deliver: (row: MessageRow) => void;
}

export class Outbox implements MessageOutbox {
  readonly #parts: OutboxParts;
  /** Messages made while what waits in the store is still being taken up: the search for it must leave them alone, they are queued from here. */
  #fresh: Set<string> | undefined = new Set();

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Whether this delivery is of this process's own making and queued when its commit has ended. */
  isFresh(messageId: string): boolean {
    return this.#fresh?.has(messageId) ?? false;
  }

  /** What waited in the store has been taken up. */
  recovered(): void {
    this.#fresh = undefined;
  }

  /** Told after the commit, in order. */
  sent(row: MessageRow): void {
    this.#parts.deliver(row);
  }

  async take(letter: Letter, scope: CallScope): Promise<Taken> {
    const { reserve, unreserve } = this.#parts;
    const { instance, conversation } = letter;
    const channel = await this.#target(letter);
    const said = await this.#sendable(letter, channel, scope);
    reserve(instance, conversation);
    const giveBack = () => unreserve(instance, conversation);
    try {
      return { row: await this.#judged(letter, said, channel, scope), giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async #target({ instance, conversation }: Letter): Promise<ChannelEntry> {
    const channel = this.#parts.directory.channel(instance);
    if (!channel) throw new GatehouseError('MESSAGE_TARGET', { instance, problem: 'no channel of that name is enabled' });
    if (!channel.section.abilities.includes('send')) throw new GatehouseError('MESSAGE_TARGET', { instance, problem: 'the channel only receives' });
    if (!maySend(policyOf(channel.policy, conversation).outbound, await this.#parts.rooms.kindOf(instance, conversation))) throw new GatehouseError('SEND_DENIED', { instance });
    return channel;
  }

  /** As it may leave, by the host and by the channel's own handler. Nobody tidies its own words twice: a channel that sends through itself is not asked. */
  async #sendable({ text: raw, by, conversation }: Letter, channel: ChannelEntry, scope: CallScope): Promise<Pick<Judged, 'text' | 'originalSha256'>> {
    const wrong = (problem: string) => new GatehouseError('CAPABILITY_ARGUMENT', { capability: 'message.send', path: '/text', problem });
    if (Buffer.byteLength(raw) > BOUNDS.messageTextBytes) throw wrong(`it has more than ${BOUNDS.messageTextBytes} bytes`);
    const left = by === channel.instance ? leaving(channel, conversation, raw) : await polished(this.#parts.calls, channel, conversation, raw, scope.nextKey(by));
    if ('failure' in left) throw new GatehouseError('INSTANCE_UNAVAILABLE', { instance: channel.instance, state: 'not able to sanitize' });
    if (!left.ok) throw new GatehouseError('REPLY_DENIED', { reason: left.reason });
    if (left.text.trim() === '') throw wrong('it is empty');
    return { text: left.text, ...(left.originalSha256 !== undefined && { originalSha256: left.originalSha256 }) };
  }

  async #judged({ by, conversation, hops }: Letter, said: Pick<Judged, 'text' | 'originalSha256'>, { instance }: ChannelEntry, scope: CallScope): Promise<MessageRow> {
    const { ids, clock } = this.#parts;
    const id = ids.next();
    this.#fresh?.add(id);
    const sender = { id: `${PLUGIN_SENDER}${by}` };
    const at = toTimestamp(clock.now());
    const stages: StageRecord[] = [];
    const message: Message = { id, senderMessageId: id, instance, conversation, sender, ...said, mentions: [], media: [], at, flags: [], stages, hops };
    const startedAt = clock.monotonicMs();
    const attemptKey = scope.nextKey(by);
    const scopes: CallScope[] = [];
    const outcome = await askGates({ message, direction: 'outbound', attemptKey, stages, scopes, within: { scope, by } }, this.#parts);
    if (outcome.effect !== 'pass') {
      publish('message.outcome', { messageId: id, instance, direction: 'outbound', outcome: 'denied', code: outcome.effect === 'unavailable' ? outcome.code : 'REPLY_DENIED' });
      if (outcome.effect === 'deny') throw new GatehouseError('REPLY_DENIED', { reason: outcome.reason });
      throw new GatehouseError(outcome.effect === 'unavailable' ? outcome.code : 'GATE_UNAVAILABLE', { instance: outcome.gate });
    }
    absorbAll(scope, scopes);
    stages.push({ stage: 'screen', decision: 'pass', instance: by, durationMs: Math.round((clock.monotonicMs() - startedAt) * 1000) / 1000 });
    tellObservers('outbound', attemptKey, outcome.message, this.#parts);
    return { id, instance, conversation: ConversationId.of(conversation), sessionKey: sessionKey('conversation', { instance, conversation, sender: sender.id }), sender, direction: 'outbound', outcome: 'pending', ...judgedOf(outcome.message), mentions: [], media: [], at, stages, hops, ...traced() };
  }
}

/** Of a call that is over nothing is kept, not even by half. */
function absorbAll(scope: CallScope, nested: readonly CallScope[]): void {
  try {
    for (const each of nested) scope.absorb(each);
  } catch (error) {
    for (const each of nested) each.release();
    throw error;
  }
}

