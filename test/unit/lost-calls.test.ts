// Calls that are lost through nobody's fault: a tool that is away, a sandbox that dies under the call. The work is tried again until it is done, and nobody is blamed.
import { describe, expect, it } from 'vitest';
import { lanes, deliveries } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { aPipeline, arriving, SandboxDied, type PipelineWorld, type StandIn } from '../support/pipeline.ts';

const grants: StandIn['grants'] = [{ name: 'tool.call', tools: ['test/clock', 'test/relay'] }];
const asking = (tool: string): StandIn => ({ kind: 'skill', grants, handlers: { respond: async (_, ctx) => ({ replies: [{ text: String(await ctx.ask('tool.call', { tool, arguments: {} })) }] }) } });
const clock: StandIn = { kind: 'tool', handlers: { call: () => 'noon' } };
const away: StandIn = { kind: 'tool' };
const door: StandIn = { kind: 'channel' };

const replies = async (world: PipelineWorld) => (await world.outbound('door', 'c')).map(({ text }) => text);
const waiting = async ({ store }: PipelineWorld) => (await store.range(lanes, lanes.prefix())).map(({ value }) => value);

describe('a skill that fails because a tool was away', () => {
  it.each<[what: string, plugins: Record<string, StandIn>]>([
    ['is not there', { skill: asking('test/clock'), clock: away }],
    ['dies under the call', { skill: asking('test/clock'), clock: { kind: 'tool', handlers: { call: () => Promise.reject(new SandboxDied()) } } }],
    ['is not there for the tool that was asked', { skill: asking('test/relay'), relay: { kind: 'tool', grants, handlers: { call: (_, ctx) => ctx.ask('tool.call', { tool: 'test/clock', arguments: {} }) } }, clock: away }],
  ])('is asked again without blame while it %s, and answers when it is back', async (_, plugins) => {
    await using world = await aPipeline({ door, ...plugins });
    await world.post('door', arriving('1', 'what time is it'));
    await eventually(async () => expect(await waiting(world)).toMatchObject([{ attempts: expect.toSatisfy((attempts: number) => attempts >= 3), failures: 0 }]));
    world.plugins.set('clock', clock);
    await eventually(async () => expect(await replies(world)).toEqual(['noon']));
    expect(await waiting(world)).toEqual([]);
  });

  it('is blamed when it fails for a reason of its own, or of the tool', async () => {
    await using world = await aPipeline({ door, skill: asking('test/clock'), clock: { kind: 'tool', handlers: { call: () => Promise.reject(new Error('a bad day')) } } });
    await world.post('door', arriving('1', 'what time is it'));
    await eventually(async () => expect(await waiting(world)).toMatchObject([{ attempts: 1, failures: 1 }]));
  });

  it('may answer all the same', async () => {
    const calm: StandIn = { kind: 'skill', grants, handlers: { respond: async (_, ctx) => ({ replies: [{ text: await ctx.ask<string>('tool.call', { tool: 'test/clock', arguments: {} }).catch(() => 'no idea') }] }) } };
    await using world = await aPipeline({ door, skill: calm, clock: away });
    await world.post('door', arriving('1', 'what time is it'));
    await eventually(async () => expect(await replies(world)).toEqual(['no idea']));
  });
});

describe('a delivery whose sandbox dies under it', () => {
  it('is made again, more often than a channel may fail', async () => {
    let deaths = 0;
    const frame = { frame: { conversation: 'c' }, text: 'hello' };
    const mortal: StandIn = { kind: 'channel', handlers: { receive: ({ body }: { body: string }) => ({ messages: [JSON.parse(body)] }), send: () => (++deaths <= 5 ? Promise.reject(new SandboxDied()) : { actions: [frame] }) } };
    await using world = await aPipeline({ door: mortal, skill: { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } } });
    await world.post('door', arriving('1', 'hi'));
    await eventually(async () => expect((await world.outbound('door', 'c')).map(({ outcome }) => outcome)).toEqual(['delivered']), 120_000);
    expect(deaths).toBe(6);
    expect(await world.store.range(deliveries, deliveries.prefix())).toEqual([]);
  });
});
