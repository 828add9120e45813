// How long what is over is kept: the block `retention` of host.json, and what the control plane shows of the last sweep.
import { Type, type Static } from 'typebox';
import { closed, oneOf, whole } from './closed.ts';
import { Timestamp } from './ids.ts';

const MOST_DAYS = 36_500;

/** With every default applied. */
export interface RetentionSettings {
  readonly messages: { readonly days: number; readonly most: number };
  readonly sessions: { readonly days: number };
}

export const RETENTION_DEFAULTS: RetentionSettings = { messages: { days: 365, most: 5_000_000 }, sessions: { days: 365 } };

export const RetentionSettings = closed(
  {
    messages: Type.Optional(
      closed(
        {
          days: Type.Optional(whole(0, MOST_DAYS, { default: RETENTION_DEFAULTS.messages.days, description: 'Messages that are over are forgotten after so many days, with their record; 0: never.' })),
          most: Type.Optional(whole(0, 100_000_000, { default: RETENTION_DEFAULTS.messages.most, description: 'Beyond so many the oldest that are over are forgotten; 0: no bound.' })),
        },
        { default: {} },
      ),
    ),
    sessions: Type.Optional(closed({ days: Type.Optional(whole(0, MOST_DAYS, { default: RETENTION_DEFAULTS.sessions.days, description: 'Sessions in which nobody wrote for so many days are forgotten; the next message begins a new one; 0: never.' })) }, { default: {} })),
  },
  { default: {} },
);
export type RetentionOptions = Static<typeof RetentionSettings>;

/** What is kept, and what the last sweep of this run of the host did. */
export const RetentionView = closed({
  settings: closed({ messages: closed({ days: whole(0, MOST_DAYS), most: whole(0, 100_000_000) }), sessions: closed({ days: whole(0, MOST_DAYS) }) }),
  last: Type.Optional(
    closed({
      at: Timestamp,
      messages: whole(0, Number.MAX_SAFE_INTEGER),
      sessions: whole(0, Number.MAX_SAFE_INTEGER),
      durationMs: Type.Number({ minimum: 0 }),
      skipped: Type.Optional(oneOf('clock-set')),
      complete: Type.Boolean(),
    }),
  ),
});
export type RetentionView = Static<typeof RetentionView>;
