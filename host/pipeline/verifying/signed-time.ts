// When a request says it was signed, and whether that is near enough. Called by the verify stage, before the signature that covers it is checked.
import type { SignedTime } from '../../../schemas/ingress.ts';
import { proofsIn } from './proofs.ts';

export type TimeOf =
  | { readonly ok: true; readonly text: string; readonly atMs: number }
  | { readonly ok: false; readonly cause: 'time-missing' | 'time-malformed' | 'time-outside' };

/** One time and no other: of two, host and sender might mean different ones. */
export function signedTimeOf(headers: Readonly<Record<string, string>>, declared: SignedTime, nowMs: number): TimeOf {
  const found = proofsIn(headers, declared);
  if (!found.ok) return { ok: false, cause: found.cause === 'header-missing' ? 'time-missing' : 'time-malformed' };
  const [text = ''] = found.texts;
  const atMs = found.texts.length === 1 ? readTime(text, declared.format ?? 'seconds') : undefined;
  if (atMs === undefined) return { ok: false, cause: 'time-malformed' };
  return Math.abs(nowMs - atMs) <= declared.toleranceSeconds * 1000 ? { ok: true, text, atMs } : { ok: false, cause: 'time-outside' };
}

function readTime(text: string, format: NonNullable<SignedTime['format']>): number | undefined {
  if (format !== 'rfc3339') return /^\d{1,15}$/.test(text) ? Number(text) * (format === 'seconds' ? 1000 : 1) : undefined;
  // Nanoseconds are written by some; a Date has milliseconds.
  const [, upToSeconds, fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? [];
  const atMs = upToSeconds === undefined ? Number.NaN : Date.parse(`${upToSeconds}.${fraction.padEnd(3, '0').slice(0, 3)}Z`);
  return Number.isNaN(atMs) ? undefined : atMs;
}
