// Cases of test/fixtures/queue-modes/: what waits in a lane, given to the shaping; conformance.test.ts runs them.
import { shape, type Entry } from '../../host/pipeline/lanes/shaping.ts';
import type { QueueMode } from '../../schemas/policy.ts';

/** Long texts are written as `{ "repeat": "x", "times": 10 }`, and come back as their size; an entry with `"times"` is so many of the same. */
export function shaped({ mode, entries }: { readonly mode: QueueMode; readonly entries: readonly LongEntry[] }): unknown {
  const written = entries.flatMap((entry) => Array.from({ length: entry.times ?? 1 }, () => entry));
  const group = shape(written.map(({ where = 'c', text, ...entry }): Entry => ({ ...entry, where, text: typeof text === 'string' ? text : text.repeat.repeat(text.times) })), mode);
  return group && { ...group, text: group.text.length > 5000 ? `${Buffer.byteLength(group.text)} bytes` : group.text };
}

type LongEntry = Omit<Entry, 'text' | 'where'> & { readonly where?: string; readonly text: string | { readonly repeat: string; readonly times: number }; readonly times?: number };
