// «Did you mean»: the known word a misspelled one was probably meant to be. Called where keys, names and overrides are refused.

const MOST_EDITS = 2;

/** The known word at most two edits away (a swap of neighbours is one), and nearer than half its length; undefined when none is. */
export function nearestOf(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestEdits = MOST_EDITS + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestEdits) continue;
    const edits = editsBetween(word.toLowerCase(), candidate.toLowerCase());
    if (edits < bestEdits && edits * 2 < candidate.length) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Optimal string alignment distance: insert, remove, replace, swap neighbours. */
function editsBetween(left: string, right: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let edits = Math.min((previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (previous[column - 1] ?? 0) + (same ? 0 : 1));
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]) edits = Math.min(edits, (before[column - 2] ?? 0) + 1);
      current.push(edits);
    }
    before = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}
