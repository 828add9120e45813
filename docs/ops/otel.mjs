// Traces of a Gatehouse host to a collector, by OpenTelemetry's own SDK. Beside the host, in the folder you start it from:
//
//   npm install @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace-base @opentelemetry/context-async-hooks @opentelemetry/resources
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 NODE_OPTIONS="--import ./otel.mjs" npx gatehouse start
//
// Which messages are traced is decided by `telemetry.traces.sampleRatio` in host.json: the SDK takes what it is given. The exporter below speaks OTLP over HTTP in
// JSON and nothing else, in a page that can be read; put `@opentelemetry/exporter-trace-otlp-http` in its place for compression, retries and client certificates.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const endpoint = process.env.OTEL_EXPORTER_OTLP_ENDPOINT ?? 'http://127.0.0.1:4318';
const delayMs = Number(process.env.OTEL_BSP_SCHEDULE_DELAY ?? 5000);

/** @param {unknown} value */
const valueOf = (value) => (typeof value === 'number' ? (Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }) : typeof value === 'boolean' ? { boolValue: value } : { stringValue: String(value) });
/** @param {Record<string, unknown>} attributes */
const attributesOf = (attributes) => Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));
/** @param {[number, number]} time */
const nanosOf = ([seconds, nanos]) => String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos));

/** https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
const spanOf = (span) => ({
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parentSpanId: span.parentSpanContext?.spanId ?? '',
  name: span.name,
  kind: span.kind + 1,
  startTimeUnixNano: nanosOf(span.startTime),
  endTimeUnixNano: nanosOf(span.endTime),
  attributes: attributesOf(span.attributes),
  status: { code: span.status.code },
});

/** A collector that is away costs these spans and nothing else. */
async function send(spans) {
  const body = { resourceSpans: [{ resource: { attributes: attributesOf(spans[0].resource.attributes) }, scopeSpans: [{ scope: { name: 'gatehouse' }, spans: spans.map(spanOf) }] }] };
  try {
    const { ok } = await fetch(`${endpoint}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) });
    return { code: ok ? 0 : 1 };
  } catch (error) {
    return { code: 1, error };
  }
}

const exporter = { export: async (spans, done) => done(await send(spans)), shutdown: async () => undefined };

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME ?? 'gatehouse' }),
  spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: delayMs, maxQueueSize: 4096 })],
});
trace.setGlobalTracerProvider(provider);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
// The host has stopped by then; what it left is sent before the process ends.
process.once('beforeExit', () => void provider.shutdown());
