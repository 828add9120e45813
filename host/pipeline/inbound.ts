// Takes one arrived message through the inbound stages and says what became of it. Two arrivals of one message at the same moment share one run.
import type { InboundMessage, StageRecord } from '../../schemas/message.ts';
import type { Priority, QueuePolicy } from '../../schemas/policy.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { publish } from '../events.ts';
import type { Ids } from '../ids.ts';
import type { Log } from '../log.ts';
import { put, type Store } from '../store/store.ts';
import { doing, worked, type Tracing } from '../tracing.ts';
import { attributesOf, kindOf, nameOf } from './message-span.ts';
import { dedupe, dedupeKey, type MessageRow, type SessionRow } from '../store/tables.ts';
import type { Acceptance } from './ingress/acceptance.ts';
import { isHostCommand } from './commands/host-commands.ts';
import { addressOf } from './commands/address.ts';
import type { Resumed } from './gating/held.ts';
import type { InboundContext } from './context.ts';
import type { ChannelEntry, PluginDirectory } from './plugin-directory.ts';
import { NO_POLICY, policyOf } from './policy.ts';
import type { Refused } from './pressure.ts';
import { judgedOf } from './gating/provenance.ts';
import { runStages } from './run-stages.ts';
import type { Stage, Verdict } from './stage.ts';
import type { Identities } from './sessions/identities.ts';
import { reachedBy } from './sessions/reach.ts';
import { sessionKey } from './sessions/session-keys.ts';
import { scopeOf } from './sessions/session-rules.ts';
import { isSenderVerified, speakerOf, type Standing } from './verifying/speaker.ts';
import { placeOf, whereaboutsOf } from './sessions/whereabouts.ts';

export interface Arrival {
  readonly channel: ChannelEntry;
  readonly message: InboundMessage;
  /** What its request proves of who speaks. */
  readonly standing: Standing;
  /** Records of verify and receive. */
  readonly stages: StageRecord[];
  readonly scopes: CallScope[];
}

export interface InboundParts {
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly ids: Ids;
  readonly log: Log;
  readonly store: Store;
  readonly stages: readonly Stage<InboundContext>[];
  /** What a message that was held still has to pass. */
  readonly stagesAfterHold: readonly Stage<InboundContext>[];
  readonly directory: Pick<PluginDirectory, 'channel'>;
  readonly identities: Pick<Identities, 'of'>;
  /** Whether the host takes messages of this priority now. */
  readonly refusal: (priority: Priority) => Refused | undefined;
  /** Gives back the place in the lane that admit took, when the message did not get as far. */
  unreserve(sessionKey: string, place: 'lane' | 'aside'): void;
  /** Told after the accept commit; puts the message into its lane. */
  onAccepted(place: string, row: MessageRow, session: SessionRow, queue: Required<QueuePolicy>): void;
}

/** Until normalize has read it. */
const UNREAD = { parsed: { kind: 'text' }, wasMentioned: false, repliesToBot: false } as const;

export class Inbound {
  readonly #parts: InboundParts;
  readonly #inWork = new Map<string, Promise<Acceptance>>();

  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  get inWork(): number {
    return this.#inWork.size;
  }

  /** Resolves after the accept commit, or with the refusal. Never rejects. */
  async submit(arrival: Arrival): Promise<Acceptance> {
    const { channel, message } = arrival;
    const key = dedupeKey(channel.instance, message.conversation, message.id);
    const name = JSON.stringify(key);
    const already = this.#inWork.get(name);
    if (already) {
      const theirs = await already;
      return theirs.status === 'accepted' ? { status: 'duplicate', messageId: theirs.messageId } : theirs;
    }
    const policy = policyOf(channel.policy, message.conversation);
    const refused = this.#parts.refusal(policy.admit.priority ?? 'normal');
    if (refused) return { status: 'refused', ...refused };
    const identity = this.#parts.identities.of(channel.instance, message.sender.id);
    const scope = scopeOf(policy.session, message);
    const session = sessionKey(scope, { instance: channel.instance, conversation: message.conversation, sender: message.sender.id, ...placeOf(message), ...(identity !== undefined && { identity }) });
    const context: InboundContext = {
      messageId: this.#parts.ids.next(),
      instance: channel.instance,
      policy,
      arrived: message,
      stages: arrival.stages,
      scopes: arrival.scopes.slice(),
      flags: [],
      receivedAtMs: this.#parts.clock.now(),
      sessionKey: session,
      reaches: reachedBy(scope, session, identity, message),
      dedupeKey: key,
      text: message.text,
      media: message.media ?? [],
      standing: arrival.standing,
      ...(isSenderVerified(arrival.standing, policy.admit) && { senderVerified: true }),
      ...UNREAD,
      hops: 0,
    };
    const run = this.#traced(context, () => this.#run(context));
    this.#inWork.set(name, run);
    try {
      return await run;
    } finally {
      this.#inWork.delete(name);
    }
  }

