import { runPlugin } from '@gatehouse/plugin-sdk/testing';
import { describe, expect, it } from 'vitest';
import plugin from '../src/plugin.ts';

describe('echo', () => {
  const skill = runPlugin(plugin);

  it.each([
    ['echo hello', 'hello'],
    ['Echo  spaces  stay inside ', 'spaces  stay inside '],
    ['echo two\nlines', 'two\nlines'],
    ['echo echo', 'echo'],
  ])('answers %j with %j', async (text, reply) => {
    expect(await skill.respond({ text })).toEqual({ replies: [{ text: reply }] });
  });

  it.each(['hello', 'echo', 'echo ', 'echoes of the past', 'please echo this', 'ECHO shouting', ''])('leaves %j to other skills', async (text) => {
    expect(await skill.respond({ text })).toBeNull();
  });
});
