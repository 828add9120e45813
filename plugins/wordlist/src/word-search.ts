// Finds many fixed texts in one pass (Aho and Corasick, "Efficient string matching", 1975): time grows with the message, whatever the rules are.

/** Where a text was found: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Found {
  /** Indices of the texts that occur, each once. */
  readonly texts: ReadonlySet<number>;
  /** For texts that ask for spans: the longest one ending at each position. */
  readonly spans: readonly Span[];
}

export interface WordSearch {
  search(text: string): Found;
}

/** A state is the longest beginning of any text that the input ends with; state 0 is none. */
interface States {
  /** `state * 65536 + UTF-16 unit` → state. */
  readonly next: Map<number, number>;
  /** The state of the longest proper ending that is a beginning too. */
  readonly fallback: number[];
  /** Indices of the texts that end here. */
  readonly ends: (number[] | undefined)[];
  /** The nearest state along the fallbacks, itself included, where a text ends; 0 when there is none. */
  readonly reporting: number[];
  /** Length of the longest text with spans that ends here. */
  readonly spanLength: number[];
}

const UNITS = 65_536;

/** `texts` must not be empty strings. */
export function compileSearch(texts: readonly { readonly text: string; readonly spans: boolean }[]): WordSearch {
  const states = statesFor(texts);
  const { next, fallback, ends, reporting, spanLength } = states;
  // Most units of most messages begin nothing; a look into this costs less than one into a Map.
  const begins = new Uint8Array(UNITS);
  for (const { text } of texts) begins[text.charCodeAt(0)] = 1;

  return {
    search(text) {
      const found = new Set<number>();
      const spans: Span[] = [];
      if (texts.length === 0) return { texts: found, spans };
      const reported = new Uint8Array(fallback.length);
      let state = 0;
      for (let index = 0; index < text.length; index++) {
        const unit = text.charCodeAt(index);
        if (state === 0 && begins[unit] === 0) continue;
        let follower = next.get(state * UNITS + unit);
        while (follower === undefined && state !== 0) {
          state = fallback[state] ?? 0;
          follower = next.get(state * UNITS + unit);
        }
        state = follower ?? 0;
        // What a state reports it reports once: its endings have been reported with it.
        for (let at = reporting[state] ?? 0; at !== 0 && reported[at] === 0; at = reporting[fallback[at] ?? 0] ?? 0) {
          reported[at] = 1;
          for (const each of ends[at] ?? []) found.add(each);
        }
        const length = spanLength[state] ?? 0;
        if (length > 0) spans.push({ start: index + 1 - length, end: index + 1 });
      }
      return { texts: found, spans };
    },
  };
}

function statesFor(texts: readonly { readonly text: string; readonly spans: boolean }[]): States {
  const states: States = { next: new Map(), fallback: [0], ends: [undefined], reporting: [0], spanLength: [0] };
  const { next, fallback, ends, reporting, spanLength } = states;
  for (const [index, { text, spans }] of texts.entries()) {
    let state = 0;
    for (let unit = 0; unit < text.length; unit++) {
      const key = state * UNITS + text.charCodeAt(unit);
      let follower = next.get(key);
      if (follower === undefined) {
        follower = fallback.push(0) - 1;
        ends.push(undefined);
        reporting.push(0);
        spanLength.push(0);
        next.set(key, follower);
      }
      state = follower;
    }
    (ends[state] ??= []).push(index);
    if (spans) spanLength[state] = text.length;
  }
  // Shorter beginnings come first, so that a state's fallback is complete when the state is reached.
  let level = [0];
  const children = childrenOf(next);
  while (level.length > 0) {
    const below: number[] = [];
    for (const parent of level) {
      for (const { unit, state } of children.get(parent) ?? []) {
        let candidate = parent;
        let follower: number | undefined;
        while (candidate !== 0 && follower === undefined) {
          candidate = fallback[candidate] ?? 0;
          follower = next.get(candidate * UNITS + unit);
        }
        fallback[state] = follower ?? 0;
        reporting[state] = ends[state] ? state : (reporting[fallback[state]] ?? 0);
        spanLength[state] = Math.max(spanLength[state] ?? 0, spanLength[fallback[state]] ?? 0);
        below.push(state);
      }
    }
    level = below;
  }
  return states;
}

function childrenOf(next: ReadonlyMap<number, number>): Map<number, { readonly unit: number; readonly state: number }[]> {
  const children = new Map<number, { unit: number; state: number }[]>();
  for (const [key, state] of next) {
    const parent = Math.floor(key / UNITS);
    const siblings = children.get(parent) ?? [];
    siblings.push({ unit: key % UNITS, state });
    children.set(parent, siblings);
  }
  return children;
}
