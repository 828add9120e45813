// Where a rebuilt package and the signed one part, for people. Called by `verify --rebuild`.
import type { Rebuild } from '../authoring/rebuild.ts';
import { plainLine, type Io } from './io.ts';

const SHOWN = 10;

export function differenceLines(io: Io, { differences }: Rebuild): string[] {
  if (differences.length === 0) return [];
  const shown = differences.slice(0, SHOWN).flatMap(({ name, package: signed, rebuilt, first }) => {
    const title = `${plainLine(name)}: ${signed === null ? 'only the source makes it' : rebuilt === null ? 'only the package has it' : `first different at line ${first?.line}`}`;
    return [io.tone('red', title), ...(first ? [`  package  ${plainLine(first.package, 200)}`, `  rebuilt  ${plainLine(first.rebuilt, 200)}`] : [])];
  });
  const rest = differences.length - SHOWN;
  return ['', io.tone('bold', 'What differs'), ...shown, ...(rest > 0 ? [`and ${rest} more files`] : [])];
}
