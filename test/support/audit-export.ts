// An audit log with entries of every kind on a real store, exported; and exports changed as somebody would who has the file but not the key.
import { join } from 'node:path';
import type { AuditHead } from '../../schemas/audit.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { generateKey, type SigningKey } from '../../host/trust/keys.ts';
import { AuditLog } from '../../host/trust/log/audit-log.ts';
import { exportLines } from '../../host/trust/log/export.ts';
import { verifyExport, type VerifyOptions } from '../../host/trust/log/verify-export.ts';
import { aHandClock } from './hand-clock.ts';
import { tempDir } from './temp.ts';

export interface TestExport {
  readonly key: SigningKey;
  readonly bytes: Buffer;
  /** The head after `size` entries, as it was remembered then. */
  readonly headAt: (size: number) => AuditHead;
  /** What the same key signs when its holder writes another log. */
  rewritten(change: (resource: string, index: number) => string, entries?: number): Promise<Buffer>;
}

const ACTIONS = ['plugin.verify', 'plugin.approve', 'plugin.quarantine', 'api.plugins.disable', 'approval.add'] as const;

export async function anExport(entries: number, remember: readonly number[] = []): Promise<TestExport> {
  const key = generateKey('gatehouse-log');
  const heads = new Map<number, AuditHead>();
  const write = async (resourceOf: (index: number) => string, entries: number): Promise<Buffer> => {
    await using dir = await tempDir();
    const clock = aHandClock();
    await using store = await openStore({ dir: join(dir.path, 'store'), clock });
    await using audit = await AuditLog.open({ store, clock, key });
    const draft = (index: number) => ({ actor: index % 3 === 0 ? 'file' : 'host', action: ACTIONS[index % ACTIONS.length] ?? 'plugin.verify', resource: resourceOf(index), outcome: 'done', detail: { reason: `because of ${index} „ü“`, version: '1.0.0' } }) as const;
    let size = 1;
    for (const until of [...remember.filter((each) => each < entries), entries]) {
      await audit.commit(Array.from({ length: until - size }, (_, at) => draft(size + at)));
      size = until;
      if (!heads.has(until)) heads.set(until, { ...audit.head, publicKey: key.publicKey.toString('base64') });
      clock.turn(1000);
    }
    const parts: string[] = [];
    for await (const part of exportLines({ store, key, head: audit.head })) parts.push(part);
    return Buffer.from(parts.join(''));
  };
  const bytes = await write((index) => `instance-${index % 7}`, entries);
  return {
    key, bytes,
    headAt(size) {
      const head = heads.get(size);
      if (!head) throw new Error(`nobody remembered the head of ${size} entries`);
      return head;
    },
    rewritten: (change, other = entries) => write((index) => change(`instance-${index % 7}`, index), other),
  };
}

/** Judged by the key that signed it, unless told otherwise. */
export function judged(bytes: Uint8Array, key: SigningKey, options: Partial<VerifyOptions> = {}) {
  return verifyExport(inChunks(bytes), { anchor: { kind: 'key', source: 'log.json', keys: new Map([[key.keyid, key.publicKey]]) }, ...options });
}

/** As a socket brings them: boundaries anywhere. */
async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_007) yield bytes.subarray(at, at + 10_007);
}

/** Lines without their line feed. */
export const linesIn = (bytes: Buffer): string[] => bytes.toString('utf8').split('\n').slice(0, -1);
export const asBytes = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(''));
