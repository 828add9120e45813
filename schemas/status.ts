// What a host says of itself as a whole: that it lives, whether it is ready, and what waits and runs in it.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { DegradedPlugin, ReloadView } from './control.ts';
import { Profile } from './host-config.ts';
import { KeyId, Timestamp } from './ids.ts';
import { RetentionView } from './retention.ts';

const count = whole(0, Number.MAX_SAFE_INTEGER);

/** `GET /healthz`. */
export const LiveView = closed({ live: Type.Literal(true) });
export type LiveView = Static<typeof LiveView>;

/** `GET /readyz`. What ails a plugin is told in words only in profile local. */
export const ReadinessView = closed({
  ready: Type.Boolean({ description: 'Whether every required instance is active.' }),
  degraded: Type.Array(closed({ ...DegradedPlugin.properties, message: Type.Optional(DegradedPlugin.properties.message) })),
});
export type ReadinessView = Static<typeof ReadinessView>;

export const PressureLevel = oneOf('normal', 'slow', 'shed', 'refuse');
export type PressureLevel = Static<typeof PressureLevel>;

export const QueueFill = closed({ queue: oneOf('messages', 'deliveries', 'arrivals'), depth: count, limit: count });
export type QueueFill = Static<typeof QueueFill>;

export const PressureView = closed({
  level: PressureLevel,
  ratio: Type.Number({ minimum: 0, description: "The fullest queue's share of its bound." }),
  queues: Type.Array(QueueFill),
  shed: whole(0, Number.MAX_SAFE_INTEGER, { description: 'Messages sent away since the start.' }),
});
export type PressureView = Static<typeof PressureView>;

export const WorkerState = oneOf('idle', 'working', 'waiting', 'stuck', 'degraded');
export type WorkerState = Static<typeof WorkerState>;

/** One worker of the host, as docs/topology.md lists them. */
export const WorkerView = closed({
  name: text(100),
  state: WorkerState,
  passes: count,
  failures: count,
  problem: Type.Optional(text(4000, { description: 'What the last failure was, until a pass succeeds.' })),
});
export type WorkerView = Static<typeof WorkerView>;

const work = closed({ waiting: count, running: count });

/** `GET /api/v1/status`. */
export const StatusView = closed({
  version: text(64),
  hostApi: text(64),
  startedAt: Timestamp,
  pid: count,
  home: text(4096),
  profile: Profile,
  strict: Type.Boolean(),
  ready: Type.Boolean(),
  confinement: text(1000, { description: 'What holds a sandbox, in one line.' }),
  plugins: Type.Record(text(40), count, { description: 'How many instances are in each state; none, absent.' }),
  degraded: Type.Array(DegradedPlugin),
  lanes: work,
  deliveries: work,
  deadLetters: count,
  pressure: PressureView,
  retention: RetentionView,
  workers: Type.Array(WorkerView),
  reload: closed({ watching: Type.Boolean({ description: 'Whether changes of the home are noticed by themselves.' }), last: Type.Union([ReloadView, Type.Null()]) }),
  audit: closed({ size: count, keyid: KeyId }, { description: 'Entries of the transparency log, and the key that signs it.' }),
});
export type StatusView = Static<typeof StatusView>;