  /** Judges a held message as if it had just arrived; its content is kept until the commit that ends it. */
  async resume({ gate, message, heldAtMs, version }: Resumed): Promise<Acceptance> {
    const senderMessageId = message.senderMessageId ?? message.id;
    const channel = this.#parts.directory.channel(message.instance);
    const policy = channel ? policyOf(channel.policy, message.conversation) : NO_POLICY;
    const context: InboundContext = {
      messageId: message.id,
      instance: message.instance,
      policy,
      arrived: { id: senderMessageId, conversation: message.conversation, sender: message.sender, text: message.text, mentions: [...message.mentions], ...(message.replyTo === undefined ? {} : { replyTo: message.replyTo }), ...whereaboutsOf(message) },
      stages: [...message.stages],
      scopes: [],
      receivedAtMs: heldAtMs,
      sessionKey: message.sessionKey,
      reaches: reachedBy(scopeOf(policy.session, message), message.sessionKey, this.#parts.identities.of(message.instance, message.sender.id), message),
      dedupeKey: dedupeKey(message.instance, message.conversation, senderMessageId),
      heldBy: gate,
      heldVersion: version,
      ...judgedOf(message),
      ...speakerOf(message),
      standing: 'unproven', // who may speak was decided before it was held
      media: message.media,
      ...addressOf(message, policy),
      repliesToBot: message.repliesToBot === true,
      hops: message.hops ?? 0,
    };
    return await this.#traced(context, () => this.#run(context, this.#parts.stagesAfterHold), message.trace);
  }

  /** Part of the request that brought it, or something new; `earlier`: it waited, and its trace goes on. */
  async #traced(context: InboundContext, run: () => Promise<Acceptance>, earlier?: string): Promise<Acceptance> {
    const { tracing } = this.#parts;
    const { messageId, instance } = context;
    const around = doing();
    const begin = () => {
      if (!tracing.on) return undefined;
      const span = [nameOf('receive'), kindOf('receive'), attributesOf('receive', { messageId, instance })] as const;
      if (context.heldBy !== undefined) return earlier === undefined ? undefined : tracing.resume(...span, earlier);
      return around?.isDecided ? around.span?.child(...span) : tracing.begin(...span);
    };
    return await worked({ messageId, instance, requestId: around?.requestId }, begin, run, (acceptance) => (acceptance.status === 'refused' ? acceptance.code : undefined));
  }

  async #run(context: InboundContext, stages = this.#parts.stages): Promise<Acceptance> {
    const startedAt = this.#parts.clock.monotonicMs();
    const given = new Set(context.scopes);
    const verdict = await runStages(stages, context, this.#parts);
    context.kept?.done(false); // accept has said so already when it committed
    const acceptance = await this.#conclude(context, verdict);
    context.room?.settle(acceptance.status === 'accepted');
    // What gates wrote for a message that went no further is not kept; what the channel wrote is the channel's to commit.
    if (acceptance.status !== 'accepted') for (const scope of context.scopes) if (!given.has(scope)) scope.release();
    // Also where a gate has made another message of it, which waits elsewhere.
    if (context.reserved !== undefined && (acceptance.status !== 'accepted' || context.reserved !== (isHostCommand(context.parsed) ? 'aside' : 'lane'))) this.#parts.unreserve(context.sessionKey, context.reserved);
    const durationMs = this.#parts.clock.monotonicMs() - startedAt;
    publish('message.outcome', { messageId: context.messageId, instance: context.instance, direction: 'inbound', outcome: outcomeOf(acceptance), durationMs, ...('code' in acceptance ? { code: acceptance.code } : {}) });
    return acceptance;
  }

  async #conclude(context: InboundContext, verdict: Verdict): Promise<Acceptance> {
    switch (verdict.decision) {
      case 'pass':
        if (context.row && context.session && context.place !== undefined) this.#parts.onAccepted(context.place, context.row, context.session, context.policy.queue);
        return { status: 'accepted', messageId: context.messageId };
      case 'duplicate':
      case 'held':
        return { status: verdict.decision, messageId: verdict.messageId };
      case 'ignore':
        return { status: 'ignored', code: verdict.code, reason: verdict.reason };
      case 'refuse':
        if (verdict.tombstone) await this.#bury(context, verdict.code, verdict.reason ?? '');
        return { status: 'refused', code: verdict.code, fields: verdict.fields, ...(verdict.reason === undefined ? {} : { reason: verdict.reason }) };
      case 'retry':
      case 'give-up':
        return { status: 'refused', code: verdict.code, fields: { problem: verdict.problem } };
      case 'more':
        return { status: 'refused', code: 'INTERNAL', fields: { problem: 'a message arrives as a whole' } };
      default:
        return verdict satisfies never;
    }
  }

  /** A denial leaves a hash, a decision and a reason; nothing of the message. */
  async #bury(context: InboundContext, code: string, reason: string): Promise<void> {
    await this.#parts.store
      .commit({ put: [put(dedupe, context.dedupeKey, { messageId: null, outcome: 'denied', code, reason, atMs: context.receivedAtMs })] })
      .catch((error: unknown) => {
        // Without its tombstone a redelivery is judged afresh, which is safe; the store reports its own failure.
        this.#parts.log.warn({ messageId: context.messageId, code: error instanceof GatehouseError ? error.code : 'INTERNAL' }, 'a tombstone was not written');
      });
  }
}

function outcomeOf(acceptance: Acceptance) {
  switch (acceptance.status) {
    case 'accepted':
      return 'accepted';
    case 'duplicate':
    case 'ignored':
      return 'dropped';
    case 'held':
      return 'held';
    case 'refused':
      return 'denied';
    default:
      return acceptance satisfies never;
  }
}

