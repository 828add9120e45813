// The whole log as lines that anybody can check without the host: what `audit export` and the API's export route send. verify-export.ts reads them again.
import { BLOCK_ENTRIES, EXPORT_FORMAT, type ExportCheckpoint, type ExportEnd, type ExportHeader, type TreeHead } from '../../../schemas/audit.ts';
import { GatehouseError } from '../../errors.ts';
import type { Store } from '../../store/store.ts';
import { auditEntries, auditKey } from '../../store/tables.ts';
import type { SigningKey } from '../keys.ts';
import { Frontier } from './merkle.ts';
import { signCheckpoint } from './tree-head.ts';

export interface ExportParts {
  readonly store: Store;
  readonly key: SigningKey;
  /** What is exported ends here; entries that come meanwhile are left for the next time. */
  readonly head: TreeHead;
}

/** A block of lines at a time, so that a log of any size takes little memory. Throws AUDIT_BROKEN when an entry is gone. */
export async function* exportLines({ store, key, head }: ExportParts): AsyncGenerator<string, void, void> {
  const header: ExportHeader = { format: EXPORT_FORMAT, keyid: key.keyid, publicKey: key.publicKey.toString('base64') };
  yield line(header);
  let frontier = new Frontier();
  while (frontier.size < head.size) {
    const begin = frontier.size;
    const limit = Math.min(BLOCK_ENTRIES, head.size - begin);
    const rows = await store.range(auditEntries, auditEntries.prefix(), { from: auditKey(begin), limit });
    const lines: string[] = [];
    const leaves: string[] = [];
    for (const { value: { entry, leaf } } of rows) {
      if (entry.index !== frontier.size) break;
      const bytes = Buffer.from(leaf, 'base64');
      frontier = frontier.append(bytes);
      lines.push(line(entry));
      leaves.push(bytes.toString('hex'));
    }
    if (frontier.size < begin + limit) throw new GatehouseError('AUDIT_BROKEN', { problem: `entry ${frontier.size} is gone` });
    const root = frontier.root().toString('hex');
    const checkpoint: ExportCheckpoint = { checkpoint: { size: frontier.size, root, signature: signCheckpoint(key, frontier.size, root), leaves } };
    yield [...lines, line(checkpoint)].join('');
  }
  const end: ExportEnd = { head };
  yield line(end);
}

/** Exactly what `JSON.stringify` writes: readers hold each line against that, so that no byte of a file goes unchecked. */
const line = (value: object) => `${JSON.stringify(value)}\n`;
