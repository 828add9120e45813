// Which thread an answer goes to: that of its question, unless its channel has a say in it; and a channel that fails to say costs no answer.
import { describe, expect, it } from 'vitest';
import type { Ability } from '../../schemas/abilities.ts';
import { eventually } from '../support/eventually.ts';
import { aPipeline, arriving, type StandIn } from '../support/pipeline.ts';

const echo: StandIn = { kind: 'skill', handlers: { respond: ({ message }: { message: { text: string } }) => (message.text === 'silence' ? { replies: [] } : { replies: [{ text: 'one' }, { text: 'two' }] }) } };
const WITH_THREADS: Ability[] = ['receive', 'send', 'threads'];

/** The threads of what was answered to one message, and how often the channel was asked. */
async function threadsOf(threads: ((input: { conversation: string; message: string; thread?: string }) => unknown) | undefined, { thread, text = 'hi' }: { readonly thread?: string; readonly text?: string } = {}) {
  let asked = 0;
  const handler = (input: { conversation: string; message: string; thread?: string }) => {
    asked += 1;
    return threads?.(input);
  };
  await using world = await aPipeline({ street: { kind: 'channel', abilities: threads ? WITH_THREADS : ['receive', 'send'], handlers: { threads: handler } }, echo });
  await world.post('street', { ...arriving('m1', text), ...(thread === undefined ? {} : { thread }) });
  await eventually(async () => expect((await world.everyMessage()).find(({ direction }) => direction === 'inbound')?.outcome).toBe(text === 'silence' ? 'unanswered' : 'answered'));
  return { asked, threads: (await world.outbound('street', 'c')).map((row) => row.thread) };
}

describe('an answer', () => {
  it('goes to the thread of its question when the channel has no say in it', async () => {
    expect(await threadsOf(undefined, { thread: 't1' })).toEqual({ asked: 0, threads: ['t1', 't1'] });
    expect(await threadsOf(undefined)).toEqual({ asked: 0, threads: [undefined, undefined] });
  });

  it('goes where the channel says, which is asked once for all replies', async () => {
    expect(await threadsOf(({ conversation, message, thread }) => ({ thread: `${conversation}/${message}/${thread}` }), { thread: 't1' })).toEqual({ asked: 1, threads: ['c/m1/t1', 'c/m1/t1'] });
  });

  it('leaves the thread when the channel says so', async () => {
    expect(await threadsOf(() => ({ thread: null }), { thread: 't1' })).toEqual({ asked: 1, threads: [undefined, undefined] });
  });

  it.each<[string, () => unknown]>([
    ['throws', () => Promise.reject(new Error('no idea'))],
    ['answers nonsense', () => ({ thread: '' })],
  ])('goes to the thread of its question when the channel %s', async (_, threads) => {
    expect(await threadsOf(threads, { thread: 't1' })).toEqual({ asked: 1, threads: ['t1', 't1'] });
  });

  it('that is silence asks nobody', async () => {
    expect(await threadsOf(() => ({ thread: 't2' }), { text: 'silence' })).toEqual({ asked: 0, threads: [] });
  });
});

describe('a skill that says that no other try will do better', () => {
  it('is asked once', async () => {
    let asked = 0;
    const stubborn: StandIn = { kind: 'skill', handlers: { respond: () => { asked += 1; throw Object.assign(new Error('never'), { retry: false }); } } };
    await using world = await aPipeline({ street: { kind: 'channel' }, stubborn });
    await world.post('street', arriving('m1', 'hi'));
    await eventually(async () => expect((await world.everyMessage())[0]?.outcome).toBe('dead-lettered'));
    expect(asked).toBe(1);
  });
});
