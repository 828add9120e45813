// Which lines of a block are not the entries that were signed: edited, missing, moved, inserted. verify-export.ts asks once it knows the leaves that must be there.
import type { AuditFault } from '../../../schemas/audit.ts';

export interface EntryLine {
  readonly number: number;
  /** Hex of its leaf hash. */
  readonly leaf: string;
}

/**
 * Walks lines and leaves side by side. A line whose leaf is not expected here was moved, if the expected one comes later, or stands where entries are missing; a line
 * that is no leaf of the block takes the place of a missing entry (edited), or of none (inserted). `first` is the index of the first leaf.
 */
export function faultsOf(lines: readonly EntryLine[], leaves: readonly string[], first: number): AuditFault[] {
  const faults: AuditFault[] = [];
  const places = new Map(leaves.map((leaf, at) => [leaf, at]));
  /** How often each leaf is still to come among the lines. */
  const ahead = new Map<string, number>();
  for (const { leaf } of lines) ahead.set(leaf, (ahead.get(leaf) ?? 0) + 1);
  const isAhead = (at: number) => (ahead.get(leaves[at] ?? '') ?? 0) > 0;
  const moved = new Set<number>();
  let place = 0;
  const passMoved = () => {
    while (moved.has(place)) place += 1;
  };
  /** What is not ahead any more before `end` is missing. */
  const passMissing = (end: number) => {
    while (place < end && (moved.has(place) || !isAhead(place))) {
      if (!moved.has(place)) faults.push({ kind: 'missing', from: first + place, to: first + place, message: `entry ${first + place} is missing` });
      place += 1;
    }
  };
  for (const { number, leaf } of lines) {
    passMoved();
    ahead.set(leaf, (ahead.get(leaf) ?? 1) - 1);
    const own = places.get(leaf);
    if (own !== undefined) passMissing(own);
    const entry = first + place;
    if (own === place) place += 1;
    else if (own !== undefined && own > place) {
      moved.add(own);
      faults.push({ kind: 'moved', line: number, from: first + own, to: first + own, message: `line ${number} is entry ${first + own}, and entry ${entry} belongs there` });
    } else if (own !== undefined) faults.push({ kind: 'inserted', line: number, message: `line ${number} repeats entry ${first + own}` });
    else if (place < leaves.length && !isAhead(place)) {
      faults.push({ kind: 'edited', line: number, from: entry, to: entry, message: `line ${number} is not entry ${entry} as it was written` });
      place += 1;
    } else faults.push({ kind: 'inserted', line: number, message: `line ${number} is no entry of this log` });
  }
  passMissing(leaves.length);
  return joined(faults);
}

/** Runs of missing entries as one fault. */
function joined(faults: readonly AuditFault[]): AuditFault[] {
  const result: AuditFault[] = [];
  for (const fault of faults) {
    const last = result.at(-1);
    if (fault.kind === 'missing' && last?.kind === 'missing' && last.to !== undefined && last.to + 1 === fault.from) {
      result[result.length - 1] = { ...last, to: fault.from, message: `entries ${last.from} to ${fault.from} are missing` };
    } else result.push(fault);
  }
  return result;
}
