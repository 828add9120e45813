// The line that says how far long work has come: how often, how wide, and that nothing of it stays. On real terminals: test/scenario/terminal.test.ts.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { progress, watched } from '../../host/cli/progress.ts';
import { aHandClock } from '../support/hand-clock.ts';

const CLEAR = '\r\u001b[K';

function aTerminal(columns = 80) {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns });
  const clock = aHandClock();
  return { clock, shown: () => String(stream.read() ?? ''), aLine: () => progress('Checking', { stream, env: {}, clock, isWanted: true }) };
}

describe('progress', () => {
  it('is shown ten times a second at most, however often it is told', () => {
    const { clock, shown, aLine } = aTerminal();
    using line = aLine();
    for (let ms = 0; ms < 1000; ms += 1) {
      line.at(ms * 1000, 1_000_000);
      clock.turn(1);
    }
    const lines = shown().split(CLEAR).slice(1);
    expect(lines).toHaveLength(10);
    expect(lines.slice(0, 2)).toEqual(['Checking: 0 bytes of 1.0 MB (0 %)', 'Checking: 100.0 kB of 1.0 MB (10 %)']);
  });

  it('fits the terminal, and stays off its last column', () => {
    const { shown, aLine } = aTerminal(20);
    using line = aLine();
    line.at(123_456_789, 999_999_999);
    expect(shown()).toBe(`${CLEAR}Checking: 123.5 MB `);
  });

  it('does not believe a total that turned out too small', () => {
    const { shown, aLine } = aTerminal();
    using line = aLine();
    line.at(2_000_000, 1_000_000);
    expect(shown()).toBe(`${CLEAR}Checking: 2.0 MB`);
  });

  it('is taken back when what it watched ends, also when it breaks, and writes nothing when nothing was shown', async () => {
    const { shown, aLine } = aTerminal();
    const broken = watched((async function* () {
      yield Buffer.from('one');
      throw new Error('gone');
    })(), aLine());
    await expect((async () => {
      for await (const _chunk of broken);
    })()).rejects.toThrow('gone');
    expect(shown()).toBe(`${CLEAR}Checking: 3 bytes${CLEAR}`);
    aLine()[Symbol.dispose]();
    expect(shown()).toBe('');
  });
});
