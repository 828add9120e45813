// Replaces what rules found by asterisks, one for each visible character, and leaves white space between words standing.
import { foldWithOrigins } from './fold.ts';
import type { Span } from './word-search.ts';

/** `spans` are places in the folded form of `text`. Null when they cannot be traced back to the text itself: then it must not pass. */
export function mask(text: string, spans: readonly Span[], caseSensitive: boolean): string | null {
  const origins = foldWithOrigins(text, caseSensitive);
  if (origins === null) return null;
  const hidden = spans.map(({ start, end }) => ({ start: origins.from[start] ?? 0, end: origins.to[end - 1] ?? 0 }));
  const pieces: string[] = [];
  let done = 0;
  for (const { start, end } of merged(hidden)) {
    pieces.push(text.slice(done, start), starsFor(text.slice(start, end)));
    done = end;
  }
  return pieces.join('') + text.slice(done);
}

function merged(spans: readonly Span[]): Span[] {
  const result: { start: number; end: number }[] = [];
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
}

const starsFor = (hidden: string) => hidden.replace(/[\p{M}\p{Default_Ignorable_Code_Point}\p{Cf}]+/gu, '').replace(/\S/gu, '*');
