// Ids that tests write by hand: an `m1` is a message's id because the test says so. What the host makes ids of it checks (schemas/ids.ts).
import type { ConversationId, InstanceId, MessageId, SessionKey } from '../../schemas/ids.ts';

type Brand = ConversationId | InstanceId | MessageId | SessionKey;

/** The same with plain text wherever an id belongs. */
export type WithPlainIds<T> = { readonly [Key in keyof T]: T[Key] extends Brand ? string : T[Key] };

/** A row, context or entry that holds ids. */
export const withIds = <T extends object>(plain: WithPlainIds<T>): T => plain as T;

export const conversationId = (text: string) => text as ConversationId;
export const instanceId = (text: string) => text as InstanceId;
export const messageId = (text: string) => text as MessageId;
export const sessionId = (text: string) => text as SessionKey;
