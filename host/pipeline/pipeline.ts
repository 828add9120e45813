// The story of a message. Read the four lists from top to bottom: each line is one stage, each stage one file in stages/.
import type { DeliveryContext, InboundContext, LaneContext } from './context.ts';
import type { Stage } from './stage.ts';
import { accept, type AcceptParts } from './stages/accept.ts';
import { admit, type AdmitParts } from './stages/admit.ts';
import { command, type CommandParts } from './stages/command.ts';
import { conclude, type ConcludeParts } from './stages/conclude.ts';
import { deliver, type DeliverParts } from './stages/deliver.ts';
import { media, type MediaParts } from './stages/media.ts';
import { moderate, type ModerateParts } from './stages/moderate.ts';
import { normalize } from './stages/normalize.ts';
import { offer, type OfferParts } from './stages/offer.ts';
import { place } from './stages/place.ts';
import { respond, type RespondParts } from './stages/respond.ts';
import { sanitize } from './stages/sanitize.ts';
import { screen } from './stages/screen.ts';
import { settle, type SettleParts } from './stages/settle.ts';
import { shape, type ShapeParts } from './stages/shape.ts';

// A request or frame reaches ingress.ts: the host verifies it (stages/verify.ts), the channel's `receive` reads it, and each message begins here.
export const inboundStages = (parts: AdmitParts & ModerateParts & MediaParts & AcceptParts): readonly Stage<InboundContext>[] => [
  normalize, //        the same text for the same input on every channel
  admit(parts), //     redeliveries recognised, allow-lists, the sender's rate, room in the lane
  moderate(parts), //  gates in order, fail closed; a denial leaves a tombstone without content
  media(parts), //     what policy says of files: links, or fetched, looked through and kept
  accept(parts), //    one durable commit; only now is the source told "accepted"
];

// The lane of its session takes it up, one message at a time, hundreds of lanes at once.
export const laneStages = (parts: RespondParts & ModerateParts & OfferParts & ConcludeParts): readonly Stage<LaneContext>[] => [
  respond(parts), //   skills in order until one answers
  sanitize(parts), //  safe in the markup of its channel: nothing hides, deceives or calls everybody
  screen(parts), //    gates again, on the way out
  place(parts), //     the thread that the answer goes to
  offer(parts), //     the channel is asked; what needs nothing done is delivered by the next line
  conclude(parts), //  one commit: outcome, replies, deliveries, kv, lane entry gone
];

// A command of the host is answered beside that lane, without a plugin: it speaks of the lane, or does something to it.
export const commandStages = (parts: CommandParts & ModerateParts & OfferParts & ConcludeParts): readonly Stage<LaneContext>[] => [
  command(parts), //   what the host says to it; the rest is as for every answer
  sanitize(parts),
  screen(parts),
  place(parts),
  offer(parts),
  conclude(parts),
];

// Each reply waits in the delivery lane of its conversation.
export const outboundStages = (parts: ShapeParts & DeliverParts & SettleParts): readonly Stage<DeliveryContext>[] => [
  shape(parts), //     fitted to the channel: files it cannot send in words, and in pieces where it is too long
  deliver(parts), //   the channel's `send`, bounded tries
  settle(parts), //    one commit: delivered, out of the queue
];
