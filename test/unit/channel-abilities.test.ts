// A channel asked for one of its abilities: what the host answers in its place, what comes of each way to fail, and the author's side of the same table.
import { describe, expect, it } from 'vitest';
import { Value } from 'typebox/value';
import { askChannel, type AbilityAnswer } from '../../host/pipeline/channel-calls.ts';
import { failureClassOf, type CallFailure } from '../../host/sandbox/sandbox.ts';
import { defineChannel } from '../../plugin-sdk/index.ts';
import { runPlugin } from '../../plugin-sdk/testing.ts';
import { ABILITIES, OPTIONAL_ABILITIES, type OptionalAbility } from '../../schemas/abilities.ts';
import { CHANNEL_HANDLERS, type HandlerInput } from '../../schemas/channel.ts';
import { aPipeline, type StandIn } from '../support/pipeline.ts';

/** One input of each handler, as the host would hand it over. */
const INPUTS: { readonly [A in OptionalAbility]: HandlerInput<A> } = {
  start: {},
  stop: {},
  health: {},
  verify: { kind: 'http', method: 'POST', path: '/in', params: {}, query: {}, headers: {}, body: '' },
  sanitize: { text: 'a < b' },
  media: { conversation: 'c', media: { kind: 'image', url: 'https://files.example/1' } },
  edit: { id: 'd1', conversation: 'c', text: 'changed', attempt: 1 },
  react: { conversation: 'c', message: 'm1', emoji: '👍', remove: false, attempt: 1 },
  typing: { conversation: 'c', on: true },
  stream: { id: 'd1', conversation: 'c', inReplyTo: null, text: 'so f', delta: 'f', sequence: 1, done: false },
  threads: { conversation: 'c', message: 'm1', thread: 't1' },
  mentions: { conversation: 'c', sender: { id: 'ada' }, text: 'hi', mentions: [] },
  commands: { commands: [{ name: 'help', description: 'Says what there is.' }] },
  directory: { kind: 'person', text: 'ad', limit: 10 },
  lookup: { id: 'd1', conversation: 'c', text: 'hello', at: '2026-11-21T08:00:00.000Z' },
};

const channelOf = (can: boolean) => ({ instance: 'street', can: () => can });
const street = (handlers: StandIn['handlers'] = {}): Record<string, StandIn> => ({ street: { kind: 'channel', abilities: [...ABILITIES], handlers } });

async function ask<A extends OptionalAbility>(handlers: StandIn['handlers'], ability: A, input: HandlerInput<A>): Promise<AbilityAnswer<A>> {
  await using world = await aPipeline(street(handlers));
  const answer = await askChannel(world.calls, channelOf(true), ability, input, { attemptKey: 'a' });
  if (answer.ok && answer.by === 'channel') answer.scope.release();
  return answer;
}

describe('an ability', () => {
  it.each(OPTIONAL_ABILITIES)('%s has inputs and answers of a closed shape, and an answer of the host that fits it', async (ability) => {
    const { input, output } = CHANNEL_HANDLERS[ability];
    expect(Value.Check(input, INPUTS[ability])).toBe(true);
    expect(Value.Check(input, { ...INPUTS[ability], surprise: 1 })).toBe(false);
    await using world = await aPipeline(street());
    const answer = await askChannel(world.calls, channelOf(false), ability, INPUTS[ability], { attemptKey: 'a' });
    expect(answer).toMatchObject({ ok: true, by: 'host' });
    expect(answer.ok && Value.Check(output, answer.value)).toBe(true);
    const again = await askChannel(world.calls, channelOf(false), ability, INPUTS[ability], { attemptKey: 'b' });
    expect(again).toEqual(answer);
  });

  it('of the channel is asked, and its answer taken', async () => {
    expect(await ask({ threads: ({ message }: { message: string }) => ({ thread: `under ${message}` }) }, 'threads', INPUTS.threads)).toMatchObject({ ok: true, by: 'channel', value: { thread: 'under m1' } });
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['another shape', { thread: 7 }],
    ['more than was asked', { thread: 't', also: 'this' }],
    ['more than fits', { thread: 'x'.repeat(257) }],
  ])('that answers %s has failed for good, and keeps nothing it wrote', async (_, value) => {
    expect(await ask({ threads: () => value }, 'threads', INPUTS.threads)).toMatchObject({ ok: false, failure: 'terminal', code: 'RESULT_INVALID', problem: expect.stringContaining("'threads' of 'street'") as string });
  });

  it('that throws has failed for now', async () => {
    expect(await ask({ edit: () => Promise.reject(new Error('line is down')) }, 'edit', INPUTS.edit)).toMatchObject({ ok: false, failure: 'retry', away: false, problem: 'line is down' });
  });
});

describe('a failure of a handler', () => {
  it.each<[CallFailure, boolean, string]>([
    ['CALL_FAILED', false, 'retry'],
    ['CALL_TIMEOUT', true, 'retry'],
    ['CALL_TIMEOUT', false, 'crash'],
    ['CALL_CPU', false, 'crash'],
    ['CALL_CANCELLED', true, 'retry'],
    ['RESULT_TOO_LARGE', false, 'terminal'],
    ['SANDBOX_DIED', true, 'retry'],
    ['SANDBOX_DIED', false, 'crash'],
    ['SANDBOX_FRAME', false, 'crash'],
    ['INSTANCE_UNAVAILABLE', true, 'retry'],
    ['INSTANCE_BUSY', true, 'retry'],
    ['PLUGIN_HANDLER_MISSING', false, 'terminal'],
  ])('with %s (again: %s) is of class %s', (code, retry, expected) => {
    expect(failureClassOf({ code, retry })).toBe(expected);
  });

  it('with an error that says so is terminal', () => {
    expect(failureClassOf({ code: 'CALL_FAILED', retry: false, terminal: true })).toBe('terminal');
  });
});

describe('defineChannel', () => {
  const both = { receive: () => ({}), send: () => ({ actions: [] }) };

  it('registers receive and send alone when that is all there is', () => {
    expect(Object.keys(defineChannel(both).handlers)).toEqual(['receive', 'send']);
  });

  it('registers each handler that is there, and nothing else the author keeps beside them', () => {
    const extra = { ...both, helper: () => 1, typing: () => ({ actions: [] }), stop: () => undefined };
    expect(Object.keys(defineChannel(extra).handlers)).toEqual(['receive', 'send', 'stop', 'typing']);
  });

  it('lets a test ask for each handler, and refuses what has the wrong shape', async () => {
    const channel = runPlugin(defineChannel({ ...both, stop: () => undefined, sanitize: ({ text }) => ({ text: text.replaceAll('<', '&lt;') }), health: () => ({ ok: true, mood: 'fine' }) }));
    expect(await channel.ask('sanitize', INPUTS.sanitize)).toEqual({ text: 'a &lt; b' });
    expect(await channel.ask('stop', {})).toBeNull();
    await expect(channel.ask('health', {})).rejects.toMatchObject({ code: 'RESULT_INVALID' });
    await expect(channel.ask('typing', INPUTS.typing)).rejects.toMatchObject({ code: 'PLUGIN_HANDLER_MISSING' });
  });
});
