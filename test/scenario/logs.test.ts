// What a host writes to its log, read from the file it wrote: lines that belong together carry the same ids, and no line carries a credential.
import { context, trace } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import * as fc from 'fast-check';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { masked, maskedLine } from '../../host/log-redaction.ts';
import { createLog } from '../../host/log.ts';
import { logEvents } from '../../host/telemetry/log-events.ts';
import { createTracing } from '../../host/telemetry/traces.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
/** Of the shape of the host's own; nobody ever had it. */
const TOKEN = `ght_0123456789abcdef_${'Aa1-'.repeat(11).slice(0, 43)}`;
const JWT = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(43)}`;

const DOOR = `gatehouse.register({ kind: 'channel', handlers: {
  receive: async (request, ctx) => { ctx.log.warn('took it'); return { messages: [JSON.parse(request.body)] }; },
  send: async () => ({ actions: [] }),
} });`;
const TALKER = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  ctx.log.error('called with authorization: Bearer ${TOKEN}', { authorization: '${TOKEN}', header: 'Basic dXNlcjpwYXNzd29yZA==', url: 'https://ada:hunter2@host/x', deep: { list: ['${JWT}'] } });
  await ctx.kv.get('not granted').catch(() => undefined);
  return { replies: [{ text: 'hi' }] };
} } });`;

interface Line extends Record<string, unknown> {
  readonly level: number;
  readonly msg: string;
}

describe('the log of a host', () => {
  let home: TestHome;
  let running: Gatehouse;
  let file: string;
  const stack = new DisposableStack();
  beforeAll(async () => {
    trace.setGlobalTracerProvider(new BasicTracerProvider());
    home = await aHome([
      { name: 'door', kind: 'channel', source: DOOR, manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'none' } }] } } },
      { name: 'talker', kind: 'skill', source: TALKER, manifest: { skill: {} } },
    ]);
    file = join(home.path, 'host.log');
    const log = createLog('debug', openSync(file, 'w'));
    stack.use(logEvents(log));
    running = await startGatehouse(home, { log, tracing: createTracing({ clock: systemClock, sampleRatio: 0 }) });
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
    stack.dispose();
    trace.disable();
    context.disable();
  });

  const lines = (): Line[] => readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Line);
  const say = (id: string, headers: Record<string, string>) => running.fetch('/channels/door/messages', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ id, conversation: 'c', sender: { id: 's' }, text: 'a private text' }) });
  const first = (text: string, traceId: string) => eventually(() => {
    const found = lines().find((line) => (line.msg === text || line['text'] === text) && line['traceId'] === traceId);
    if (!found) throw new Error(`no line '${text}'`);
    return found;
  });

  it('carries the ids of the request, of the message, of the call, and of the trace where there is one', async () => {
    const answer = await say('m1', { 'x-request-id': 'from-the-proxy.1', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` });
    expect(answer.headers.get('x-request-id')).toBe('from-the-proxy.1');
    const { messageId } = answer.json<{ messageId: string }>();
    const took = await first('took it', TRACE);
    expect(took).toMatchObject({ msg: 'plugin log', instance: 'door', requestId: 'from-the-proxy.1', callId: expect.stringMatching(/^call-\d+$/), traceId: TRACE, spanId: expect.stringMatching(/^[0-9a-f]{16}$/) });
    // The answer is given later, on nobody's request: its lines have the message and the trace in common with those before.
    const denied = await first('capability denied', TRACE);
    expect(denied).toMatchObject({ instance: 'talker', messageId, traceId: TRACE, callId: expect.stringMatching(/^call-\d+$/) });
    expect(denied).not.toHaveProperty('requestId');
    expect(denied['callId']).not.toBe(took['callId']);
  });

  it('names every request, and repeats no id that is none', async () => {
    const asked = async (id: string) => (await running.fetch('/healthz', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await asked('a-good.one')).toBe('a-good.one');
    for (const bad of ['', 'two words', 'x'.repeat(65), '"},{"level":60', 'é']) expect(await asked(bad)).toMatch(/^[0-9a-f-]{36}$/);
    expect((await running.fetch('/nowhere')).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('holds no credential, by the name of its field or by its shape, whoever wrote it', async () => {
    await say('m2', { authorization: `Bearer ${TOKEN}` });
    await eventually(() => expect(lines().filter(({ instance, level }) => instance === 'talker' && level === 50).length).toBeGreaterThan(0));
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('[Redacted]');
    expect(text).toContain('redacted');
    for (const secret of [TOKEN, TOKEN.slice(22), JWT, 'dXNlcjpwYXNzd29yZA', 'hunter2', 'a private text']) expect(text).not.toContain(secret);
  });

  it('leaves lines without one as they are, and stays JSON with one', () => {
    const plain = '{"level":30,"msg":"host stopping","reason":"basic"}\n';
    expect(maskedLine(plain)).toBe(plain);
    const forged = `${JSON.stringify({ a: `Bearer ${'x'.repeat(30)}`, b: 'https://u:p@h/', c: '-----BEGIN PRIVATE KEY-----\nabc', d: 'kept' })}\n`;
    expect(JSON.parse(maskedLine(forged))).toEqual({ a: 'Bearer [redacted]', b: 'https://u:[redacted]@h/', c: '[redacted: a private key]', d: 'kept' });
  });

  it('stays JSON whatever a text holds, and hides as much of it as of the text alone', async () => {
    const pieces = fc.constantFrom('-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----', 'Bearer ', 'basic ', 'xxxxxxxxxxxxxxxxxxxx', TOKEN, JWT, 'https://u:pw', '@h/', '"', '\\', '\\"', '\n', '\\n', ' and more', '\ud800', '{"a":"b"}');
    const texts = fc.oneof(fc.array(pieces, { maxLength: 8 }).map((some) => some.join('')), fc.string({ unit: 'binary', maxLength: 20 }));
    await fc.assert(fc.asyncProperty(texts, texts, async (name, text) => {
      const line = JSON.stringify({ level: 50, [`_${name}`]: text, deep: [text] });
      expect(JSON.parse(maskedLine(`${line}\n`))).toEqual({ level: 50, [masked(`_${name}`)]: masked(text), deep: [masked(text)] });
    }), { seed: 20_261_121, numRuns: 2000, examples: [['a', '-----BEGIN PRIVATE KEY-----abc" and more'], ['a', `said:\nBearer ${TOKEN}`]] });
    expect(maskedLine(JSON.stringify({ text: `said:\nBearer ${'x'.repeat(30)}` }))).not.toContain('xxx');
  });
});
