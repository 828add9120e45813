// Whose turn it is: parties by their weight, members within one, and nothing held back.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairTurns } from '../../host/store/fair-turns.ts';

function drain<T>(turns: FairTurns<T>): T[] {
  const out: T[] = [];
  for (let next = turns.shift(); next !== undefined; next = turns.shift()) out.push(next);
  return out;
}

describe('fair turns', () => {
  it('are first in, first out among equals', () => {
    const turns = new FairTurns<number>();
    for (const n of [1, 2, 3]) turns.push(n);
    expect(drain(turns)).toEqual([1, 2, 3]);
  });

  it('go round between parties, however much one of them brings', () => {
    const turns = new FairTurns<string>();
    for (let n = 0; n < 100; n += 1) turns.push(`flood ${n}`, 'flood');
    turns.push('quiet 0', 'quiet');
    turns.push('quiet 1', 'quiet');
    expect(drain(turns).slice(0, 5)).toEqual(['flood 0', 'quiet 0', 'flood 1', 'quiet 1', 'flood 2']);
  });

  it('go round between the members of a party', () => {
    const turns = new FairTurns<string>();
    for (let n = 0; n < 100; n += 1) turns.push(`mallory ${n}`, 'web', 'mallory');
    turns.push('ada', 'web', 'ada');
    expect(drain(turns).indexOf('ada')).toBe(1);
  });

  it('come as often as a party has weight', () => {
    const turns = new FairTurns<string>((party) => (party === 'heavy' ? 3 : 1));
    for (let n = 0; n < 6; n += 1) {
      turns.push('h', 'heavy');
      turns.push('l', 'light');
    }
    expect(drain(turns).join('')).toBe('hhhlhhhlllll'.slice(0, 12));
  });

  it('take a weight that is none for one', () => {
    const turns = new FairTurns<string>(() => 0);
    turns.push('a', 'a');
    turns.push('b', 'b');
    expect(drain(turns)).toEqual(['a', 'b']);
  });

  it('lose and double nothing, and keep the order of each member', () => {
    const push = fc.record({ party: fc.constantFrom('a', 'b', 'c'), member: fc.constantFrom('x', 'y'), shifts: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(push, { maxLength: 200 }), (steps) => {
        const turns = new FairTurns<{ readonly from: string; readonly n: number }>();
        const out: { readonly from: string; readonly n: number }[] = [];
        steps.forEach(({ party, member, shifts }, n) => {
          turns.push({ from: `${party}${member}`, n }, party, member);
          for (let left = shifts; left > 0; left -= 1) {
            const item = turns.shift();
            if (item) out.push(item);
          }
        });
        out.push(...drain(turns));
        expect(out.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(steps.map((_, n) => n));
        for (const from of new Set(out.map((each) => each.from))) {
          const own = out.filter((each) => each.from === from).map(({ n }) => n);
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
        expect(turns.size).toBe(0);
      }),
    );
  });
});
