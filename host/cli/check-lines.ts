// The checks of a verification as lines for people: one each, those left out for one reason together. Called by `verify` and `inspect`.
import type { Check } from '../trust/checks.ts';
import { plainLine, type Io } from './io.ts';

export function checkLines(io: Io, checks: readonly Check[]): string[] {
  const width = Math.max(...checks.filter(({ ok }) => ok !== null).map(({ name }) => name.length));
  const done = checks.filter(({ ok }) => ok !== null).map(({ name, ok, detail }) => `${ok === true ? io.tone('green', '✓') : io.tone('red', '✗')} ${name.padEnd(width)}  ${plainLine(detail, 200)}`);
  const skipped = Map.groupBy(checks.filter(({ ok }) => ok === null), ({ detail }) => detail);
  return [...done, ...[...skipped].map(([why, group]) => io.tone('dim', `– ${group.map(({ name }) => name).join(', ')}: ${plainLine(why, 200)}`))];
}
