// What a host tells of itself while it runs: the events of `GET /api/v1/events`. docs/events.md shows this table; a test holds both together.
import { Type, type Static, type TProperties } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Diagnostic, PluginState, ReloadChange } from './control.ts';
import { Timestamp } from './ids.ts';
import { Direction, Outcome } from './message.ts';
import { MOST_SCAN_FINDINGS, ScanFinding } from './scan.ts';

/** Rises when a field changes its meaning or goes; new fields and new types come without. */
export const EVENT_SCHEMA_VERSION = 1;

const name = text(200);
const reason = text(4000);
const count = whole(0, Number.MAX_SAFE_INTEGER);
const ms = Type.Number({ minimum: 0 });

const event = <const P extends TProperties>(description: string, properties: P) => closed(properties, { description });

/** By type. Never the text of a message, a secret, or anything that a request brought. */
export const EVENTS = {
  'plugin.state': event('An instance moves from one state to another.', { instance: name, plugin: name, from: PluginState, to: PluginState, actor: name, reason, code: Type.Optional(name) }),
  'plugin.degraded': event('An optional instance does not run; the host goes on.', { diagnostic: Diagnostic }),
  'plugin.drift': event('The package on disk is no longer what runs.', { instance: name, problem: reason, expected: name, actual: Type.Union([name, Type.Null()]) }),
  'scan.blocked': event('What runs may run no more: the scanner blocks its package, which is quarantined.', { instance: name, packageDigest: name, rules: name, findings: Type.Array(ScanFinding, { maxItems: MOST_SCAN_FINDINGS }) }),
  'plugin.strike': event('A fault is proven in a plugin; three within an hour end it.', { instance: name, plugin: name, cause: name, strikes: count }),
  'plugin.restarted': event('A sandbox is to be started again after `delayMs`.', { instance: name, restarts: count, delayMs: ms, reason }),
  'capability.denied': event('A plugin asked for more than it was granted.', { instance: name, capability: name, code: name, value: Type.Optional(reason) }),
  'budget.reached': event('A daily budget of a plugin is nearly spent (`warned`), or spent.', { instance: name, resource: name, level: oneOf('warned', 'exceeded'), spent: count, most: count }),
  'secret.leaked': event('A server sent a secret back; the answer was withheld.', { instance: name, plugin: name, origin: name, handle: name, where: oneOf('status', 'headers', 'body'), isRead: Type.Boolean() }),
  'channel.unread': event('What came to a channel could not be read; its source was told.', { instance: name, kind: oneOf('http', 'open', 'frame', 'close'), code: name, failure: oneOf('retry', 'terminal', 'crash') }),
  'ingress.refused': event('A request that a route did not believe.', { instance: name, route: name, scheme: name, cause: name, reason: Type.Optional(reason) }),
  'message.outcome': event('What became of a message.', { messageId: name, instance: name, direction: Direction, outcome: Outcome, answers: Type.Optional(name), code: Type.Optional(name), durationMs: Type.Optional(ms) }),
  'pairing.requested': event('A stranger was answered with a code, and waits for an operator.', { id: name, instance: name }),
  'pairing.decided': event('Somebody was let in, refused or shut out again.', { id: name, instance: name, state: oneOf('approved', 'denied', 'revoked'), actor: name }),
  'dead-letter.created': event('Work ended without success and is kept.', { id: name, messageId: name, instance: name, stage: name, code: name }),
  'lane.interrupted': event('A run was told to end without an answer.', { instance: name, messageId: name, why: oneOf('newer', 'stopped', 'stuck') }),
  'lane.stuck': event('A run makes no step.', { instance: name, messageId: name, step: name, idleMs: ms, action: oneOf('cancelled', 'none') }),
  'lane.freed': event('A run that was stuck is over, and its lane goes on.', { instance: name, messageId: name, how: oneOf('cancelled', 'given up', 'by itself'), afterMs: ms }),
  'sandbox.ended': event('A sandbox process ended.', { instance: name, pid: count, cause: name }),
  'pressure.changed': event('Queues fill, or empty again.', { from: name, to: name, ratio: ms, queue: name }),
  'retention.swept': event('A pass over messages and sessions that are over: so many were forgotten.', { messages: count, sessions: count, durationMs: ms }),
  'reload.judged': event('The home was looked at: what took effect, and what stands there and did not.', { changes: Type.Array(ReloadChange), refused: Type.Array(Diagnostic), durationMs: ms }),
  'worker.degraded': event('A worker of the host cannot go on; it is tried once a minute.', { worker: name, problem: reason }),
  'worker.recovered': event('A worker of the host goes on.', { worker: name }),
  'store.unreadable': event('A row that cannot be read was met, and is told of once; lists and sweeps pass over it.', { table: name }),
  'store.migrated': event('The store was brought to another schema; `copy`: as it was before.', { from: count, to: count, copy: reason }),
  'host.ready': event('Every enablement has settled.', { address: name }),
  'host.stopping': event('The host is about to end.', { reason }),
} as const;
export type EventType = keyof typeof EVENTS;
export type EventFields<T extends EventType = EventType> = Static<(typeof EVENTS)[T]>;

export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[]; // oxlint-disable-line typescript/no-unsafe-type-assertion -- the keys of the constant above

/** One event as it is sent. */
export const EventEnvelope = closed(
  {
    v: Type.Literal(EVENT_SCHEMA_VERSION),
    id: Type.String({ pattern: '^[0-9a-z]{1,16}\\.[0-9]{1,16}$', description: 'This run of the host, and the place in it.' }),
    type: oneOf(...EVENT_TYPES, 'gap'),
    at: Timestamp,
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  { title: 'Gatehouse event' },
);
export type EventEnvelope = Static<typeof EventEnvelope>;
