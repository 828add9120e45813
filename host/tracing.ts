// What the host is working on at this moment, and the spans of it: read by the log for its ids, by whoever makes a span for its parent. telemetry/traces.ts keeps spans; without it there are none.
import { AsyncLocalStorage } from 'node:async_hooks';

export type SpanKind = 'server' | 'client' | 'consumer' | 'internal';

/** Names as in OpenTelemetry's semantic conventions, where they have one. Never text of a message, never a conversation. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A piece of work that somebody keeps a record of. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** W3C Trace Context, what is stored with a message and sent to others. */
  readonly traceparent: string;
  child(name: string, kind: SpanKind, attributes?: Attributes): Span;
  set(attributes: Attributes): void;
  /** `failure` is a code. */
  end(failure?: string): void;
}

export interface Tracing {
  /** Whether anybody keeps spans; decided at the start. */
  readonly on: boolean;
  /** Of something new, once for all that follows from it: undefined when it is not sampled. `parent`: a `traceparent` from outside, believed or not. */
  begin(name: string, kind: SpanKind, attributes: Attributes, parent?: string): Span | undefined;
  /** Of something that was sampled before, maybe by an earlier process. */
  resume(name: string, kind: SpanKind, attributes: Attributes, parent: string): Span | undefined;
}

export const NO_TRACING: Tracing = { on: false, begin: () => undefined, resume: () => undefined };

/** What log lines carry, and spans hang on. */
export interface Doing {
  readonly requestId?: string | undefined;
  readonly messageId?: string;
  readonly instance?: string;
  readonly callId?: string;
  /** The innermost span. */
  readonly span?: Span | undefined;
  /** The span of the whole piece of work: what comes of it later hangs on this one. */
  readonly work?: Span | undefined;
  /** It was decided whether this is sampled, and with no `span` it is not. */
  readonly isDecided?: boolean;
}

const doings = new AsyncLocalStorage<Doing>();

export const doing = (): Doing | undefined => doings.getStore();

/** In the place of whatever the caller was doing: a lane that goes on inside somebody's request does not work for that request. */
export function instead<T>(of: Doing | undefined, work: () => T): T {
  return of === undefined ? work() : doings.run(of, work);
}

/** Beside what the caller does. */
export function also<T>(more: Doing, work: () => T): T {
  return doings.run({ ...doings.getStore(), ...more }, work);
}

/** Does it as a child of the current span, where there is one. `failureOf` says of a result by what code it failed. */
export async function spanned<T>(name: string, kind: SpanKind, attributes: () => Attributes, work: () => T | Promise<T>, failureOf?: (value: T) => string | undefined): Promise<T> {
  const parent = doings.getStore()?.span;
  if (!parent) return await work();
  const span = parent.child(name, kind, attributes());
  try {
    const value = await also({ span }, work);
    span.end(failureOf?.(value));
    return value;
  } catch (error) {
    span.end(codeOf(error));
    throw error;
  }
}

/** The whole work on one message: as it arrives, as it is answered, each try at delivering it. `from`: how its span, if any, begins. */
export async function worked<T>(about: Pick<Doing, 'messageId' | 'instance' | 'requestId'>, begin: () => Span | undefined, work: () => Promise<T>, failureOf: (value: T) => string | undefined): Promise<T> {
  const span = begin();
  try {
    const value = await instead({ ...about, isDecided: true, ...(span && { span, work: span }) }, work);
    span?.end(failureOf(value));
    return value;
  } catch (error) {
    span?.end(codeOf(error));
    throw error;
  }
}

/** Stored with what comes of this work, so that its trace goes on there; nothing when it is not sampled. */
export function traced(): { readonly trace?: string } {
  const work = doings.getStore()?.work;
  return work ? { trace: work.traceparent } : {};
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL');
