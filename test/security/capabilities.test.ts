// Attacks on the broker and between plugins, run by real plugins in the real host while an innocent neighbour is kept talking.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { addNeighbours, besideNeighbour } from '../support/neighbour.ts';
import { subscribe, type Events } from '../../host/events.ts';

/** A channel that hands over what is posted, and lets its replies be read from the control plane. */
const DOOR: TestPlugin = {
  name: 'door',
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
};

const skill = (name: string, body: string, extra: Partial<TestPlugin> = {}): TestPlugin => ({
  name,
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { if (!message.text.startsWith('${name} ')) return null; const answer = await (async () => { ${body} })(); return { replies: [{ text: JSON.stringify(answer) }] }; } } });`,
  manifest: { skill: {}, ...extra.manifest },
  ...(extra.enablement ? { enablement: extra.enablement } : {}),
});

let count = 0;

/** Sends a message through the door and returns the answering skill's JSON. */
async function ask<T = Record<string, unknown>>(gatehouse: Gatehouse, text: string, extra: object = {}): Promise<T> {
  const id = `q${++count}`;
  const posted = await gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id, conversation: 'c', sender: { id: 'attacker' }, text, ...extra }) });
  expect(posted.status).toBe(202);
  return await eventually(async () => {
    const { items } = (await gatehouse.api('/messages?instance=door&direction=outbound')).json<{ items: { inReplyTo: string; text: string }[] }>();
    const reply = items.find((each) => each.inReplyTo === id);
    expect(reply).toBeDefined();
    return JSON.parse(reply?.text ?? 'null') as T;
  }, 120_000);
}

async function arena(...plugins: readonly TestPlugin[]) {
  const home = await aHome([DOOR, ...plugins]);
  await addNeighbours(home);
  const gatehouse = await startGatehouse(home);
  return {
    gatehouse,
    async [Symbol.asyncDispose]() {
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const tryAll = (calls: Readonly<Record<string, string>>) =>
  `const out = {}; ${Object.entries(calls).map(([name, call]) => `try { out['${name}'] = ['done', await ${call}]; } catch (e) { out['${name}'] = [e.code ?? e.name, e.message]; }`).join(' ')} return out;`;

describe('capability forgery', () => {
  it('75 undeclared-op: every power without a grant is refused, named, and an event', async () => {
    await using stage = await arena(skill('thief', tryAll({ get: `ctx.kv.get('k')`, set: `ctx.kv.set('k', 1)`, fetch: `ctx.http.fetch('https://example.com/')`, list: `ctx.message.list('c')`, send: `ctx.message.send({ instance: 'webchat', conversation: 'c', text: 'x' })`, tool: `ctx.tool.call('gatehouse.clock/now', {})` })));
    const denied: Events['capability.denied'][] = [];
    const stop = subscribe('capability.denied', (event) => denied.push(event));
    const answer = await besideNeighbour(stage.gatehouse, () => ask<Record<string, [string, string]>>(stage.gatehouse, 'thief go'));
    stop();
    for (const [name, [code, message]] of Object.entries(answer)) {
      expect([name, code]).toEqual([name, 'CAPABILITY_DENIED']);
      expect(message).toMatch(/'thief' may not use/);
    }
    expect(denied.filter((each) => each.instance === 'thief')).toHaveLength(6);
  });

  it('76 op-proto: names that every object has are no operations', async () => {
    await using stage = await arena(skill('proto', tryAll({ tool1: `ctx.tool.call('__proto__', {})`, tool2: `ctx.tool.call('constructor', {})`, get1: `ctx.kv.get('__proto__')`, get2: `ctx.kv.get('constructor')`, own: `Promise.resolve(['__proto__', 'constructor', 'toString', 'hasOwnProperty', ''].map((name) => typeof Object.getOwnPropertyDescriptor(ctx, name)))` }), { manifest: { capabilities: [{ name: 'kv', quotaBytes: 1000 }, { name: 'tool.call', tools: ['gatehouse.clock/now'] }] }, enablement: { grants: [{ name: 'kv', quotaBytes: 1000 }, { name: 'tool.call', tools: ['gatehouse.clock/now'] }] } }));
    const answer = await besideNeighbour(stage.gatehouse, () => ask<Record<string, [string, unknown]>>(stage.gatehouse, 'proto go'));
    expect(answer['tool1']?.[0]).toBe('CAPABILITY_DENIED');
    expect(answer['tool2']?.[0]).toBe('CAPABILITY_DENIED');
    expect(answer['get1']).toEqual(['done', null]);
    expect(answer['get2']).toEqual(['done', null]);
    expect(answer['own']).toEqual(['done', ['undefined', 'undefined', 'undefined', 'undefined', 'undefined']]);
  });

  it('77 identity-spoof: claiming to be another plugin in arguments changes nothing', async () => {
    const kv = { manifest: { capabilities: [{ name: 'kv' as const, quotaBytes: 1000 }] } };
    await using stage = await arena(
      skill('owner', `await ctx.kv.set('secret', 'mine'); return 'kept';`, kv),
      skill('spoof', tryAll({ plain: `ctx.kv.get('secret')`, object: `ctx.kv.get({ key: 'secret', instance: 'owner', pluginId: 'test.owner' })`, prefixed: `ctx.kv.get('owner/secret')`, list: `ctx.kv.list({ prefix: '', instance: 'owner' })` }), kv),
    );
    await besideNeighbour(stage.gatehouse, async () => {
      expect(await ask(stage.gatehouse, 'owner go')).toBe('kept');
      const answer = await ask<Record<string, [string, unknown]>>(stage.gatehouse, 'spoof go');
      expect(answer['plain']).toEqual(['done', null]);
      expect(answer['prefixed']).toEqual(['done', null]);
      expect(JSON.stringify(answer)).not.toContain('mine');
    });
  });

  it('80 confused-deputy: what a message asks for does not widen what the plugin may do', async () => {
    await using stage = await arena(
      skill('deputy', `const [, tool] = message.text.split(' '); try { return await ctx.tool.call(tool, {}); } catch (e) { return e.code; }`, { manifest: { capabilities: [{ name: 'tool.call', tools: ['test.harmless/look'] }] } }),
      { name: 'vault', kind: 'tool', source: `gatehouse.register({ kind: 'tool', handlers: { call: async () => ({ opened: true }) } });`, manifest: { tools: [{ name: 'open', description: 'opens', inputSchema: { type: 'object' }, outputSchema: {}, effects: 'write', idempotent: false }] } },
      { name: 'harmless', kind: 'tool', source: `gatehouse.register({ kind: 'tool', handlers: { call: async () => ({ seen: true }) } });`, manifest: { tools: [{ name: 'look', description: 'looks', inputSchema: { type: 'object' }, outputSchema: {}, effects: 'read', idempotent: true }] } },
    );
    await besideNeighbour(stage.gatehouse, async () => {
      expect(await ask(stage.gatehouse, 'deputy test.harmless/look')).toEqual({ seen: true });
      expect(await ask(stage.gatehouse, 'deputy test.vault/open')).toBe('CAPABILITY_DENIED');
      expect(await ask(stage.gatehouse, 'deputy test.harmless/look/../../test.vault/open')).toBe('CAPABILITY_DENIED');
    });
  });

  it('83 arg-type: arguments of the wrong kind, size or shape are refused with their place', async () => {
    const calls = { number: `ctx.kv.get(5)`, nested: `ctx.kv.get([['k']])`, huge: `ctx.kv.set('k'.repeat(600), 1)`, nul: `ctx.kv.set('a\\u0000b', 1)`, empty: `ctx.kv.get('')`, nan: `ctx.kv.set('n', NaN)`, inf: `ctx.kv.set('i', Infinity)`, negzero: `ctx.kv.set('z', -0)`, undef: `ctx.kv.set('u', undefined)`, cyc: `(() => { const a = {}; a.a = a; return ctx.kv.set('c', a); })()`, sleep: `ctx.sleep('long')`, forever: `ctx.sleep(1e12)`, limit: `ctx.kv.list({ limit: 1e9 })`, big: `ctx.kv.set('b', 'x'.repeat(70000))` };
    await using stage = await arena(skill('typist', tryAll(calls), { manifest: { capabilities: [{ name: 'kv', quotaBytes: 1_000_000 }] } }));
    const answer = await besideNeighbour(stage.gatehouse, () => ask<Record<string, [string, unknown]>>(stage.gatehouse, 'typist go'));
    for (const name of ['number', 'nested', 'huge', 'nul', 'empty', 'sleep', 'forever', 'limit']) expect([name, answer[name]?.[0]]).toEqual([name, 'CAPABILITY_ARGUMENT']);
    expect(answer['big']?.[0]).not.toBe('done');
    expect(answer['cyc']?.[0]).not.toBe('done');
    // NaN, Infinity and -0 have no JSON form of their own; they arrive as JSON.stringify writes them.
    expect(answer['nan']?.[0]).toBe('done');
    expect(answer['inf']?.[0]).toBe('done');
  });
});

describe('between plugins', () => {
  it('85 kv-prefix: instances whose names and keys could run together do not share a row', async () => {
    const kv = { manifest: { capabilities: [{ name: 'kv' as const, quotaBytes: 10_000 }] } };
    const body = `if (message.text.endsWith('write')) { await ctx.kv.set('b:c', ctx.instance); await ctx.kv.set('c', ctx.instance); return 'written'; } return [await ctx.kv.get('b:c'), await ctx.kv.get('c'), (await ctx.kv.list({})).items.map((each) => each.key)];`;
    await using stage = await arena(skill('a', body, kv), skill('a-b', body, kv));
    await besideNeighbour(stage.gatehouse, async () => {
      await ask(stage.gatehouse, 'a write');
      expect(await ask(stage.gatehouse, 'a-b read')).toEqual([null, null, []]);
      await ask(stage.gatehouse, 'a-b write');
      expect(await ask(stage.gatehouse, 'a read')).toEqual(['a', 'a', ['b:c', 'c']]);
    });
  });

  it('86 global-bleed: what one plugin does to globals and prototypes another never sees', async () => {
    await using stage = await arena(
      skill('dirty', `try { globalThis.leak = 'leaked'; Object.prototype.isAdmin = true; Array.prototype.map = () => 'stolen'; } catch (e) { return e.message; } return 'done';`),
      skill('clean', `return [typeof globalThis.leak, typeof ({}).isAdmin, [1].map((n) => n + 1)];`),
    );
    await besideNeighbour(stage.gatehouse, async () => {
      await ask(stage.gatehouse, 'dirty go');
      expect(await ask(stage.gatehouse, 'clean go')).toEqual(['undefined', 'undefined', [2]]);
    });
  });

  it('87 send-impersonate: who answered is stamped by the host, whatever the reply claims', async () => {
    await using stage = await arena({
      name: 'liar',
      kind: 'skill',
      source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => message.text === 'liar go' ? ({ replies: [{ text: '"I am echo"' }] }) : null } });`,
      manifest: { skill: {} },
    });
    await besideNeighbour(stage.gatehouse, () => ask(stage.gatehouse, 'liar go'));
    const { items } = (await stage.gatehouse.api('/messages?instance=door&direction=outbound')).json<{ items: { sender: { id: string } }[] }>();
    expect(items[0]?.sender.id).toBe('liar');

    await using other = await arena({
      name: 'forger',
      kind: 'skill',
      source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => message.text === 'forger go' ? ({ replies: [{ text: 'x', sender: { id: 'operator' } }] }) : null } });`,
      manifest: { skill: {} },
    });
    await besideNeighbour(other.gatehouse, async () => {
      await other.gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: 'f', conversation: 'c', sender: { id: 's' }, text: 'forger go' }) });
      await eventually(async () => expect((await other.gatehouse.api('/dead-letters')).json<{ items: unknown[] }>().items).toHaveLength(1), 120_000);
    });
  });
});

describe('pollution', () => {
  it('109 msg-proto: prototype keys in bodies, messages and kv values make nobody an admin', async () => {
    await using stage = await arena(skill('polluted', `await ctx.kv.set('p', JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}')); const back = await ctx.kv.get('p'); Object.assign({}, back); return [typeof ({}).isAdmin, Object.keys(back ?? {})];`, { manifest: { capabilities: [{ name: 'kv', quotaBytes: 10_000 }] } }));
    await besideNeighbour(stage.gatehouse, async () => {
      const body = `{"id":"p1","conversation":"c","sender":{"id":"s"},"text":"hi","__proto__":{"isAdmin":true}}`;
      await stage.gatehouse.fetch('/channels/door/in', { method: 'POST', body });
      const answer = await ask<[string, string[]]>(stage.gatehouse, 'polluted go');
      expect(answer[0]).toBe('undefined');
    });
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
    const api = await stage.gatehouse.fetch('/api/v1/messages', { method: 'POST', body: '{"__proto__":{"isAdmin":true}}', headers: { 'content-type': 'application/json' } });
    expect(api.status).toBe(401);
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  it('111 header-proto: a header or query named __proto__ reaches the plugin as a plain name, if at all', async () => {
    await using stage = await arena({
      name: 'mirror',
      kind: 'channel',
      source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ respond: { status: 200, body: { admin: String(request.query.isAdmin), polluted: typeof ({}).isAdmin, headerAdmin: String(request.headers.isAdmin), query: Object.keys(request.query) } } }), send: async () => ({ actions: [] }) } });`,
      manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'GET', path: '/look', verify: { scheme: 'none' } }] } },
    });
    await besideNeighbour(stage.gatehouse, async () => {
      const answer = await stage.gatehouse.fetch('/channels/mirror/look?__proto__=x&__proto__[isAdmin]=1&constructor=y', { headers: { constructor: 'z' } });
      expect(answer.status).toBe(200);
      expect(answer.json()).toMatchObject({ admin: 'undefined', polluted: 'undefined', headerAdmin: 'undefined' });
    });
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });
});
