// A store as lines of JSON that another host can take in: what `gatehouse export` and the API's export route send. import-export.ts reads them again.
import { createHash } from 'node:crypto';
import { DATA_EXPORT, EXPORT_PARTS, type ExportFirstLine, type ExportKindName, type ExportLastLine, type ExportPart } from '../../schemas/export.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { scan, type Store } from '../store/store.ts';
import { VERSION } from '../version.ts';
import { EXPORT_KINDS } from './export-kinds.ts';

/** Rows in memory at a time. */
const PAGE = 100;

/** Reads `messages,kv`; nothing means all. Throws REQUEST_INVALID for what is no part of an export. */
export function exportParts(text: string | undefined): readonly ExportPart[] {
  if (text === undefined) return EXPORT_PARTS;
  const wanted = new Set(text.split(',').map((each) => each.trim()));
  const unknown = [...wanted].find((each) => !EXPORT_PARTS.some((part) => part === each));
  if (unknown !== undefined) throw new GatehouseError('REQUEST_INVALID', { path: '?what', problem: `'${unknown.slice(0, 100)}' is none of ${EXPORT_PARTS.join(', ')}` });
  return EXPORT_PARTS.filter((part) => wanted.has(part));
}

/** A page of lines at a time. On a running host each row is as it was when its turn came. Throws what reading the store throws. */
export async function* exportData(store: Store, what: readonly ExportPart[], clock: Clock): AsyncGenerator<string, void, void> {
  const digest = createHash('sha256');
  const told = (lines: readonly string[]) => {
    const text = lines.map((line) => `${line}\n`).join('');
    digest.update(text);
    return text;
  };
  const first: ExportFirstLine = { ...DATA_EXPORT, gatehouse: VERSION, at: toTimestamp(clock.now()), what: [...what] };
  yield told([JSON.stringify(first)]);
  const counts: Partial<Record<ExportKindName, number>> = {};
  let inWork = 0;
  for (const { name, part, table, prefix, lineOf } of EXPORT_KINDS) {
    if (!what.includes(part)) continue;
    counts[name] = 0;
    for await (const rows of scan(store, table, prefix, PAGE)) {
      const lines: string[] = [];
      for (const { key, value } of rows) {
        const line = await lineOf(store, key, value);
        if (line !== undefined) lines.push(line);
      }
      counts[name] += lines.length;
      if (name === 'message') inWork += rows.length - lines.length;
      if (lines.length > 0) yield told(lines);
    }
  }
  const last: ExportLastLine = { end: { counts, inWork, sha256: digest.digest('hex') } };
  yield `${JSON.stringify(last)}\n`;
}
