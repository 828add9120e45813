// The fakes authors test with behave like the host where it matters: JSON borders, grants, kv that commits with the result.
import { describe, expect, it } from 'vitest';
import { defineChannel, defineModeration, defineSkill, defineTool, hasCode, PluginError, type JsonValue } from '../index.ts';
import { aSocketFrame, anHttpRequest, runPlugin, testContext } from '../testing.ts';

describe('runPlugin', () => {
  it('keeps what a call wrote to kv when it returns, and drops it when it throws', async () => {
    const counter = defineSkill({
      async respond({ message }, ctx) {
        const count = Number(await ctx.kv.get('count')) + 1;
        await ctx.kv.set('count', count);
        if (message.text === 'fail') throw new Error('no');
        return { replies: [{ text: `${count} ${JSON.stringify(await ctx.kv.get('count'))}` }] };
      },
    });
    const skill = runPlugin(counter, { kv: { count: 4 } });

    await expect(skill.respond({ text: 'fail' })).rejects.toThrow('no');
    expect(skill.kv()).toEqual({ count: 4 });
    expect(await skill.respond()).toEqual({ replies: [{ text: '5 5' }] });
    expect(await skill.respond()).toEqual({ replies: [{ text: '6 6' }] });
    expect(skill.kv()).toEqual({ count: 6 });
  });

  it('refuses what the options do not grant, with the code of the host', async () => {
    const { ctx } = testContext();
    await expect(ctx.kv.get('x')).rejects.toMatchObject({ code: 'CAPABILITY_DENIED' });
    await expect(ctx.http.fetch('https://a.example')).rejects.toMatchObject({ code: 'CAPABILITY_DENIED' });
    await expect(ctx.message.list('c')).rejects.toMatchObject({ code: 'CAPABILITY_DENIED' });
    await expect(ctx.message.send({ instance: 'webchat', conversation: 'c', text: 'x' })).rejects.toMatchObject({ code: 'CAPABILITY_DENIED' });
    await expect(ctx.tool.call('acme.adder/add', {})).rejects.toMatchObject({ code: 'CAPABILITY_DENIED' });
  });

  it('keeps what a call sent when it returns, and drops it when it throws', async () => {
    const herald = defineSkill({
      async respond({ message }, ctx) {
        const { messageId } = await ctx.message.send({ instance: 'webhook', conversation: 'on-duty', text: message.text });
        if (message.text === 'fail') throw new Error('no');
        return { replies: [{ text: messageId }] };
      },
    });
    const skill = runPlugin(herald, { sendTo: ['webhook'] });
    await expect(skill.respond({ text: 'fail' })).rejects.toThrow('no');
    expect(skill.sent).toEqual([]);
    await skill.respond({ text: 'fire' });
    expect(skill.sent).toEqual([{ instance: 'webhook', conversation: 'on-duty', text: 'fire' }]);
    await expect(skill.respond({ text: 'again', hops: 4 })).rejects.toMatchObject({ code: 'MESSAGE_HOPS' });
  });

  it.each<[object, string]>([
    [{ instance: 'webchat' }, 'CAPABILITY_DENIED'],
    [{ instance: 'Web Chat' }, 'CAPABILITY_ARGUMENT'],
    [{ conversation: '' }, 'CAPABILITY_ARGUMENT'],
    [{ conversation: '\ud800' }, 'CAPABILITY_ARGUMENT'],
    [{ text: ' ' }, 'CAPABILITY_ARGUMENT'],
    [{ text: 'é'.repeat(32_769) }, 'CAPABILITY_ARGUMENT'],
    [{ sender: { id: 'operator' } }, 'CAPABILITY_ARGUMENT'],
  ])('refuses to send %j with %s, as the host does', async (odd, code) => {
    const { ctx } = testContext({ sendTo: ['webhook'] });
    await expect(ctx.message.send({ instance: 'webhook', conversation: 'c', text: 'x', ...odd })).rejects.toMatchObject({ code });
  });

  it('sends at most sixteen messages in a call', async () => {
    const { ctx, sent, commit } = testContext({ sendTo: ['webhook'] });
    const send = () => ctx.message.send({ instance: 'webhook', conversation: 'c', text: 'x' });
    for (let n = 0; n < 16; n += 1) await send();
    await expect(send()).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    commit();
    expect(sent).toHaveLength(16);
  });

  it('hands over JSON only, and refuses a result of the wrong shape', async () => {
    const odd = defineModeration({
      // @ts-expect-error a decision without its reason
      evaluate: () => ({ effect: 'deny' }),
    });
    await expect(runPlugin(odd).evaluate({ text: 'x' })).rejects.toMatchObject({ code: 'RESULT_INVALID' });

    const seen: unknown[] = [];
    const channel = defineChannel({
      receive(request) {
        seen.push(request);
        return { actions: undefined };
      },
      send: () => ({ actions: [] }),
    });
    expect(await runPlugin(channel).receive(anHttpRequest({ body: { a: 1 } }))).toEqual({});
    await runPlugin(channel).receive(aSocketFrame({ text: { type: 'x' } }));
    expect(seen).toMatchObject([{ kind: 'http', body: '{"a":1}' }, { kind: 'frame', text: '{"type":"x"}' }]);
  });

  it('calls a tool by its name, and refuses a name the plugin does not define', async () => {
    const adder = runPlugin(defineTool({ add: ({ a, b }: { a: number; b: number }) => ({ sum: a + b }) }));
    expect(await adder.call('add', { a: 1, b: 2 })).toEqual({ sum: 3 });
    for (const name of ['subtract', 'toString', '__proto__', '']) await expect(adder.call(name)).rejects.toMatchObject({ code: 'TOOL_UNKNOWN' });
  });

  it('passes the failure of a tool on as TOOL_FAILED', async () => {
    const { ctx } = testContext({ tools: { 'acme.adder/add': () => Promise.reject(new Error('x'.repeat(500))) } });
    const failure: unknown = await ctx.tool.call('acme.adder/add', {}).catch((error: unknown) => error);
    expect(hasCode(failure, 'TOOL_FAILED', 'TOOL_UNKNOWN')).toBe(true);
    expect(hasCode(failure, 'KV_QUOTA')).toBe(false);
    expect(failure instanceof Error ? failure.message.length : 0).toBeLessThan(300);
  });
});

