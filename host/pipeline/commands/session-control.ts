// What the host's commands may ask about a session, and do to it. The pipeline implements it; commands know nothing of lanes and rows.
import type { QueueMode } from '../../../schemas/policy.ts';
import type { MessageRow } from '../../store/tables.ts';

export interface SessionControl {
  /** Messages that wait for their answer, the one that is being answered included. */
  depth(sessionKey: string): number;
  /** How messages wait: what was set for the session, else what its policy says. */
  mode(sessionKey: string, byPolicy: QueueMode): QueueMode;
  /** Kept over restarts; null takes it back. Durable when it resolves. */
  setMode(sessionKey: string, mode: QueueMode | null): Promise<void>;
  /** Ends the answer that is under way for a message whose place is before this one. False when there is none, or when it is being stored already. */
  stop(sessionKey: string, before: string): boolean;
  /** The newest message of a conversation that is over: answered, or a reply. */
  latest(instance: string, conversation: string): Promise<MessageRow | undefined>;
}
