// What holds for one conversation of a channel instance: what its room says, else its enablement, else host.json, else the defaults. Stages ask here and nowhere else.
import type { PipelineSettings } from '../../schemas/host-config.ts';
import { MEDIA_DEFAULTS, QUEUE_DEFAULTS, type AdmitPolicy, type CommandsPolicy, type GateMode, type MediaPolicy, type QueuePolicy, type RoomPolicy, type Rooms } from '../../schemas/policy.ts';
import { outboundRules, type OutboundRules } from '../outbound/rules.ts';
import { sessionRules, type SessionRules } from './sessions/session-rules.ts';

/** The part of an enablement that is about traffic, over what host.json says for every channel. */
export interface ChannelPolicy extends RoomPolicy {
  /** Which plugin it is. */
  readonly plugin?: string;
  readonly rooms?: Rooms;
  readonly media?: MediaPolicy;
  readonly defaults?: PipelineSettings & RoomPolicy;
}

/** Resolved: every block is there. */
export interface Policy {
  readonly admit: AdmitPolicy;
  readonly media: Required<MediaPolicy>;
  readonly queue: Required<QueuePolicy>;
  readonly commands: CommandsPolicy;
  readonly outbound: OutboundRules;
  readonly session: SessionRules;
  /** Gates that are relaxed here, by instance; all others are enforced. A map: `constructor` is a name that a gate may have. */
  readonly gates: ReadonlyMap<string, GateMode>;
}

/** Each channel's own, resolved once, and once for each of its rooms; conversations without a room share one. */
const resolved = new WeakMap<ChannelPolicy, { readonly everywhere: Policy; readonly rooms: Map<string, Policy> }>();

export function policyOf(channel: ChannelPolicy, conversation: string): Policy {
  let known = resolved.get(channel);
  if (!known) resolved.set(channel, (known = { everywhere: resolve(channel, {}), rooms: new Map() }));
  const room = roomOf(channel, conversation);
  if (!room) return known.everywhere;
  let policy = known.rooms.get(conversation);
  if (!policy) known.rooms.set(conversation, (policy = resolve(channel, room)));
  return policy;
}

/** The exact id and nothing like it: senders choose the names of conversations, and `constructor` is one that every object has. */
function roomOf({ rooms }: ChannelPolicy, conversation: string): RoomPolicy | undefined {
  return rooms && Object.hasOwn(rooms, conversation) ? rooms[conversation] : undefined;
}

/** One line a block, key by key: a room that says one thing about a block leaves the rest of it as it is. */
function resolve(channel: ChannelPolicy, room: RoomPolicy): Policy {
  const { defaults = {} } = channel;
  return {
    admit: { ...defaults.admit, ...channel.admit, ...room.admit },
    media: { ...MEDIA_DEFAULTS, ...defaults.media, ...channel.media, ...room.media },
    queue: { ...QUEUE_DEFAULTS, ...defaults.queue, ...channel.queue, ...room.queue },
    commands: { ...defaults.commands, ...channel.commands, ...room.commands },
    outbound: outboundRules({ ...defaults.outbound, ...channel.outbound }, room.outbound),
    session: sessionRules(room.session, channel.session, defaults.session),
    gates: new Map(Object.entries({ ...channel.gates, ...room.gates })),
  };
}

/** Nothing is asked for and nothing refused. */
export const NO_POLICY: Policy = policyOf({}, '');
