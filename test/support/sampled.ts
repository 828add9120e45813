// Many cases of one kind that each take seconds: a run tries some of them, others each time. `GATEHOUSE_TEST_CASES=all` tries all.
import { randomInt } from 'node:crypto';

const ALL = process.env['GATEHOUSE_TEST_CASES'] === 'all';

/** Says of each place in a list whether this run tries it: one place in `parts`, another one each time. Cases of a table pass the sum of their row and column, so that every row and every column is tried. */
export function sampler(parts: number): (place: number) => boolean {
  const shift = randomInt(parts);
  return (place) => ALL || place % parts === shift;
}
