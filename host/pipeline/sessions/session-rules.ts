// What operators say about sessions, resolved for one conversation. policy.ts asks once for each channel and each of its rooms.
import type { InboundMessage } from '../../../schemas/message.ts';
import type { SessionPolicy, SessionScope } from '../../../schemas/policy.ts';
import { resetRule, type ResetRule } from './session-resets.ts';

export interface SessionRules {
  readonly scope: SessionScope;
  /** In a place of more than two people: what is said there and what one of them says elsewhere meet only where the room's own policy says so. */
  readonly sharedScope: SessionScope;
  readonly reset: ResetRule;
}

/** Key by key, the nearest word counts: the room's, else the channel's, else host.json's. */
export function sessionRules(room: SessionPolicy = {}, channel: SessionPolicy = {}, defaults: SessionPolicy = {}): SessionRules {
  return {
    scope: room.scope ?? channel.scope ?? defaults.scope ?? 'conversation',
    sharedScope: room.scope ?? 'conversation',
    reset: resetRule({ ...defaults.reset, ...channel.reset, ...room.reset }),
  };
}

/** A place that nobody tells anything about counts as two people. */
export function scopeOf({ scope, sharedScope }: SessionRules, { room }: Pick<InboundMessage, 'room'>): SessionScope {
  return room === undefined || room.kind === 'direct' ? scope : sharedScope;
}
