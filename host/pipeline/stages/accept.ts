// The one durable commit that makes a message the host's responsibility: dedupe key, message, session, lane entry, what plugins wrote. The source is acknowledged only after it.
import { ConversationId } from '../../../schemas/ids.ts';
import { toTimestamp } from '../../clock.ts';
import type { InboundMessage } from '../../../schemas/message.ts';
import type { Ids } from '../../ids.ts';
import { addressingIn } from '../commands/address.ts';
import { hostCommand } from '../commands/host-commands.ts';
import { put, type Expectation, type Put, type Removal, type Store } from '../../store/store.ts';
import { dedupe, held, lanes, messages, sessions, type MessageRow, type Route } from '../../store/tables.ts';
import { traced } from '../../tracing.ts';
import type { InboundContext } from '../context.ts';
import type { LaneRoom } from '../lanes/lane-room.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { judgedOf } from '../gating/provenance.ts';
import type { Reach } from '../sessions/reach.ts';
import type { Rooms } from '../sessions/rooms.ts';
import { begun, counted, type SessionBook } from '../sessions/sessions.ts';
import { PASS, type Stage } from '../stage.ts';
import { speakerOf } from '../verifying/speaker.ts';
import { placeOf, whereaboutsOf } from '../sessions/whereabouts.ts';

export interface AcceptParts {
  readonly store: Store;
  readonly writes: PluginWrites;
  readonly book: SessionBook;
  readonly ids: Ids;
  readonly reach: Pick<Reach, 'open'>;
  readonly rooms: Pick<Rooms, 'open'>;
  readonly laneRoom: LaneRoom;
}

export function accept({ store, writes, book, ids, reach, rooms, laneRoom }: AcceptParts): Stage<InboundContext> {
  return {
    name: 'accept',
    budgetMs: 50,
    onFailure: 'refuse',
    async run(context) {
      using known = await book.open(context.sessionKey);
      using reached = context.reaches.length === 0 ? undefined : await reach.open(context.reaches, routeOf(context));
      using placed = hasRoom(context.arrived) ? await rooms.open(context.instance, context.arrived, context.receivedAtMs) : undefined;
      const own = context.parsed.kind === 'command' ? hostCommand(context.parsed.name) : undefined;
      if (!own && context.policy.queue.drop !== 'new') context.room = await laneRoom.make(context.sessionKey, context.policy.queue);
      // What was held is the host's since then, whatever became of its channel.
      const carried = await writes.of(context.scopes, context.heldBy === undefined ? context.instance : undefined);
      // From here to `commit` nothing awaits: places in a lane rise in the order of commits, and so does the order after a restart.
      const written = carried?.rows();
      const session = known.become(own?.beginsSession ? begun(known.row, context.receivedAtMs, book.firstGeneration) : counted(known.row, context.receivedAtMs, context.policy.session.reset, book.firstGeneration));
      const row = messageRow(context);
      const place = ids.next();
      const { debounceMs } = context.policy.queue;
      Object.assign(context, { session, row, place });
      const rows: Put[] = [
        put(dedupe, context.dedupeKey, { outcome: 'accepted', messageId: context.messageId, atMs: context.receivedAtMs }),
        put(messages, messages.key(context.messageId), row),
        put(lanes, lanes.key(place), { sessionKey: context.sessionKey, messageId: context.messageId, attempts: 0, ...(own ? { aside: true as const } : debounceMs > 0 && { debounceMs }) }),
        put(sessions, sessions.key(context.sessionKey), session),
        ...(reached?.rows() ?? []),
        ...(placed?.rows() ?? []),
        ...(context.room?.put ?? []),
      ];
      const { kept } = context;
      let committed = false;
      try {
        const result = await store.commit({ expect: expectation(context), put: written || kept ? [...rows, ...(kept?.put ?? []), ...(written?.put ?? [])] : rows, remove: [...heldRow(context), ...(context.room?.remove ?? []), ...(written?.remove ?? [])] });
        committed = result === 'committed';
      } finally {
        carried?.done(committed);
        kept?.done(committed);
        if (!committed) known.takeBack(session);
        reached?.done(committed);
        placed?.done(committed);
      }
      if (committed) return PASS;
      // Somebody accepted the same key in between (two hosts' worth of retries at once): it is theirs.
      const theirs = await store.get(dedupe, context.dedupeKey);
      return { decision: 'duplicate', messageId: theirs?.value.messageId ?? '' };
    },
  };
}

const hasRoom = (arrived: InboundMessage): arrived is InboundMessage & Required<Pick<InboundMessage, 'room'>> => arrived.room !== undefined;

function routeOf({ instance, arrived, receivedAtMs }: InboundContext): Route {
  return { instance, conversation: ConversationId.of(arrived.conversation), ...placeOf(arrived), atMs: receivedAtMs };
}

/** A fresh message is the first of its key; a held one has its key already, and is still held. */
function expectation(context: InboundContext): readonly Expectation[] {
  const { heldBy, heldVersion } = context;
  if (heldBy === undefined || heldVersion === undefined) return [{ table: dedupe, key: context.dedupeKey, version: 'absent' }];
  return [{ table: held, key: held.key(heldBy, context.messageId), version: heldVersion }];
}

function heldRow(context: InboundContext): readonly Removal[] {
  return context.heldBy === undefined ? [] : [{ table: held, key: held.key(context.heldBy, context.messageId) }];
}

/** The message as it is stored; `stages` goes on growing with the context until the next commit. */
export function messageRow(context: InboundContext): MessageRow {
  const { arrived } = context;
  return {
    id: context.messageId,
    instance: context.instance,
    conversation: ConversationId.of(arrived.conversation),
    sessionKey: context.sessionKey,
    sender: arrived.sender,
    direction: 'inbound',
    outcome: 'accepted',
    ...judgedOf(context),
    mentions: arrived.mentions ?? [],
    media: context.media,
    senderMessageId: arrived.id,
    ...(arrived.replyTo === undefined ? {} : { replyTo: arrived.replyTo }),
    ...whereaboutsOf(arrived),
    ...speakerOf(context),
    ...addressingIn(context),
    at: toTimestamp(context.receivedAtMs),
    ...(context.hops > 0 ? { hops: context.hops } : {}),
    stages: context.stages,
    ...traced(),
  };
}
