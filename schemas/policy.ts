// What operators decide about the traffic of a channel instance, and of single conversations of it. Each block is a key of the enablement; `rooms` may say the same once more for one conversation.
import { Type, type Static } from 'typebox';
import { closed, text, whole } from './closed.ts';

/** Who may speak to a channel instance; absent lists admit whoever the channel verified. */
export const AdmitPolicy = closed({
  allowSenders: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
  denySenders: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
  allowConversations: Type.Optional(Type.Array(text(256), { maxItems: 10_000 })),
  senderPerSecond: Type.Optional(whole(1, 1_000_000)),
  senderBurst: Type.Optional(whole(1, 1_000_000)),
});
export type AdmitPolicy = Static<typeof AdmitPolicy>;

/** The blocks a channel's enablement may have, by their key. Documentation and tests list their keys from here. */
export const POLICY_BLOCKS = { admit: AdmitPolicy } as const;

/** What is said about one conversation; whatever is absent is as for the instance. */
export const RoomPolicy = closed({ admit: Type.Optional(AdmitPolicy) });
export type RoomPolicy = Static<typeof RoomPolicy>;

/** By conversation id. */
export const Rooms = Type.Record(Type.String({ minLength: 1, maxLength: 256 }), RoomPolicy, { maxProperties: 10_000 });
export type Rooms = Static<typeof Rooms>;
