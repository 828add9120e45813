// The way of a message as a trace: what an operator with an SDK sees of it, from the request that brings it to the reply that is posted, in one host and over a kill.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { createTracing, parentOf } from '../../host/telemetry/traces.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHandClock } from '../support/hand-clock.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';
import { signatureOf } from '../support/webhook.ts';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

/** Asks a tool and a server, and answers with both. */
const ASK = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  ctx.log.info('asked', { by: 'skill' });
  const { answer } = await ctx.tool.call('test.lookup/find', { what: 'x' });
  const { status } = await ctx.http.fetch(ctx.config.url + '/private/path?key=1', {});
  return { replies: [{ text: answer + ' ' + status }] };
} } });`;
const LOOKUP = `gatehouse.register({ kind: 'tool', handlers: { call: async () => ({ answer: 'found' }) } });`;

async function aHomeThatAsks(receiver: Receiver, telemetry: object): Promise<TestHome> {
  const { origin } = receiver;
  const home = await aHome(
    [
      { name: 'lookup', kind: 'tool', source: LOOKUP, manifest: { tools: [{ name: 'find', description: 'Finds.', inputSchema: { type: 'object' }, outputSchema: { type: 'object' }, effects: 'read', idempotent: true }] } },
      {
        name: 'ask', kind: 'skill', source: ASK,
        manifest: { skill: {}, requires: [{ id: 'test.lookup', range: '^1.0.0' }], capabilities: [{ name: 'tool.call', tools: ['test.lookup/find'], reason: 'asks' }, { name: 'http.fetch', origins: [{ config: '/url' }], methods: ['GET'], reason: 'asks' }], config: { type: 'object', properties: { url: { type: 'string' } }, additionalProperties: false } },
        enablement: { config: { url: origin } },
      },
    ],
    { egress: { allow: [receiver.exception] }, telemetry },
  );
  await addFirstParty(home, 'wordlist');
  await addWebhook(home, { config: { replyUrl: `${origin}/replies` } });
  return home;
}

async function say(address: string, id: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ id, conversation: 'a-private-conversation', sender: { id: 'someone' }, text: 'a private text' });
  const response = await fetch(`${address}/channels/webhook/messages`, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-gatehouse-signature': signatureOf(WEBHOOK_SECRET, body), ...headers } });
  expect(response.status).toBe(202);
  return response;
}

interface Node {
  readonly name: string;
  readonly children: Node[];
}

/** Spans as a tree of names, children as they began. */
function treeOf(spans: readonly ReadableSpan[], parent: string): Node[] {
  const below = spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent);
  return below.toSorted((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]).map((span) => ({ name: span.name, children: treeOf(spans, span.spanContext().spanId) }));
}

const written = (nodes: readonly Node[], indent = ''): string[] => nodes.flatMap(({ name, children }) => [indent + name, ...written(children, `${indent}  `)]);

describe('the trace of a message', () => {
  let receiver: Receiver;
  let home: TestHome;
  let running: Gatehouse;
  beforeAll(async () => {
    trace.setGlobalTracerProvider(provider);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    receiver = await startReceiver();
    home = await aHomeThatAsks(receiver, { traces: { sampleRatio: 0 } });
    running = await startGatehouse(home, { tracing: createTracing({ clock: systemClock, sampleRatio: 0 }) });
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
    trace.disable();
    context.disable();
  });
  beforeEach(() => exporter.reset());

  const posted = (...ids: string[]) => eventually(() => expect(receiver.received.flatMap(({ target, body }) => (target === '/replies' ? [(JSON.parse(body) as { inReplyTo: string }).inReplyTo] : []))).toEqual(expect.arrayContaining(ids)));
  /** The delivery is the last to end. */
  const finished = () => eventually(() => expect(exporter.getFinishedSpans().map(({ name }) => name)).toContain('deliver message'));

  it('goes from the request that brought it through gate, skill, tool and fetch to the reply that is posted', async () => {
    await say(running.address, 'm1', { traceparent: `00-${TRACE}-${CALLER}-01` });
    await posted('m1');
    await finished();
    const spans = exporter.getFinishedSpans();
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE]));
    expect(written(treeOf(spans, CALLER))).toEqual([
      'POST /channels/:instance/*',
      '  receive webhook',
      '  accept message',
      '    stage normalize',
      '    stage admit',
      '    stage moderate',
      '      evaluate wordlist',
      '    stage accept',
      '    answer message',
      '      stage respond',
      '        respond ask',
      '          host tool.call',
      '            call lookup',
      '          host http.fetch',
      '            GET',
      '      stage sanitize',
      '      stage screen',
      '        evaluate wordlist',
      '      stage offer',
      '      stage conclude',
      '      deliver message',
      '        stage shape',
      '        stage deliver',
      '          send webhook',
      '          POST',
      '        stage settle',
    ]);
    const told = JSON.stringify(spans.map(({ name, attributes }) => [name, attributes]));
    for (const secret of ['private', 'someone', 'key=1', 'found']) expect(told).not.toContain(secret);
    const fetched = spans.find(({ name }) => name === 'GET');
    expect(fetched?.attributes).toMatchObject({ 'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': receiver.port, 'http.response.status_code': 200 });
    // Nobody outside learns of a trace unless the operator names him.
    expect(receiver.received.flatMap(({ headers }) => headers['traceparent'] ?? [])).toEqual([]);
    const { items } = (await running.api('/messages')).json<{ items: object[] }>();
    expect(items.length).toBeGreaterThan(1);
    expect(items.filter((each) => 'trace' in each)).toEqual([]);
  });

  it('is not kept when its caller did not sample it, nor when nothing says so and the ratio is 0', async () => {
    await say(running.address, 'm2', { traceparent: `00-${TRACE}-${CALLER}-00` });
    await say(running.address, 'm3');
    await say(running.address, 'm4', { traceparent: 'nonsense' });
    await posted('m2', 'm3', 'm4');
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

describe('sampling', () => {
  beforeAll(() => trace.setGlobalTracerProvider(provider));
  afterAll(() => trace.disable());

  it('believes no more than fifty callers a second', () => {
    const clock = aHandClock();
    const tracing = createTracing({ clock, sampleRatio: 0 });
    const sampled = () => Array.from({ length: 1000 }, () => tracing.begin('x', 'server', {}, `00-${TRACE}-${CALLER}-01`)).filter(Boolean).length;
    expect(sampled()).toBe(50);
    expect(sampled()).toBe(0);
    clock.turn(1000);
    expect(sampled()).toBe(50);
  });

  it('takes the share of what comes without a caller that the operator says', () => {
    let n = 0;
    const tracing = createTracing({ clock: systemClock, sampleRatio: 0.25, random: () => (n++ % 100) / 100 });
    expect(Array.from({ length: 1000 }, () => tracing.begin('x', 'server', {})).filter(Boolean)).toHaveLength(250);
  });

  it('reads a traceparent as W3C Trace Context has it', () => {
    expect(parentOf(`00-${TRACE}-${CALLER}-01`)).toMatchObject({ traceId: TRACE, spanId: CALLER, traceFlags: 1, isRemote: true });
    expect(parentOf(`cc-${TRACE}-${CALLER}-01-what-comes-later`)).toMatchObject({ traceId: TRACE });
    for (const bad of ['', 'nonsense', `ff-${TRACE}-${CALLER}-01`, `00-${TRACE}-${CALLER}-01-more`, `00-${'0'.repeat(32)}-${CALLER}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`, `00-${TRACE.toUpperCase()}-${CALLER}-01`]) expect(parentOf(bad)).toBeUndefined();
  });

  it('costs nothing and keeps nothing without an SDK', () => {
    trace.disable();
    const tracing = createTracing({ clock: systemClock, sampleRatio: 1 });
    expect(tracing.on).toBe(false);
    expect(tracing.begin('x', 'server', {})).toBeUndefined();
    trace.setGlobalTracerProvider(provider);
  });
});

interface Collected {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
}

describe('the trace of a message whose host is killed', () => {
  it('goes on in the next one, as the example for a collector exports it', async () => {
    const collected: Collected[] = [];
    await using collector = await startReceiver(({ body }) => {
      const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Collected[] }[] }[] };
      collected.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
      return { status: 200 };
    });
    await using receiver = await startReceiver(({ target }, index) => (target === '/replies' && index < 2 ? 'hang' : { status: 200 }));
    await using home = await aHomeThatAsks(receiver, { traces: { sampleRatio: 0, propagateTo: [receiver.origin] } });
    const options = { nodeArgs: ['--import', resolve(import.meta.dirname, '../../docs/ops/otel.mjs')], env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin, OTEL_BSP_SCHEDULE_DELAY: '50' } };
    const first = await startProcess(home.path, [], undefined, options);
    await say(first.address, 'm1', { traceparent: `00-${TRACE}-${CALLER}-01` });
    await eventually(() => expect(receiver.received.map(({ target }) => target)).toContain('/replies'));
    await eventually(() => expect(collected.map(({ name }) => name)).toContain('answer message'));
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    await using second = await startProcess(home.path, [], undefined, options);
    expect(second.pid).not.toBe(first.pid);
    await eventually(() => expect(collected.map(({ name }) => name)).toContain('deliver message'), 120_000);
    expect(new Set(collected.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    const [delivery, answer] = ['deliver message', 'answer message'].map((wanted) => collected.find(({ name }) => name === wanted));
    expect(delivery?.parentSpanId).toBe(answer?.spanId);
    // This receiver is named in `propagateTo`: what it is sent belongs to the same trace.
    const carried = receiver.received.map(({ headers }) => String(headers['traceparent']));
    expect(carried.length).toBeGreaterThan(2);
    for (const each of carried) expect(each).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    expect(new Set(carried).size).toBe(carried.length);
  });
});
