// The last hour of a host in steps of ten seconds: what `GET /api/v1/status/last-hour` answers with, and the dashboard draws.
import { Type, type Static } from 'typebox';
import { closed, whole } from './closed.ts';
import { Timestamp } from './ids.ts';

export const STEP_MS = 10_000;
/** One hour. */
export const STEPS = 360;

const counts = Type.Array(whole(0, Number.MAX_SAFE_INTEGER), { maxItems: STEPS });
const measured = Type.Array(Type.Union([Type.Number({ minimum: 0 }), Type.Null()]), { maxItems: STEPS });

/** Columns of one length, oldest first. Steps in which nothing was measured are null; a host that did not run has no steps. */
export const LastHourView = closed({
  stepMs: whole(1, 3_600_000),
  at: Type.Array(Timestamp, { maxItems: STEPS, description: 'When each step began. The last one is still under way.' }),
  counts: closed(
    { accepted: counts, delivered: counts, denied: counts, deadLettered: counts, calls: counts, failedCalls: counts, restarts: counts },
    { description: 'What happened within the step: messages taken, messages sent, messages refused by policy, work given up, calls into plugins, those that failed, sandboxes started again.' },
  ),
  latency: closed(
    { ingestP50Ms: measured, ingestP99Ms: measured, deliveryP50Ms: measured, deliveryP99Ms: measured },
    { description: 'From arrival to durably accepted, and from there to delivered. Upper bounds of the buckets the values fell into, a fifth apart.' },
  ),
  depth: closed(
    { messages: measured, deliveries: measured, deadLetters: measured, pressure: measured },
    { description: 'As seen once in the step: messages waiting or in work, deliveries likewise, dead letters kept, the fullest queue’s share of its bound.' },
  ),
});
export type LastHourView = Static<typeof LastHourView>;
