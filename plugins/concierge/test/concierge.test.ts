import { runPlugin, type TestOptions } from '@gatehouse/plugin-sdk/testing';
import { describe, expect, it } from 'vitest';
import plugin from '../src/plugin.ts';

const clock: TestOptions = {
  tools: {
    'gatehouse.clock/now': (args) => {
      const zone = JSON.stringify(args).slice('{"zone":"'.length, -'"}'.length);
      if (zone === 'Berlim') throw new Error("There is no time zone 'Berlim'.");
      return { zone, local: 'Saturday, 21 November 2026, 09:00', iso: '2026-11-21T09:00:00.000+01:00', offset: '+01:00' };
    },
    'gatehouse.clock/zones': () => ({ zones: ['Europe/Berlin', 'Europe/Dublin'] }),
  },
};

const answer = async (text: string, options: TestOptions = clock) => (await runPlugin(plugin, options).respond({ text, ...commandIn(text) }))?.replies.map((reply) => reply.text).join('|');

/** As the host reads commands, for the few that are written here. */
function commandIn(text: string) {
  const [, name, argument = ''] = /^\/([a-z]+)(?: (.*))?$/.exec(text) ?? [];
  return name === undefined ? {} : { command: { name, arguments: argument } };
}

describe('commands', () => {
  it('greets with what it can do', async () => {
    expect(await answer('/start')).toContain('/time <zone> tells the time');
  });

  it('tells the time by way of the clock tool', async () => {
    expect(await answer('/time Europe/Berlin')).toBe('Saturday, 21 November 2026, 09:00 in Europe/Berlin (UTC+01:00)');
    expect(await answer('/time')).toContain('in UTC');
  });

  it('offers the nearest zones when there is none of that name', async () => {
    expect(await answer('/time Berlim')).toBe('I know no time zone “Berlim”. Perhaps one of these: Europe/Berlin, Europe/Dublin');
    expect(await answer(`/time ${'x'.repeat(65)}`)).toContain('no time zone I could look up');
  });

  it('says so when there is no clock, and logs why', async () => {
    const skill = runPlugin(plugin);
    expect(await skill.respond({ text: '/time UTC', command: { name: 'time', arguments: 'UTC' } })).toMatchObject({ replies: [{ text: expect.stringContaining('I have no clock here') }] });
    expect(skill.logs).toEqual([{ level: 'warn', text: 'the clock cannot be read', fields: { code: 'CAPABILITY_DENIED' } }]);
  });

  it('says of others that it does not know them, and points to /help', async () => {
    expect(await answer('/dance now')).toBe('I do not know /dance. Send /help for what there is.');
  });

  it.each(['/', '//time', '/usr/bin'])('takes %j, which is no command, as a message', async (text) => {
    expect(await answer(text)).toContain(`You said “${text}”.`);
  });
});

describe('anything else', () => {
  it('is answered with the way the message took', async () => {
    const stages = [
      { stage: 'verify', decision: 'pass', durationMs: 0.04 },
      { stage: 'gate', instance: 'wordlist', decision: 'modify', reason: 'one passage masked', durationMs: 1.26 },
      { stage: 'gate', instance: 'other', decision: 'pass', durationMs: 1 },
      { stage: 'moderate', decision: 'pass', durationMs: 2.4 },
      { stage: 'accept', decision: 'pass', durationMs: 12.4 },
    ];
    const skill = runPlugin(plugin, clock);
    const result = await skill.respond({ text: '****\nit', stages, flags: ['mild'] }, { messages: 3 });
    expect(result?.replies).toEqual([
      {
        text: [
          'You said “**** it”. On its way to me the message passed through:',
          '• verify: pass, 0.0 ms',
          '• moderate: pass, 2.4 ms',
          '   ◦ wordlist: modify (one passage masked), 1.3 ms',
          '   ◦ other: pass, 1.0 ms',
          '• accept: pass, 12 ms',
          '',
          'All that took 15 ms, and the message is safe on disk. It is number 3 of this conversation. It carries the flag mild.',
          'Send /help to see what I can do.',
        ].join('\n'),
      },
    ]);
  });

  it('quotes the beginning of a long message, by whole characters', async () => {
    expect(await answer('🙂'.repeat(200))).toContain(`“${'🙂'.repeat(80)}…”`);
    expect(await answer('   ')).toContain('You said nothing.');
  });

  it('is answered even at full length', async () => {
    const text = await answer('x '.repeat(32 * 1024));
    expect(text?.length).toBeLessThan(1000);
  });
});
