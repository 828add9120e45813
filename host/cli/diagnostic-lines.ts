// Findings as lines for people. Called by `check`, `start`, `plugins show` and `plugins reload`.
import type { Diagnostic } from '../../schemas/control.ts';
import { plain, plainLine, type Io } from './io.ts';

/** Every finding with its place and its remedy. */
export function diagnosticLines(io: Io, diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map(({ code, severity, instance, manifest, message, fix }) => {
      const mark = severity === 'fatal' ? io.tone('red', 'fatal   ') : severity === 'degraded' ? io.tone('yellow', 'degraded') : io.tone('dim', 'warning ');
      const place = [instance, manifest].filter((part) => part !== undefined).join(', ');
      return `${mark}  ${code}${place === '' ? '' : ` (${plainLine(place, 300)})`}\n          ${plain(message)}\n          ${io.tone('dim', plain(fix))}`;
    })
    .join('\n');
}
