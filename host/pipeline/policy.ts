// What holds for one conversation of a channel instance: what its room says, else its enablement, else the defaults. Stages ask here and nowhere else.
import type { AdmitPolicy, RoomPolicy, Rooms } from '../../schemas/policy.ts';

/** The part of an enablement that is about traffic. */
export interface ChannelPolicy {
  readonly admit?: AdmitPolicy;
  readonly rooms?: Rooms;
}

/** Resolved: every block is there. */
export interface Policy {
  readonly admit: AdmitPolicy;
}

/** Nothing is asked for and nothing refused. */
export const NO_POLICY: Policy = { admit: {} };

/** Resolved once for each enablement object, and for each of its rooms; conversations without a room share one. */
const resolved = new WeakMap<ChannelPolicy, { readonly everywhere: Policy; readonly rooms: ReadonlyMap<string, Policy> }>();

export function policyOf(channel: ChannelPolicy, conversation: string): Policy {
  let known = resolved.get(channel);
  if (!known) {
    known = { everywhere: resolve(channel, {}), rooms: new Map(Object.entries(channel.rooms ?? {}).map(([name, room]) => [name, resolve(channel, room)])) };
    resolved.set(channel, known);
  }
  return known.rooms.get(conversation) ?? known.everywhere;
}

/** Key by key: a room that says one thing about a block leaves the rest of it as it is. */
function resolve(channel: ChannelPolicy, room: RoomPolicy): Policy {
  return { admit: { ...channel.admit, ...room.admit } };
}
