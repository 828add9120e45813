// The first-party plugins in a real sandbox: each loads there, and answers exactly as it does with the SDK's test fakes. What authors test is what runs.
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../host/authoring/bundle.ts';
import { systemClock } from '../../host/clock.ts';
import { createLog } from '../../host/log.ts';
import { SandboxPool } from '../../host/sandbox/pool.ts';
import type { HostCall, HostReply, Sandbox } from '../../host/sandbox/sandbox.ts';
import type { PluginKind } from '../../schemas/plugin-manifest.ts';
import { hasCode, type JsonValue, type Plugin, type PluginContext } from '../../plugin-sdk/index.ts';
import { aDelivery, aMessage, anHttpRequest, aSession, aSocketFrame, aSocketOpening, testContext, type TestOptions } from '../../plugin-sdk/testing.ts';
import clock from '../../plugins/clock/src/plugin.ts';
import concierge from '../../plugins/concierge/src/plugin.ts';
import echo from '../../plugins/echo/src/plugin.ts';
import webchat from '../../plugins/webchat/src/plugin.ts';
import webhook from '../../plugins/webhook/src/plugin.ts';
import wordlist from '../../plugins/wordlist/src/plugin.ts';

const CONVERSATION = 'kJx2mT0cZ7yQpA4vN8sW1g';
const AT = '2026-11-21T08:00:00.000Z';
const spoken = { messages: { [CONVERSATION]: Array.from({ length: 150 }, (_, index) => ({ id: `id-${1000 + index}`, direction: index % 2 === 0 ? ('inbound' as const) : ('outbound' as const), text: `text ${index}`, at: AT })) } };
const clockTools: TestOptions = { tools: { 'gatehouse.clock/now': () => ({ zone: 'UTC', local: 'now', offset: '+00:00', iso: AT }), 'gatehouse.clock/zones': () => ({ zones: ['Europe/Berlin'] }) } };
const failing: TestOptions = { tools: { ...clockTools.tools, 'gatehouse.clock/now': () => Promise.reject(new Error('There is no such zone.')) } };

interface Case {
  readonly what: string;
  readonly handler: string;
  readonly input: unknown;
  readonly options?: TestOptions;
}

const message = (text: string) => ({ message: aMessage({ text, stages: [{ stage: 'verify', decision: 'pass', durationMs: 0.2 }] }), session: aSession() });
const judged = (text: string) => ({ message: aMessage({ text }), direction: 'inbound' });

