// Exports as tests write them: lines put together anew, with the counts and the digest that belong to them.
import { createHash } from 'node:crypto';
import type { ImportSource } from '../../host/backup/import-export.ts';

export type Line = Record<string, unknown>;

export const linesOf = (text: string): Line[] => text.trimEnd().split('\n').map((line) => JSON.parse(line) as Line);

/** The records alone: the first line tells the time, and the digest in the last covers it. */
export const recordsOf = (text: string): string[] => text.trimEnd().split('\n').slice(1, -1);

/** A whole export of these lines, whatever they say; a text stands as it is. */
export function written(first: Line, records: readonly (Line | string)[], last: Line = {}): string {
  const before = [first, ...records].map((each) => `${typeof each === 'string' ? each : JSON.stringify(each)}\n`).join('');
  const counts: Record<string, number> = {};
  for (const each of records) if (typeof each !== 'string') counts[String(each['kind'])] = (counts[String(each['kind'])] ?? 0) + 1;
  return `${before}${JSON.stringify({ end: { counts, inWork: 0, sha256: createHash('sha256').update(before).digest('hex'), ...last } })}\n`;
}

export const sourceOf = (text: string | Uint8Array, nowMs = Date.now()): ImportSource => ({
  file: 'some.ndjson',
  nowMs,
  async *chunks() {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 262_144) yield bytes.subarray(at, at + 262_144);
  },
});
