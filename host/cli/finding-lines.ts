// What the scanner found, in one form wherever people read it. Called by `scan`, `verify`, `inspect` and `plugins enable`.
import type { ScanFinding } from '../../schemas/scan.ts';
import { plainLine, type Io, type Tone } from './io.ts';
import { wrapped } from './wrap.ts';

export const SCAN_TONES = { note: 'dim', warn: 'yellow', block: 'red' } as const satisfies Record<ScanFinding['outcome'], Tone>;

/** What it is and where, and what to do about it unless it is only worth knowing; `brief` leaves notes out. */
export function findingLines(io: Io, findings: readonly ScanFinding[], { brief = false }: { readonly brief?: boolean } = {}): string[] {
  const shown = brief ? findings.filter(({ outcome }) => outcome !== 'note') : findings;
  return shown.flatMap(({ rule, outcome, risk, file, line, column, message, fix }) => {
    const place = [file, line, column].filter((part) => part !== undefined).join(':');
    const head = `• ${outcome} ${rule}${risk === 'none' ? '' : ` (${risk})`} in ${place}: ${message}`;
    return [
      ...wrapped(plainLine(head, 700), io.width, 2).map((each) => io.tone(SCAN_TONES[outcome], each)),
      ...(outcome === 'note' ? [] : wrapped(plainLine(fix, 500), io.width - 2, 0).map((each) => `  ${each}`)),
    ];
  });
}
