// Frames between host and sandbox process: a 4-byte little-endian length, then one JSON value, on fd 3.
// The host believes nothing a child sends: each frame is held against `ChildFrame`, and identity comes from the pipe.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { PluginKind } from './plugin-manifest.ts';

const callId = whole(0, Number.MAX_SAFE_INTEGER);
const cpuUs = whole(0, Number.MAX_SAFE_INTEGER);

/** Host → child. `input`, `value` and `config` are JSON values that only the isolate looks into. */
export const HostFrame = Type.Union([
  closed({ t: Type.Literal('load'), kind: PluginKind, instance: text(64), source: Type.String(), config: Type.Unknown(), heapMb: whole(8, 512), sliceMs: whole(1, 60_000), seed: whole(0, 0xffffffff), now: whole(0, Number.MAX_SAFE_INTEGER) }),
  closed({ t: Type.Literal('call'), call: callId, handler: text(40), input: Type.Unknown(), callId: text(64), attemptKey: text(200), now: whole(0, Number.MAX_SAFE_INTEGER) }),
  closed({ t: Type.Literal('settle'), call: callId, request: callId, ok: Type.Boolean(), value: Type.Unknown() }),
  closed({ t: Type.Literal('cancel'), call: callId }),
]);
export type HostFrame = Static<typeof HostFrame>;

export const SandboxError = closed({ name: text(100), message: text(500), code: Type.Optional(text(100)) });

/** What plugin code posts through the bridge, gathered per slice. */
export const Post = Type.Union([
  closed({ t: Type.Literal('result'), call: callId, ok: Type.Literal(true), value: Type.Unknown() }),
  closed({ t: Type.Literal('result'), call: callId, ok: Type.Literal(false), error: SandboxError }),
  closed({ t: Type.Literal('request'), call: callId, request: callId, op: text(100), args: Type.Unknown() }),
  closed({ t: Type.Literal('log'), call: callId, level: oneOf('debug', 'info', 'warn', 'error'), text: text(BOUNDS.logLineBytes), fields: Type.Optional(Type.Record(Type.String(), Type.Unknown())) }),
]);
export type Post = Static<typeof Post>;

/** Child → host. A `slice` closes each timed run of plugin code and carries the process CPU it cost. */
export const ChildFrame = Type.Union([
  closed({ t: Type.Literal('ready') }),
  closed({ t: Type.Literal('loaded'), kind: PluginKind, handlers: Type.Array(text(40), { maxItems: 32 }), cpuUs }),
  closed({ t: Type.Literal('load-failed'), reason: text(600), cpuUs }),
  closed({ t: Type.Literal('slice'), call: callId, cpuUs, posts: Type.Array(Post, { maxItems: 4096 }) }),
  closed({ t: Type.Literal('timeout'), call: callId, cpuUs }),
  closed({ t: Type.Literal('late'), call: callId, message: text(600) }),
  closed({ t: Type.Literal('fatal'), reason: text(600) }),
]);
export type ChildFrame = Static<typeof ChildFrame>;
