// Frames between host and sandbox process: a 4-byte little-endian length, then one JSON value, on fd 3.
// The host believes nothing a child sends: each frame is held against `ChildFrame`, and identity comes from the pipe.
import { Type, type Static } from 'typebox';
import { BOUNDS } from './bounds.ts';
import { closed, oneOf, text, whole } from './closed.ts';
import { PluginKind } from './plugin-manifest.ts';

const id = whole(0, Number.MAX_SAFE_INTEGER);
const now = whole(0, Number.MAX_SAFE_INTEGER);
const cpuUs = whole(0, Number.MAX_SAFE_INTEGER);

/** Bounds that are already held inside the isolate, so that a plugin gets a typed error instead of an end. The host holds them again. */
export const IsolateBounds = closed({
  hostCallsPerCall: whole(1, 65_536),
  hostCallsPerProcess: whole(1, 65_536),
  hostCallBytes: whole(1, BOUNDS.frameFromChildBytes / 2),
  resultBytes: whole(1, BOUNDS.frameFromChildBytes / 2),
  postsPerSlice: whole(1, 65_536),
  logLinesPerSlice: whole(1, 65_536),
  logLineBytes: whole(1, 65_536),
});
export type IsolateBounds = Static<typeof IsolateBounds>;

/**
 * Host → child. `load` comes first and once; each later frame is one timed slice of plugin code, taken in order.
 * `input`, `value` and `config` are JSON values that only the isolate looks into. Every property is there: the isolate reads own properties only.
 */
export const HostFrame = Type.Union([
  closed({
    t: Type.Literal('load'), kind: PluginKind, instance: text(64), source: Type.String(), config: Type.Unknown(),
    heapMb: whole(8, 512), sliceMs: whole(0, 60_000, { description: 'Timeout of a slice in the child; 0 when the host watches slices itself.' }), loadMs: whole(1, 60_000), seed: whole(0, 0xffffffff), now, bounds: IsolateBounds,
  }),
  closed({ t: Type.Literal('call'), call: id, handler: text(40), callId: text(64), attemptKey: text(200), now, input: Type.Unknown() }),
  closed({ t: Type.Literal('settle'), call: id, request: id, ok: Type.Literal(true), value: Type.Unknown() }),
  closed({ t: Type.Literal('settle'), call: id, request: id, ok: Type.Literal(false), error: closed({ code: text(100), message: text(500) }) }),
  closed({ t: Type.Literal('cancel'), call: id }),
]);
export type HostFrame = Static<typeof HostFrame>;

/** What plugin code threw, read without running any of its code outside a slice. `retry: false`: the author says that trying again is of no use. */
export const SandboxError = closed({ name: text(100), message: text(500), code: Type.Optional(text(100)), retry: Type.Optional(Type.Literal(false)) });

export const ResultPost = closed({ t: Type.Literal('result'), call: id, ok: Type.Literal(true), value: Type.Unknown() });
export const FailurePost = closed({ t: Type.Literal('result'), call: id, ok: Type.Literal(false), error: SandboxError });
export const RequestPost = closed({ t: Type.Literal('request'), call: id, request: id, op: text(100), args: Type.Unknown() });
export const LogPost = closed({
  t: Type.Literal('log'), call: id, level: oneOf('debug', 'info', 'warn', 'error'), text: text(BOUNDS.logLineBytes),
  fields: Type.Optional(Type.Record(Type.String(), Type.Unknown())), dropped: Type.Optional(whole(1, Number.MAX_SAFE_INTEGER)),
});

/** What plugin code posts through the bridge, gathered per slice. */
export const Post = Type.Union([ResultPost, FailurePost, RequestPost, LogPost]);
export type Post = Static<typeof Post>;

const posts = Type.Array(Post, { maxItems: 4096 });

/**
 * Child → host. `slice` and `timeout` each end the oldest host frame that has no such answer yet, and carry the process CPU spent since the one before:
 * the sum is all the process used. `posts` comes before them when a slice posts more than one frame holds. After `timeout` or `fatal` the process is useless.
 */
export const ChildFrame = Type.Union([
  closed({ t: Type.Literal('ready') }),
  closed({ t: Type.Literal('loaded'), handlers: Type.Array(text(40), { minItems: 1, maxItems: 32 }), cpuUs }),
  closed({ t: Type.Literal('load-failed'), reason: text(600), cpuUs }),
  closed({ t: Type.Literal('posts'), posts }),
  closed({ t: Type.Literal('slice'), cpuUs, posts }),
  closed({ t: Type.Literal('timeout'), cpuUs, posts }),
  closed({ t: Type.Literal('late'), message: text(600) }),
  closed({ t: Type.Literal('fatal'), cause: oneOf('memory', 'crash'), reason: text(600) }),
]);
export type ChildFrame = Static<typeof ChildFrame>;