const PLUGINS: readonly { readonly name: string; readonly plugin: Plugin<never>; readonly config?: JsonValue; readonly cases: readonly Case[] }[] = [
  {
    name: 'webchat',
    plugin: webchat,
    cases: [
      { what: 'an opening with a backlog', handler: 'receive', input: aSocketOpening({ conversation: CONVERSATION }), options: spoken },
      { what: 'an opening without the grant', handler: 'receive', input: aSocketOpening({ conversation: CONVERSATION }) },
      { what: 'a message', handler: 'receive', input: aSocketFrame({ conversation: CONVERSATION, text: { type: 'message', id: 'm', text: 'héllo 🙂' } }) },
      { what: 'a malformed frame', handler: 'receive', input: aSocketFrame({ conversation: CONVERSATION, text: '{' }) },
      { what: 'a reply', handler: 'send', input: aDelivery() },
    ],
  },
  {
    name: 'webhook',
    plugin: webhook,
    config: { replyUrl: 'https://hooks.example/in' },
    cases: [
      { what: 'a message', handler: 'receive', input: anHttpRequest({ body: { id: 'm', conversation: 'c', sender: { id: 'ada' }, text: 'hi', timestamp: AT } }) },
      { what: 'a bad message', handler: 'receive', input: anHttpRequest({ body: { id: 'm' } }) },
      { what: 'a reading', handler: 'receive', input: anHttpRequest({ method: 'GET', params: { conversation: CONVERSATION }, query: { after: 'id-1003' } }), options: spoken },
      { what: 'a reply', handler: 'send', input: aDelivery() },
    ],
  },
  {
    name: 'wordlist',
    plugin: wordlist,
    config: { caseSensitive: false, rules: [{ match: 'phrase', text: 'trojan horse', effect: 'deny', reason: 'No.' }, { match: 'word', text: 'darn', effect: 'mask' }, { match: 'word', text: 'password', effect: 'flag', label: 'secret' }] },
    cases: [
      ...['hello', 'a trojan\u200b horse', 'ｄａｒｎ it', 'my password'].map((text) => ({ what: JSON.stringify(text), handler: 'evaluate', input: judged(text) })),
      ...[['the longest text', 'darn '.repeat(13_000)], ['text that is hard to mask', `${'d\u200barn '.repeat(900)}${'\u200bx'.repeat(14_000)}`], ['text that unfolds', '\ufdfa'.repeat(21_000)]].map(([what = '', text = '']) => ({ what, handler: 'evaluate', input: judged(text) })),
    ],
  },
  {
    name: 'clock',
    plugin: clock,
    cases: [
      ...['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'nowhere', 'x'.repeat(64)].map((zone) => ({ what: `now in ${zone.slice(0, 20)}`, handler: 'call', input: { tool: 'now', arguments: { zone } } })),
      { what: 'zones', handler: 'call', input: { tool: 'zones', arguments: { like: 'new yrok', limit: 10 } } },
      { what: 'a tool that is not there', handler: 'call', input: { tool: 'then', arguments: {} } },
    ],
  },
  {
    name: 'concierge',
    plugin: concierge,
    cases: [
      ...['hello', '/help', '/what'].map((text) => ({ what: text, handler: 'respond', input: message(text), options: clockTools })),
      { what: '/time with a clock', handler: 'respond', input: message('/time UTC'), options: clockTools },
      { what: '/time with a clock that says no', handler: 'respond', input: message('/time Berlin'), options: failing },
      { what: '/time without a clock', handler: 'respond', input: message('/time UTC') },
    ],
  },
  { name: 'echo', plugin: echo, cases: ['echo hello', 'hello'].map((text) => ({ what: text, handler: 'respond', input: message(text) })) },
];

/** A method's type, so that the handlers of any kind fit: what they are called with is what the case says. */
type Handler = { run(input: unknown, ctx: PluginContext<JsonValue>): Promise<unknown> }['run'];

const log = createLog('error');

describe.each(PLUGINS)('$name', ({ name, plugin, config = {}, cases }) => {
  const pool = new SandboxPool({ warm: 0, clock: systemClock, log });
  let sandbox: Sandbox;
  /** What host calls of the call under way are answered from. */
  let ctx: PluginContext = testContext().ctx;

  beforeAll(async () => {
    const { script } = await bundle(resolve(import.meta.dirname, '../../plugins', name));
    const kind: PluginKind = plugin.kind;
    const limits = { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 10_000, concurrency: 64 };
    sandbox = await pool.open({ instance: name, plugin: `gatehouse.${name}`, kind, source: script, config, limits, jitless: true }, { onHostCall: (call) => answer(ctx, call), onLog: () => undefined });
  });
  afterAll(async () => {
    await sandbox?.stop(0);
    await pool[Symbol.asyncDispose]();
  });

  it('registers the handlers of its kind', () => {
    expect([...sandbox.handlers].sort()).toEqual(Object.keys(plugin.handlers).sort());
  });

  it.each(cases)('answers $what as it does in tests', async ({ handler, input, options = {} }) => {
    // The sandbox's clock is the host's, so the fakes get the same.
    const now = Date.now();
    const fake: TestOptions<JsonValue> = { ...options, config, now };
    ctx = testContext({ ...options, now }).ctx;
    const inSandbox = await sandbox.call({ handler, input, callId: `${handler}-${now}`, attemptKey: 'attempt' });
    const handlers: Record<string, Handler> = { ...plugin.handlers };
    const inTest = await handlers[handler]?.(structuredClone(input), testContext(fake).ctx).then(
      (value) => ({ ok: true, value: withoutTime(value) }),
      (error: Error) => ({ ok: false, code: 'CALL_FAILED', message: expect.stringContaining(error.message.slice(0, 100)), errorCode: 'code' in error ? error.code : undefined, retry: false }),
    );
    expect(withoutTime(inSandbox)).toEqual(inTest);
  });
});

/** Answers a host call as the broker would, from the fakes. */
async function answer(ctx: PluginContext, { op, args }: HostCall): Promise<HostReply> {
  const given = Object(args);
  try {
    switch (op) {
      case 'message.list':
        return { ok: true, value: await ctx.message.list(given.conversation, given) };
      case 'tool.call':
        return { ok: true, value: await ctx.tool.call(given.tool, given.arguments) };
      default:
        return { ok: false, code: 'CAPABILITY_UNKNOWN', message: `these plugins have no business with ${op}` };
    }
  } catch (error) {
    if (hasCode<string>(error, 'CAPABILITY_DENIED', 'TOOL_FAILED')) return { ok: false, code: error.code, message: error.message };
    throw error;
  }
}

/** As JSON, without what a clock or a meter says. */
const withoutTime = (value: unknown): unknown => JSON.parse(JSON.stringify(value), (key, each: unknown) => (['cpuUs', 'wallMs', 'iso', 'local', 'offset'].includes(key) ? undefined : each));
