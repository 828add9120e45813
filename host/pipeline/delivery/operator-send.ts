// A message the operator writes: sanitized and screened like any reply, stored, delivered, and waited for.
import type { SendMessageBody, Sent } from '../../../schemas/control.ts';
import { ConversationId, InstanceId, SessionKey } from '../../../schemas/ids.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import { GatehouseError } from '../../errors.ts';
import type { Ids } from '../../ids.ts';
import { put, type Put, type Store } from '../../store/store.ts';
import { readMessage } from '../../store/messages.ts';
import { deliveries, messages, type MessageRow, type Route } from '../../store/tables.ts';
import { traced } from '../../tracing.ts';
import { lineOf } from '../conversation-order.ts';
import type { DeliveryItem } from './delivery-work.ts';
import { askGates, type GateParts } from '../gating/gates.ts';
import { maySend } from '../../outbound/rules.ts';
import { policyOf } from '../policy.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { judgedOf } from '../gating/provenance.ts';
import type { Reach } from '../sessions/reach.ts';
import type { Rooms } from '../sessions/rooms.ts';
import { identityKey, sessionKey } from '../sessions/session-keys.ts';
import { polished } from './leaving.ts';

/** How long `send` waits for the delivery before it reports `pending`. */
const WAIT_MS = 10_000;

export interface OperatorSendParts extends GateParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly reach: Pick<Reach, 'find'>;
  readonly rooms: Pick<Rooms, 'kindOf'>;
  readonly writes: PluginWrites;
  enqueueDelivery(item: DeliveryItem): void;
}

/** Where a message of an operator goes. */
interface Place extends Omit<Route, 'atMs'> {
  readonly sessionKey: SessionKey;
}

export class OperatorSend {
  readonly #parts: OperatorSendParts;
  readonly #waiting = new Map<string, (row: MessageRow) => void>();

  constructor(parts: OperatorSendParts) {
    this.#parts = parts;
  }

  /** Outcomes: `delivered`, `denied` (with code and reason), `dead-lettered`, or `pending` when it takes longer than 10 s. Throws when the channel is unknown, the session or person cannot be reached, or a gate is not available. */
  async send(body: SendMessageBody, actor: string, bind?: (messageId: string) => Put): Promise<Sent> {
    const { directory, ids, clock, store, writes } = this.#parts;
    const place = await this.#placeOf(body);
    const { instance } = place;
    const channel = directory.channel(instance);
    if (!channel) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
    if (!maySend(policyOf(channel.policy, place.conversation).outbound, await this.#parts.rooms.kindOf(instance, place.conversation))) throw new GatehouseError('SEND_DENIED', { instance });
    const provisional = ids.next();
    const left = await polished(this.#parts.calls, channel, place.conversation, body.text, provisional);
    if ('failure' in left) throw new GatehouseError('INSTANCE_UNAVAILABLE', { instance, state: 'not able to sanitize' });
    if (!left.ok) return { messageId: provisional, outcome: 'denied', code: 'REPLY_DENIED', reason: left.reason };
    const { ok: _, changes: __, record, ...said } = { record: undefined, ...left };
    if (said.text.trim() === '') throw new GatehouseError('REQUEST_INVALID', { path: '/text', problem: 'it is empty' });

    const stages: MessageRow['stages'][number][] = record ? [record] : [];
    const scopes: CallScope[] = [];
    const message = { id: provisional, senderMessageId: provisional, ...place, sender: { id: actor }, ...said, mentions: [], media: [], at: toTimestamp(clock.now()), flags: [], stages };
    const outcome = await askGates({ message, direction: 'outbound', attemptKey: provisional, stages, scopes }, this.#parts);
    if (outcome.effect === 'deny') return { messageId: provisional, outcome: 'denied', code: 'REPLY_DENIED', reason: outcome.reason };
    if (outcome.effect !== 'pass') throw new GatehouseError(outcome.effect === 'unavailable' ? outcome.code : 'GATE_UNAVAILABLE', { instance: outcome.gate });

    const carried = await writes.of(scopes);
    const written = carried?.rows();
    const row: MessageRow = {
      id: ids.next(),
      ...place,
      sender: { id: actor },
      direction: 'outbound',
      outcome: 'pending',
      ...judgedOf(outcome.message),
      mentions: [],
      media: [],
      at: toTimestamp(clock.now()),
      stages,
      ...traced(),
    };
    const settled = this.#outcomeOf(row.id);
    let committed = false;
    try {
      const result = await store.commit({
        put: [
          put(messages, messages.key(row.id), row),
          lineOf(row),
          put(deliveries, deliveries.key(row.id), { instance: row.instance, conversation: row.conversation, attempts: 0 }),
          ...(written?.put ?? []),
          ...(bind ? [bind(row.id)] : []),
        ],
        remove: written?.remove ?? [],
      });
      committed = result === 'committed';
    } finally {
      carried?.done(committed);
    }
    this.#parts.enqueueDelivery({ messageId: row.id, instance: row.instance, conversation: row.conversation, attempts: 0, row });
    return await settled;
  }

  /** Of a message that was stored: how it ended, or `pending`. Throws MESSAGE_NOT_FOUND. */
  async outcomeOf(messageId: string): Promise<Sent> {
    const row = await readMessage(this.#parts.store, messageId);
    if (!row) throw new GatehouseError('MESSAGE_NOT_FOUND', { id: messageId });
    return sentOf(row);
  }

  /** Told of every outbound message that was delivered or given up. */
  settled(row: MessageRow): void {
    if (this.#waiting.size > 0) this.#waiting.get(row.id)?.(row);
  }

  async #placeOf(body: SendMessageBody): Promise<Place> {
    if ('channel' in body) {
      const place = { instance: InstanceId.of(body.channel), conversation: ConversationId.of(body.to) };
      return { ...place, sessionKey: sessionKey('conversation', { ...place, sender: '' }) };
    }
    const target = 'session' in body ? body.session : identityKey(body.identity);
    if (!target.isWellFormed() || !SessionKey.is(target)) throw new GatehouseError('SESSION_NOT_FOUND', { key: target.slice(0, 100) });
    const { atMs: _, ...route } = await this.#parts.reach.find(target);
    return { ...route, sessionKey: target };
  }

  #outcomeOf(messageId: string): Promise<Sent> {
    return new Promise((resolve) => {
      const finish = (sent: Sent) => {
        clearTimeout(timer);
        this.#waiting.delete(messageId);
        resolve(sent);
      };
      const timer = setTimeout(() => finish({ messageId, outcome: 'pending' }), WAIT_MS);
      this.#waiting.set(messageId, (row) => finish(sentOf(row)));
    });
  }
}

const sentOf = ({ id, outcome, code, reason }: MessageRow): Sent => ({ messageId: id, outcome, ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) });
