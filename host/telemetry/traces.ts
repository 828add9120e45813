// Spans through @opentelemetry/api: whoever starts the host with an SDK (docs/ops/otel.mjs) gets them; without one nothing is made, and nothing is asked twice. Made by main.ts, used as host/tracing.ts says.
import { INVALID_SPAN_CONTEXT, ProxyTracerProvider, ROOT_CONTEXT, SpanKind as Kind, SpanStatusCode, TraceFlags, isSpanContextValid, trace, type Context, type Span as ApiSpan, type SpanContext, type Tracer } from '@opentelemetry/api';
import type { Clock } from '../clock.ts';
import { NO_TRACING, type Attributes, type Span, type SpanKind, type Tracing } from '../tracing.ts';
import { VERSION } from '../version.ts';

export interface TracingParts {
  readonly clock: Clock;
  /** Of what comes without a parent, so much is sampled. */
  readonly sampleRatio: number;
  readonly random?: () => number;
}

/** Parents from outside that say "sampled" are believed so often; beyond it the ratio decides, or a stranger could have everything recorded. */
const PARENTS_PER_SECOND = 50;

const KINDS: Readonly<Record<SpanKind, Kind>> = { server: Kind.SERVER, client: Kind.CLIENT, consumer: Kind.CONSUMER, internal: Kind.INTERNAL };

/** Looks once whether an SDK is registered: one that comes later is not seen. */
export function createTracing({ clock, sampleRatio, random = Math.random }: TracingParts): Tracing {
  if (!isRegistered()) return NO_TRACING;
  const tracer = trace.getTracer('gatehouse', VERSION);
  let [secondMs, believed] = [0, 0];
  const isBelieved = () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - secondMs >= 1000) [secondMs, believed] = [nowMs, 0];
    return ++believed <= PARENTS_PER_SECOND;
  };
  return {
    on: true,
    begin(name, kind, attributes, from) {
      const parent = from === undefined ? undefined : parentOf(from);
      const wanted = parent && (parent.traceFlags & TraceFlags.SAMPLED) === 0 ? false : (parent !== undefined && isBelieved()) || random() < sampleRatio;
      return wanted ? spanOf(tracer, name, kind, attributes, under(parent)) : undefined;
    },
    resume: (name, kind, attributes, from) => spanOf(tracer, name, kind, attributes, under(parentOf(from))),
  };
}

/** The API's own provider hands out tracers that do nothing until it has a delegate. */
function isRegistered(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer('gatehouse') !== undefined;
}

const under = (parent: SpanContext | undefined): Context => (parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT);

/** https://www.w3.org/TR/trace-context/#traceparent-header; later versions may add fields behind these. Undefined for what is none. */
export function parentOf(header: string): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header.trim()) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  const context = { ...INVALID_SPAN_CONTEXT, traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}

/** Undefined where the SDK's own sampler does not want it. */
function spanOf(tracer: Tracer, name: string, kind: SpanKind, attributes: Attributes, parent: Context): Span | undefined {
  const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, parent);
  return span.isRecording() ? new Recorded(tracer, span) : undefined;
}

class Recorded implements Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly #tracer: Tracer;
  readonly #span: ApiSpan;

  constructor(tracer: Tracer, span: ApiSpan) {
    this.#tracer = tracer;
    this.#span = span;
    ({ traceId: this.traceId, spanId: this.spanId } = span.spanContext());
  }

  get traceparent(): string {
    return `00-${this.traceId}-${this.spanId}-01`;
  }

  child(name: string, kind: SpanKind, attributes: Attributes = {}): Span {
    return new Recorded(this.#tracer, this.#tracer.startSpan(name, { kind: KINDS[kind], attributes }, trace.setSpan(ROOT_CONTEXT, this.#span)));
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  end(failure?: string): void {
    if (failure !== undefined) {
      this.#span.setAttribute('error.type', failure);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end();
  }
}
