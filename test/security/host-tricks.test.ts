// Attacks of our own through a whole host: what plugins write, log, name and call, and how plugins call each other, while a person goes on chatting next door.
import { mkdtempSync, openSync, readFileSync, closeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Capability } from '../../schemas/capability.ts';
import { createLog } from '../../host/log.ts';
import { logEvents } from '../../host/telemetry/log-events.ts';
import { DOOR, ask } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { addNeighbours, besideNeighbour } from '../support/neighbour.ts';

const kv = (quotaBytes: number): Capability => ({ name: 'kv', quotaBytes, reason: 'test' });
const calls = (...tools: string[]): Capability => ({ name: 'tool.call', tools, reason: 'test' });

/** A skill that answers messages beginning with its name, with the JSON of what `body` returns. */
const skill = (name: string, body: string, capabilities: readonly Capability[] = [], top = ''): TestPlugin => ({
  name,
  kind: 'skill',
  source: `${top} gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { const answer = await (async () => { ${body} })(); return { replies: [{ text: JSON.stringify(answer) }] }; } } });`,
  manifest: { skill: { triggers: { prefixes: [`${name} `] } }, capabilities: [...capabilities] },
});

const tool = (name: string, body: string, capabilities: readonly Capability[] = [], { inputSchema = { type: 'object' }, outputSchema = {}, limits = {} }: { readonly inputSchema?: object; readonly outputSchema?: object; readonly limits?: object } = {}): TestPlugin => ({
  name,
  kind: 'tool',
  source: `gatehouse.register({ kind: 'tool', handlers: { call: async ({ arguments: input }, ctx) => { ${body} } } });`,
  manifest: { tools: [{ name: 'do', description: 'does', inputSchema, outputSchema, effects: 'read', idempotent: true }], capabilities: [...capabilities], limits } as TestPlugin['manifest'] & object,
});

const TRY = 'const attempt = async (f) => { try { return ["done", await f()] } catch (error) { return [error.code ?? error.name, error.message] } };';

