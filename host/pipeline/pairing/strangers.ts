// What becomes of a message of somebody nobody let in: it goes no further, and the first one is answered with a code for the operator. admit.ts asks, where the enablement says `"access": "pairing"`.
import { BOUNDS } from '../../../schemas/bounds.ts';
import { ConversationId } from '../../../schemas/ids.ts';
import { SenderRates } from '../../broker/quota.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { publish } from '../../events.ts';
import type { Ids } from '../../ids.ts';
import { maySend } from '../../outbound/rules.ts';
import { put, type Store } from '../../store/store.ts';
import { deliveries, messages, type MessageRow } from '../../store/tables.ts';
import type { InboundContext } from '../context.ts';
import { lineOf } from '../conversation-order.ts';
import type { DeliveryItem } from '../delivery/delivery-work.ts';
import { polished } from '../delivery/leaving.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { ChannelEntry, PluginDirectory } from '../plugin-directory.ts';
import { sessionKey } from '../sessions/session-keys.ts';
import { placeOf } from '../sessions/whereabouts.ts';
import type { Verdict } from '../stage.ts';
import { pairedAs, type Pairings } from './pairings.ts';
import { newCode } from './secrets.ts';

export interface StrangerParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly pairings: Pairings;
  enqueueDelivery(item: DeliveryItem): void;
}

export interface Strangers {
  /** Undefined when the sender was let in. */
  refuse(context: InboundContext): Promise<Verdict | undefined>;
}

export function strangers(parts: StrangerParts): Strangers {
  const { clock, pairings, directory } = parts;
  const rates = new SenderRates(clock);
  /** Requests of one instance are opened one after the other, or two at once would pass a bound that has room for one. */
  const turns = new Map<string, Promise<unknown>>();

  return {
    async refuse(context) {
      const { instance, arrived, standing } = context;
      const channel = directory.channel(instance);
      if (!channel) return { decision: 'refuse', code: 'INSTANCE_UNAVAILABLE', fields: { instance, state: 'not active' } };
      const door = { instance, plugin: channel.policy.plugin ?? '' };
      const id = pairedAs(door, standing, arrived);
      const state = await pairings.stateOf(id);
      if (state === 'approved') return undefined;
      if (state === 'denied' || state === 'revoked') return refused(instance, `it was ${state}`);
      if (state === 'pending') return refused(instance, 'an operator has not let it in yet');
      if (!mayBeAsked(context, channel)) return refused(instance, 'codes are given in direct conversations that the host may write to');
      if ((await pairings.pending(instance)) >= BOUNDS.pairingPending) return refused(instance, 'as many as may wait do so already');
      const turn = (turns.get(instance) ?? Promise.resolve()).catch(() => undefined).then(() => open(id, context, channel));
      turns.set(instance, turn);
      try {
        return refused(instance, await turn);
      } finally {
        if (turns.get(instance) === turn) turns.delete(instance);
      }
    },
  };

  /** The request and its answer in one commit: a code that was told can be approved, and one that can be approved is told. */
  async function open(id: string, context: InboundContext, channel: ChannelEntry): Promise<string> {
    const { instance, arrived } = context;
    if ((await pairings.pending(instance)) >= BOUNDS.pairingPending) return 'as many as may wait do so already';
    if (!rates.take(instance, BOUNDS.pairingCodesPerMinute / 60, BOUNDS.pairingCodesPerMinute)) return 'too many codes were given within a minute';
    const { code, hashed } = newCode();
    const left = await polished(parts.calls, channel, arrived.conversation, answerWith(code), context.messageId);
    // A channel that makes something else of the text has not told the code.
    if ('failure' in left || !left.ok || !left.text.includes(code)) return 'its channel could not tell it the code';
    const requested = await pairings.request(id, { instance, plugin: channel.policy.plugin ?? '' }, arrived.sender, hashed);
    const row = answerRow(context, left.text, parts);
    const result = await parts.store.commit({
      expect: requested.expect,
      put: [...requested.put, put(messages, messages.key(row.id), row), lineOf(row), put(deliveries, deliveries.key(row.id), { instance, conversation: row.conversation, attempts: 0 })],
      remove: requested.remove,
    });
    if (result === 'conflict') return 'an operator has not let it in yet';
    publish('pairing.requested', { id, instance });
    parts.enqueueDelivery({ messageId: row.id, instance, conversation: row.conversation, attempts: 0, row });
    return 'it was given a code for the operator';
  }
}

/** Nobody asks a whole room to read a code, and none is made that cannot be told. */
function mayBeAsked({ arrived, policy }: InboundContext, channel: ChannelEntry): boolean {
  const kind = arrived.room?.kind;
  return (kind === undefined || kind === 'direct') && channel.section.abilities.includes('send') && maySend(policy.outbound, kind);
}

const answerWith = (code: string) => `I do not know you yet. Please give this code to whoever runs this host, and write again once you are let in: ${code}\nIt is good for one hour.`;

function answerRow({ instance, arrived }: InboundContext, text: string, { ids, clock }: StrangerParts): MessageRow {
  const conversation = ConversationId.of(arrived.conversation);
  return {
    id: ids.next(),
    instance,
    conversation,
    ...placeOf(arrived),
    sessionKey: sessionKey('conversation', { instance, conversation: arrived.conversation, sender: '' }),
    sender: { id: 'host' },
    direction: 'outbound',
    outcome: 'pending',
    text,
    flags: [],
    mentions: [],
    media: [],
    inReplyTo: arrived.id,
    at: toTimestamp(clock.now()),
    stages: [],
  };
}

const refused = (instance: string, problem: string): Verdict => ({ decision: 'refuse', code: 'PAIRING_REQUIRED', fields: { instance, problem }, reason: problem });
