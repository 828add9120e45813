// What plugins cost, what they may cost, and how they have done over months. Enablements and host.json carry the budgets; `/api/v1/costs` and `/api/v1/stats` the rest.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { InstanceName } from './ids.ts';

const amount = (description: string) => Type.Optional(whole(1, Number.MAX_SAFE_INTEGER, { description }));

/** Upper ends of what one instance may spend in one period; what is left out is not bounded. */
export const Budget = closed({
  calls: amount('Calls of its handlers.'),
  cpuMs: amount('Process CPU of these calls, in milliseconds.'),
  hostCalls: amount('Requests of its code to the host: fetches, kv, sends, tools.'),
  egressBytes: amount('Bytes of its requests and their answers.'),
  kvBytes: amount('Bytes it writes to kv, keys included.'),
});
export type Budget = Static<typeof Budget>;

export const Budgets = closed({
  perDay: Type.Optional({ ...Budget, description: 'By UTC day.' }),
  perMessage: Type.Optional({ ...Budget, description: 'For one message, retries included; each reply is a message of its own.' }),
  warnAt: Type.Optional(Type.Number({ minimum: 0.05, maximum: 1, default: 0.8, description: 'From this share of a daily budget on, the operator is told.' })),
});
export type Budgets = Static<typeof Budgets>;

/** What can be spent. */
export const RESOURCES = ['calls', 'cpuMs', 'hostCalls', 'egressBytes', 'kvBytes'] as const satisfies readonly (keyof Budget)[];
export type Resource = (typeof RESOURCES)[number];

/** Months of history, and what everybody may spend who has no budgets of their own. */
export const CostSettings = closed(
  {
    hourlyDays: Type.Optional(whole(2, 400, { default: 35, description: 'So long history is kept hour by hour.' })),
    dailyDays: Type.Optional(whole(2, 4000, { default: 800, description: 'So long it is kept day by day.' })),
    perDay: Type.Optional({ ...Budget, default: {}, description: 'Daily budget of every instance whose enablement has none.' }),
    perMessage: Type.Optional({ ...Budget, default: {}, description: 'Budget for one message of every instance whose enablement has none.' }),
  },
  { default: {} },
);
export type CostSettings = Static<typeof CostSettings>;

const count = whole(0, Number.MAX_SAFE_INTEGER);
const ms = Type.Number({ minimum: 0 });

/** What was spent. */
export const Spent = closed({ calls: count, failed: count, cpuMs: ms, wallMs: ms, hostCalls: count, egressBytes: count, kvBytes: count });
export type Spent = Static<typeof Spent>;

export const CostView = closed(
  {
    instance: InstanceName,
    /** `YYYY-MM-DD`, UTC. */
    day: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }),
    spent: Spent,
    kvHeldBytes: count,
    budgets: Budgets,
    state: oneOf('unbounded', 'within', 'warned', 'exceeded'),
    /** Share of each daily budget, 1 is all of it. */
    used: closed({ calls: Type.Optional(ms), cpuMs: Type.Optional(ms), hostCalls: Type.Optional(ms), egressBytes: Type.Optional(ms), kvBytes: Type.Optional(ms) }),
    resetsAt: text(30),
  },
  { description: 'What one instance has spent today, and what it may.' },
);
export type CostView = Static<typeof CostView>;

export const StatKind = oneOf('plugin', 'tool', 'channel');
export type StatKind = Static<typeof StatKind>;
export const Grain = oneOf('hour', 'day');
export type Grain = Static<typeof Grain>;

export const StatView = closed(
  {
    grain: Grain,
    /** When the hour or day began. */
    at: text(30),
    by: StatKind,
    name: text(200, { description: 'The instance of a plugin or channel; a tool as `<plugin id>/<tool>`.' }),
    ok: Type.Integer({ minimum: 0, description: 'Calls that answered; of a channel, messages that were answered, needed no answer, or were delivered.' }),
    failed: Type.Integer({ minimum: 0, description: 'Calls that ended without an answer; of a channel, messages that were dead-lettered or dropped.' }),
    denied: Type.Integer({ minimum: 0, description: 'Of a channel: messages that a rule or a gate refused.' }),
    codes: Type.Record(Type.String({ maxLength: 40 }), count, { description: 'Why, by code; at most sixteen, the rest as OTHER.' }),
    cpuMs: ms,
    wallMs: ms,
    hostCalls: count,
    egressBytes: count,
    kvBytes: count,
  },
  { description: 'How one plugin, tool or channel did in one hour or day.' },
);
export type StatView = Static<typeof StatView>;
