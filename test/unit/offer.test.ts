// Replies that their channel is asked about before they are stored: what is delivered by being stored, what still takes a delivery, and what is not asked early at all.
import { describe, expect, it } from 'vitest';
import type { Grant } from '../../schemas/capability.ts';
import type { Commit } from '../../host/store/store.ts';
import { eventually } from '../support/eventually.ts';
import { aPipeline, arriving, type PipelineWorld, type StandIn } from '../support/pipeline.ts';

const echo: StandIn = { kind: 'skill', handlers: { respond: ({ message }: { message: { text: string } }) => ({ replies: message.text.split('+').map((text) => ({ text })) }) } };
const skills = { echo };

/** The tables of each commit that wrote messages, in order. */
function commitsOf(world: PipelineWorld): string[][] {
  const seen: string[][] = [];
  world.beforeCommit = ({ put = [], remove = [] }: Commit) => {
    const tables = [...put, ...remove].map(({ table }) => table.name);
    if (tables.includes('messages') || tables.includes('endings')) seen.push(tables);
  };
  return seen;
}

const expectReplies = (world: PipelineWorld, ...texts: readonly string[]) =>
  eventually(async () => expect((await world.outbound('street', 'c')).map(({ text, outcome }) => [text, outcome])).toEqual(texts.map((text) => [text, 'delivered'])));

/** A channel whose `send` says what is to be done, and who was asked when. */
function street(actions: readonly object[], parts: Partial<StandIn> = {}): { readonly plugin: StandIn; readonly asked: { text: string; attempt: number }[] } {
  const asked: { text: string; attempt: number }[] = [];
  const send = ({ text, attempt }: { text: string; attempt: number }) => {
    asked.push({ text, attempt });
    return { actions };
  };
  return { asked, plugin: { kind: 'channel', handlers: { send }, ...parts } };
}

describe('a reply that its channel is asked about first', () => {
  it('takes two commits when nothing has to be done to send it', async () => {
    const { plugin, asked } = street([]);
    await using world = await aPipeline({ street: plugin, ...skills });
    const commits = commitsOf(world);
    await world.post('street', arriving('1', 'hi'));
    await expectReplies(world, 'hi');
    expect(commits).toHaveLength(2);
    expect(commits.flat()).not.toContain('deliveries');
    expect(asked).toEqual([{ text: 'hi', attempt: 1 }]);
    const [reply] = await world.outbound('street', 'c');
    expect(reply?.stages).toMatchObject([{ stage: 'send', decision: 'sent', instance: 'street' }]);
  });

  it('takes three when something has, and the channel is asked once', async () => {
    const { plugin, asked } = street([{ frame: { conversation: 'c' }, text: '{}' }]);
    await using world = await aPipeline({ street: plugin, ...skills });
    const commits = commitsOf(world);
    await world.post('street', arriving('1', 'hi'));
    await expectReplies(world, 'hi');
    expect(commits).toHaveLength(3);
    expect(asked).toEqual([{ text: 'hi', attempt: 1 }]);
  });

  it('waits for the commit before anything is done', async () => {
    const { plugin } = street([{ request: { method: 'POST', url: 'https://x.example/' } }]);
    await using world = await aPipeline({ street: plugin, ...skills });
    const order: string[] = [];
    world.beforeCommit = ({ put = [] }) => void (put.some(({ table }) => table.name === 'deliveries') && order.push('stored'));
    world.request = () => {
      order.push('requested');
      return Promise.resolve({ status: 200, headers: {} });
    };
    await world.post('street', arriving('1', 'hi'));
    await expectReplies(world, 'hi');
    expect(order).toEqual(['stored', 'requested']);
  });

  it('is not asked early when the channel could reach somebody while it answers', async () => {
    const reaching: readonly Grant[] = [{ name: 'http.fetch', origins: ['https://x.example'], methods: ['POST'] }, { name: 'message.send', instances: ['desk'] }, { name: 'tool.call', tools: ['a.b/c'] }];
    for (const grant of reaching) {
      const { plugin, asked } = street([], { grants: [grant] });
      await using world = await aPipeline({ street: plugin, ...skills });
      let storedFirst = false;
      world.beforeCommit = ({ put = [] }) => void (put.some(({ table }) => table.name === 'deliveries') && (storedFirst = asked.length === 0));
      await world.post('street', arriving('1', 'hi'));
      await expectReplies(world, 'hi');
      expect(storedFirst).toBe(true);
    }
  });

  it('is left to its delivery when the channel fails, and tried there', async () => {
    let calls = 0;
    const send = () => {
      calls += 1;
      if (calls < 3) throw new Error('not now');
      return { actions: [] };
    };
    await using world = await aPipeline({ street: { kind: 'channel', handlers: { send } }, ...skills });
    await world.post('street', arriving('1', 'hi'));
    await expectReplies(world, 'hi');
    expect(calls).toBe(3);
  });

  it('keeps its place behind a reply that has still to be sent', async () => {
    const sent: string[] = [];
    const send = ({ text }: { text: string }) => ({ actions: text === 'first' ? [{ request: { method: 'POST', url: 'https://x.example/', body: text } }] : [] });
    await using world = await aPipeline({ street: { kind: 'channel', handlers: { send } }, ...skills });
    const gate = Promise.withResolvers<void>();
    world.request = async (_instance, { body = '' }) => {
      await gate.promise;
      sent.push(body);
      return { status: 200, headers: {} };
    };
    await world.post('street', arriving('1', 'first+second'));
    await world.post('street', arriving('2', 'third'));
    await eventually(async () => expect((await world.outbound('street', 'c')).map(({ text, outcome }) => [text, outcome])).toEqual([['first', 'pending'], ['second', 'pending'], ['third', 'pending']]));
    gate.resolve();
    await expectReplies(world, 'first', 'second', 'third');
    expect(sent).toEqual(['first']);
  });

  it('comes to nothing when the commit does, and the skill is asked again', async () => {
    const { plugin, asked } = street([]);
    await using world = await aPipeline({ street: plugin, ...skills });
    let failures = 0;
    world.beforeCommit = ({ remove = [] }) => {
      if (remove.some(({ table }) => table.name === 'lanes') && failures++ === 0) throw new Error('the disk is full');
    };
    await world.post('street', arriving('1', 'hi'));
    await expectReplies(world, 'hi');
    expect([asked.length, failures]).toEqual([2, 2]);
  });
});