describe('kv in tests', () => {
  it('lists by prefix in byte order, page by page, including the call’s own writes', async () => {
    const { ctx } = testContext({ kv: { 'a/1': 1, 'a/3': 3, 'a/\u{1f600}': 9, 'a/\uffff': 8, b: 2 } });
    await ctx.kv.set('a/2', [2]);
    await ctx.kv.delete('a/1');
    const first = await ctx.kv.list({ prefix: 'a/', limit: 2 });
    expect(first).toEqual({ items: [{ key: 'a/2', value: [2] }, { key: 'a/3', value: 3 }], cursor: 'a/3' });
    const rest = await ctx.kv.list({ prefix: 'a/', after: 'a/3' });
    expect(rest).toEqual({ items: [{ key: 'a/\uffff', value: 8 }, { key: 'a/\u{1f600}', value: 9 }], cursor: null });
  });

  it.each<[key: string, value: JsonValue]>([['', 1], ['k\n', 1], ['k'.repeat(513), 1], ['k', 'v'.repeat(65_535)]])('refuses key %j with its value as the host does', async (key, value) => {
    await expect(testContext({ kv: {} }).ctx.kv.set(key, value)).rejects.toMatchObject({ code: 'CAPABILITY_ARGUMENT' });
  });
});

describe('define…', () => {
  it('registers once where the sandbox offers it, and still returns the plugin', async () => {
    const registered: { kind: string; handlers: object }[] = [];
    Object.assign(globalThis, { gatehouse: { register: (plugin: { kind: string; handlers: object }) => registered.push(plugin) } });
    try {
      const plugin = defineSkill({ respond: () => null });
      expect(registered).toEqual([plugin]);
      expect(Object.keys(plugin.handlers)).toEqual(['respond']);
      expect(await runPlugin(plugin).respond()).toBeNull();
    } finally {
      Reflect.deleteProperty(globalThis, 'gatehouse');
    }
  });

  it('keeps name and code of a PluginError as own data, which is what the sandbox reads', () => {
    const error = new PluginError('FEED_UNREADABLE', 'no feed');
    expect(Object.getOwnPropertyDescriptors(error)).toMatchObject({ name: { value: 'PluginError' }, code: { value: 'FEED_UNREADABLE' }, message: { value: 'no feed' } });
  });
});
