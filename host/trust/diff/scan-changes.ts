// What the scanner finds in one release and not in the other, by what their bytes say. Called by diff.ts.
import type { ReleaseDiff } from '../../../schemas/release-diff.ts';
import type { ScanFinding } from '../../../schemas/scan.ts';

/** Null where one of them was not scanned. Lines move with every edit, so they do not count. */
export function scanChanges(before: readonly ScanFinding[] | undefined, after: readonly ScanFinding[] | undefined): ReleaseDiff['scan'] {
  if (!before || !after) return null;
  return { before: outcomeOf(before), after: outcomeOf(after), added: minus(after, before), removed: minus(before, after) };
}

/** New ones that keep a release from simply running, the worst first. */
export function newConcerns(scan: ReleaseDiff['scan']): ScanFinding[] {
  return (scan?.added ?? []).filter(({ outcome }) => outcome !== 'note').toSorted((a, b) => Number(b.outcome === 'block') - Number(a.outcome === 'block'));
}

/** Counted: a sixth place where a script does what it did in five is one more. */
function minus(some: readonly ScanFinding[], others: readonly ScanFinding[]): ScanFinding[] {
  const known = new Map([...Map.groupBy(others, faceOf)].map(([face, { length }]) => [face, length]));
  return some.filter((each) => {
    const left = known.get(faceOf(each)) ?? 0;
    if (left > 0) known.set(faceOf(each), left - 1);
    return left === 0;
  });
}

const faceOf = ({ rule, outcome, file, message }: ScanFinding) => JSON.stringify([rule, outcome, file, message]);

function outcomeOf(findings: readonly ScanFinding[]): 'pass' | 'warn' | 'block' {
  const has = (outcome: ScanFinding['outcome']) => findings.some((each) => each.outcome === outcome);
  return has('block') ? 'block' : has('warn') ? 'warn' : 'pass';
}