const PLUGINS: readonly TestPlugin[] = [
  DOOR,
  // 47, g80
  skill('filler', `let count = 0; try { for (;; count++) await ctx.kv.set('k' + count, 'x'.repeat(1000)) } catch (error) { return [count, error.code] }`, [kv(20_000)]),
  skill('hoarder', `const found = []; for (let i = 0; i < 40; i++) found.push((await attempt(() => ctx.kv.set('same', 'x'.repeat(500 + i)))) [0]); for (let i = 0; i < 200; i++) { await attempt(() => ctx.kv.set('gone' + i, 'x'.repeat(300))); await ctx.kv.delete('gone' + i) } return [found.every((each) => each === 'done'), (await ctx.kv.list({})).items.length]`, [kv(5000)], TRY),
  skill('writer', `await ctx.kv.set('n', (await ctx.kv.get('n') ?? 0) + 1); return ctx.kv.get('n')`, [kv(10_000)]),
  // g81
  skill('keys', `const odd = ['a\\u0000b', '\\ud800', '\\udfff x', '', 'k'.repeat(513), 'é'.repeat(257), '../../x', 'e\\u0301', '\\u00e9', '__proto__', 'constructor', '\\u202e', 'a/b', 'a', '\\ufffd', '\\u0001'];
    const out = []; for (const key of odd) out.push((await attempt(() => ctx.kv.set(key, [key]))) [0]);
    const back = []; for (const [index, key] of odd.entries()) if (out[index] === 'done') back.push((await ctx.kv.get(key))?.[0] === key);
    return [out, back, (await ctx.kv.list({})).items.length]`, [kv(100_000)], TRY),
  // g82
  skill('forger', `ctx.log.error('x\\n{"level":60,"instance":"host","msg":"forged"}\\r\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u0000', { instance: 'webchat', plugin: 'gatehouse.webchat', level: 60, time: 'never', pid: 1, msg: 'host stopping', err: { stack: 'forged' }, authorization: 'mine', toJSON: undefined }); ctx.log.info('\\ud800'.repeat(5000), { long: 'y'.repeat(1900) }); ctx.log.warn('z'.repeat(1e5)); return 'logged'`),
  // g83
  skill('reason', `if (message.text.endsWith('throw')) { const error = new Error('"},\\n{"code":"FORGED"'); error.name = '\\u001b[31m'; error.code = 'PLUGIN_QUARANTINED'; error.stack = 'at /etc/passwd'; throw error } for (;;);`),
  // g84
  tool('ping', 'return ctx.tool.call("test.pong/do", { depth: (input.depth ?? 0) + 1 }).then((value) => ({ under: value }), (error) => ({ code: error.code, depth: input.depth ?? 0 }))', [calls('test.pong/do')]),
  tool('pong', 'return ctx.tool.call("test.ping/do", { depth: (input.depth ?? 0) + 1 })', [calls('test.ping/do')]),
  tool('self', 'try { return { under: await ctx.tool.call("test.self/do", {}) } } catch (error) { return { code: error.code } }', [calls('test.self/do')]),
  skill('ring', `return [await attempt(() => ctx.tool.call('test.ping/do', {})), await attempt(() => ctx.tool.call('test.self/do', {}))]`, [calls('test.ping/do', 'test.self/do')], TRY),
  // g85
  tool('left', 'return (await ctx.tool.call("test.right/do", {}))', [calls('test.right/do')], { limits: { concurrency: 1, wallMsPerCall: 300 } }),
  tool('right', 'return (await ctx.tool.call("test.left/do", {}))', [calls('test.left/do')], { limits: { concurrency: 1, wallMsPerCall: 300 } }),
  skill('knot', `return Promise.all([attempt(() => ctx.tool.call('test.left/do', {})), attempt(() => ctx.tool.call('test.right/do', {}))])`, [calls('test.left/do', 'test.right/do')], TRY),
  // g86
  tool('fan', 'const all = await Promise.allSettled(Array.from({ length: 24 }, () => ctx.tool.call("test.fan/do", {}))); return all.length', [calls('test.fan/do')], { limits: { wallMsPerCall: 500 } }),
  skill('bomber', `return attempt(() => ctx.tool.call('test.fan/do', {}))`, [calls('test.fan/do')], TRY),
  // g87
  tool('typed', 'return input.answer', [], { inputSchema: { type: 'object', properties: { answer: {}, list: { type: 'array', items: { type: 'integer' }, maxItems: 1000 } }, additionalProperties: false }, outputSchema: { type: 'string', maxLength: 5 } }),
  skill('typist', `const call = (given) => attempt(() => ctx.tool.call('test.typed/do', given)); let deep = 1; for (let i = 0; i < 60; i++) deep = [deep];
    return [await call({ answer: 'short' }), await call({ answer: 'too long' }), await call({ answer: { toString: 'x' } }), await call({ list: Array(1001).fill(1) }), await call({ list: Array.from({ length: 1000 }, (_, i) => i + 0.5) }), await call({ answer: deep }), await call({ other: 1 }), await call(JSON.parse('{"__proto__":{"answer":"evil"}}')), await call('text'), await call({ answer: 'x'.repeat(60_000) })].map(([code]) => code)`, [calls('test.typed/do')], TRY),
  // g88
  tool('trap', 'for (;;);', []),
  { name: 'gullible', kind: 'moderation', source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }, ctx) => { if (message.text.startsWith('trapped ')) await ctx.tool.call('test.trap/do', {}); return { effect: 'pass' } } } });`, manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] }, capabilities: [calls('test.trap/do')] } },
  skill('trapped', `return 'answered'`),
  // 89
  skill('counter', `globalThis.kept = (globalThis.kept ?? 0) + 1; return [globalThis.kept, typeof require, typeof process]`),
];

let home: TestHome;
let gatehouse: Gatehouse;
let logFile: string;
let stopLogging: () => void;

beforeAll(async () => {
  home = await aHome(PLUGINS);
  await addNeighbours(home);
  logFile = join(mkdtempSync(join(tmpdir(), 'gatehouse-log-')), 'log');
  const fd = openSync(logFile, 'w');
  const logging = logEvents(createLog('debug', fd));
  stopLogging = () => {
    logging[Symbol.dispose]();
    closeSync(fd);
  };
  gatehouse = await startGatehouse(home);
});

afterAll(async () => {
  await gatehouse?.[Symbol.asyncDispose]();
  stopLogging?.();
  await home?.[Symbol.asyncDispose]();
});

const beside = <T>(attack: () => Promise<T>) => besideNeighbour(gatehouse, attack);
const logLines = () => readFileSync(logFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

describe('what plugins write', () => {
  it('attack 47 kv-fill: writing until the quota ends is an error for the writer, and others write on', async () => {
    await beside(async () => {
      const before = await ask<number>(gatehouse, 'writer go');
      const [filled, answer] = await Promise.all([ask<[number, string]>(gatehouse, 'filler go'), ask<number>(gatehouse, 'writer go')]);
      expect(filled).toEqual([expect.any(Number), 'KV_QUOTA']);
      expect(filled[0]).toBeGreaterThan(10);
      expect(filled[0]).toBeLessThan(20);
      expect(answer).toBe(before + 1);
      expect(await ask(gatehouse, 'filler again')).toEqual([expect.any(Number), 'KV_QUOTA']);
    });
  });

  it('attack g80 quota-churn: rewriting and deleting neither leaks quota nor gains any', async () => {
    await beside(async () => {
      for (let round = 0; round < 3; round += 1) expect(await ask(gatehouse, 'hoarder go')).toEqual([true, 1]);
    });
  });

  it('attack g81 key-tricks: keys that could meet, hide or climb are refused or kept apart', async () => {
    const [written, back, listed] = await beside(() => ask<[string[], boolean[], number]>(gatehouse, 'keys go'));
    expect(written.map((each) => each === 'done')).toEqual([false, false, false, false, false, false, ...Array<boolean>(9).fill(true), false]);
    expect(new Set(written.filter((each) => each !== 'done'))).toEqual(new Set(['CAPABILITY_ARGUMENT']));
    expect(back).toEqual(Array(9).fill(true));
    expect(listed).toBe(9);
  });

  it('attack g82 log-forging: a line of a plugin is one line, in its own name, whatever is in it', async () => {
    await beside(() => ask(gatehouse, 'forger go'));
    const lines = await eventually(() => {
      const own = logLines().filter((line) => line['instance'] === 'forger' && line['msg'] === 'plugin log');
      expect(own).toHaveLength(3);
      return own;
    });
    expect(logLines().filter(({ msg, level }) => msg === 'forged' || level === 60)).toEqual([]);
    expect(lines[0]).toMatchObject({ level: 50, plugin: 'test.forger', pid: process.pid, fields: { instance: 'webchat', msg: 'host stopping' } });
    for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(4 * BOUNDS.logLineBytes * 6);
    const controls = readFileSync(logFile).filter((byte) => (byte < 0x20 && byte !== 0x0a) || byte === 0x7f);
    expect(controls).toHaveLength(0);
  });

  it('attack g83 evidence-forging: reasons and codes that a plugin throws change no record but its own text', async () => {
    await beside(async () => {
      for (const text of ['reason throw', 'reason spin', 'reason spin', 'reason spin']) {
        const posted = await gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: `${text}${Math.random()}`, conversation: text + Math.random(), sender: { id: 's' }, text }) });
        expect(posted.status).toBe(202);
      }
      await eventually(() => expect(gatehouse.host.plugins.show('reason').state).toBe('quarantined'), 120_000);
    });
    const folder = join(home.path, 'data/evidence');
    const files = await eventually(async () => {
      const found = (await readdir(folder)).filter((file) => file.startsWith('reason-') && file.endsWith('.json'));
      expect(found).toHaveLength(1);
      return found;
    });
    const evidence = JSON.parse(await readFile(join(folder, files[0] as string), 'utf8')) as { instance: string; plugin: string; actor: string };
    expect(evidence).toMatchObject({ instance: 'reason', plugin: 'test.reason', actor: 'host' });
    const letters = (await gatehouse.api('/dead-letters')).json<{ items: { code: string }[] }>().items;
    expect(letters.map(({ code }) => code)).not.toContain('FORGED');
  });
});

describe('names that senders choose', () => {
  it('attack g89 conversation-tricks: ids that could meet or climb are refused, or name conversations of their own', async () => {
    const ids = ['a', 'a\u0000', '\ud800', '\ufffd', '../a', 'a/b', 'e\u0301', '\u00e9', '__proto__', 'constructor', 'x'.repeat(10_000), '', ' a', 'a\u202e', 'A'];
    await beside(async () => {
      const statuses = new Map<string, number>();
      for (const conversation of ids) statuses.set(conversation, (await gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: 'same', conversation, sender: { id: 's' }, text: 'counter go' }) })).status);
      const accepted = ids.filter((id) => statuses.get(id) === 202);
      expect(accepted).toEqual(expect.arrayContaining(['a', '../a', 'a/b', '__proto__', 'constructor', 'A']));
      expect([...statuses.values()].filter((status) => ![202, 400, 502].includes(status))).toEqual([]); // 502: the channel handed over what no message may be
      // Each accepted one is a conversation of its own: the same sender's id in another would be a duplicate otherwise.
      const { items } = (await gatehouse.api('/messages?instance=door&direction=inbound&limit=200')).json<{ items: { conversation: string }[] }>();
      for (const conversation of accepted) expect([conversation, items.filter((each) => each.conversation === conversation).length]).toEqual([conversation, 1]);
    });
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });
});

describe('plugins that call each other', () => {
  it('attack g84 tool-rings: tools that call each other, or themselves, without end are refused at a depth', async () => {
    const [pair, own] = await beside(() => ask<[unknown, unknown]>(gatehouse, 'ring go'));
    expect(JSON.stringify(pair)).toMatch(/TOOL_DEPTH|TOOL_FAILED/);
    expect(JSON.stringify(own)).toContain('TOOL_DEPTH');
    expect(JSON.stringify(own).split('under').length).toBeLessThan(8);
  });

  it('attack g85 deadlock: two tools of one call at a time that wait for each other are untied by their deadlines', async () => {
    const ends = await beside(() => ask<[string, string][]>(gatehouse, 'knot go'));
    expect(ends.map(([code]) => code)).toEqual(['TOOL_FAILED', 'TOOL_FAILED']);
    await eventually(() => expect(['left', 'right'].map((each) => gatehouse.host.plugins.show(each).state)).toEqual(['active', 'active']));
  });

  it('attack g86 fan-out: calls that multiply at every level end with the call that began them', async () => {
    const answer = await beside(() => ask<[string, unknown]>(gatehouse, 'bomber go'));
    expect(answer[0]).toMatch(/done|TOOL_FAILED/);
    const count = () => gatehouse.host.plugins.show('fan').calls;
    await eventually(async () => {
      const before = count();
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(count()).toBe(before); // nothing goes on behind it
    }, 120_000);
  });

  it('attack g87 schema-bombs: arguments and results that do not fit a tool’s schemas reach neither side', async () => {
    expect(await beside(() => ask(gatehouse, 'typist go'))).toEqual(['done', 'TOOL_FAILED', 'TOOL_FAILED', 'TOOL_ARGUMENT', 'TOOL_ARGUMENT', expect.stringMatching(/TOOL_FAILED|CAPABILITY_ARGUMENT/), 'TOOL_ARGUMENT', 'TOOL_ARGUMENT', 'TOOL_ARGUMENT', 'TOOL_FAILED']);
  });

  it('attack g88 trapped-gate: a gate that calls a tool which spins denies what it judged, and passes what comes after', async () => {
    await beside(async () => {
      const send = (text: string) => gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: text, conversation: text, sender: { id: 's' }, text }) });
      expect((await send('trapped go')).status).toBeGreaterThanOrEqual(400);
      expect(await ask(gatehouse, 'counter after')).toHaveLength(3);
      expect(gatehouse.host.plugins.show('gullible')).toMatchObject({ state: 'active', strikes: 0 });
      expect(gatehouse.host.plugins.show('trap').strikes).toBeGreaterThan(0);
    });
  });
});

describe('code on disk', () => {
  it('attack 89 cache-poison: what runs is compiled from the verified bytes; no cache lies where a plugin or a package could plant one', async () => {
    const listed = async () => (await readdir(home.path, { recursive: true })).filter((path) => /\.cache|compile-cache|\.(bin|blob|snapshot|node)$/i.test(path));
    await beside(async () => {
      expect(await ask(gatehouse, 'counter one')).toEqual([expect.any(Number), 'undefined', 'undefined']);
      expect(await listed()).toEqual([]);
    });
    // A cache that somebody lays beside the code makes the package another one, which is refused.
    await using other = await aHome([{ name: 'planted', kind: 'skill', source: 'gatehouse.register({ kind: "skill", handlers: { respond: async () => null } });', manifest: { skill: {} } }]);
    await other.write('plugins/test.planted-1.0.0/plugin.js.cache', 'V8 code');
    await using refusing = await startGatehouse(other);
    expect(refusing.host.plugins.show('planted')).toMatchObject({ state: 'rejected', code: expect.stringMatching(/RELEASE_FILES|PACKAGE_INVALID/) as string });
  });
});
