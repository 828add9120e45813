// Tables on terminals that are too narrow: what gives way, and what does not.
import { describe, expect, it } from 'vitest';
import { columnsOf, cutTo, fitted } from '../../host/cli/fit.ts';

const MESSAGES = [{ name: 'id', width: 36 }, { name: 'at', width: 24 }, { name: 'direction', width: 9 }, { name: 'outcome', width: 8 }, { name: 'sender', width: 60 }];

describe('a table that is too wide', () => {
  it('takes from its widest column first, and no more than it must', () => {
    expect(fitted(MESSAGES, 120)).toEqual([36, 24, 9, 8, 35]);
  });

  it('leaves out its last columns when all the others tell next to nothing', () => {
    expect(fitted(MESSAGES, 80)).toEqual([36, 9, 9, 8, 10]);
    expect(fitted(MESSAGES, 60)).toEqual([36, 11, 9, 0, 0]);
    expect(fitted(MESSAGES, 40)).toEqual([36, 0, 0, 0, 0]);
  });

  it('cuts what the next command is given only where it alone is too wide', () => {
    expect(fitted(MESSAGES, 20)).toEqual([20, 0, 0, 0, 0]);
    expect(fitted([{ name: 'at', width: 24 }, { name: 'hash', width: 71 }], 80)).toEqual([0, 71]);
    expect(fitted([{ name: 'instance', width: 20 }, { name: 'reason', width: 90 }], 40)).toEqual([20, 18]);
  });

  it('never comes out wider than the terminal, whatever its columns', () => {
    for (let room = 1; room <= 160; room += 1) {
      const shown = fitted(MESSAGES, room).filter((width) => width > 0);
      expect(shown.reduce((sum, width) => sum + width + 2, -2)).toBeLessThanOrEqual(room);
    }
  });
});

describe('a text that is cut', () => {
  it.each([
    ['whole', 5, 'whole'],
    ['a sentence', 6, 'a sen…'],
    ['漢字かな', 5, '漢字…'],
    ['👩‍👩‍👧 family', 4, '👩‍👩‍👧 …'],
    ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
  ])('%s fits %d columns, and no letter of it is halved', (text, width, cut) => {
    expect(cutTo(text, width)).toBe(cut);
    expect(columnsOf(cut)).toBeLessThanOrEqual(width);
  });
});
