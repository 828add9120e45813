// The transparency log on a real store: durable appends a second, by one who waits for each and by many at once; and how long a proof takes in a log of a million entries.
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { generateKey } from '../../host/trust/keys.ts';
import { AuditLog, type AuditDraft } from '../../host/trust/log/audit-log.ts';
import { exportLines } from '../../host/trust/log/export.ts';
import { proofOf } from '../../host/trust/log/log-reads.ts';
import { verifyExport } from '../../host/trust/log/verify-export.ts';
import { verifyProof } from '../../host/trust/log/verify-proof.ts';
import { tempDir } from '../support/temp.ts';
import { quantile } from './load.ts';

const aDraft = (at: number): AuditDraft => ({ actor: 'token:bench', action: 'plugin.quarantine', resource: `instance-${at % 20}`, outcome: 'done', detail: { plugin: 'acme.weather', version: '1.2.3', reason: 'three strikes in 60 minutes' } });

export async function audit({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await using dir = await tempDir();
  await using store = await openStore({ dir: join(dir.path, 'store'), clock: systemClock });
  await using log = await AuditLog.open({ store, clock: systemClock, key: generateKey('gatehouse-log') });
  for (const callers of [1, 16, 64, 256]) {
    const each = Math.ceil((smoke ? 256 : 20_000) / callers / (callers === 1 ? 20 : 1));
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: callers }, async () => {
      for (let at = 0; at < each; at += 1) await log.append(aDraft(at));
    }));
    console.log(`audit callers=${callers} appendsPerS=${((callers * each) / ((performance.now() - startedMs) / 1000)).toFixed(0)}`);
  }

  const entries = smoke ? 20_000 : 1_000_000;
  const startedMs = performance.now();
  while (log.head.size < entries) await log.commit(Array.from({ length: Math.min(10_000, entries - log.head.size) }, (_, at) => aDraft(at)));
  console.log(`audit entries=${log.head.size} filledInS=${((performance.now() - startedMs) / 1000).toFixed(1)} storeMb=${(store.stats().usedBytes / 2 ** 20).toFixed(0)}`);

  const anchor = { kind: 'key', source: 'bench', keys: new Map([[log.key.keyid, log.key.publicKey]]) } as const;
  const took: number[] = [];
  for (let round = 0; round < (smoke ? 50 : 1000); round += 1) {
    const index = (round * 7_919_333) % log.head.size;
    const beganMs = performance.now();
    const proof = await proofOf(store, log.publicHead, index);
    took.push(performance.now() - beganMs);
    if (!verifyProof(proof, anchor).ok) throw new Error(`the proof of entry ${index} is not right`);
  }
  console.log(`audit proofs=${took.length} entries=${log.head.size} p50Ms=${quantile(took, 0.5).toFixed(2)} p99Ms=${quantile(took, 0.99).toFixed(2)} maxMs=${Math.max(...took).toFixed(2)}`);

  const verifiedMs = performance.now();
  const verdict = await verifyExport(bytesOf(exportLines({ store, key: log.key, head: log.head })), { anchor });
  console.log(`audit exportedAndVerified=${verdict.entries} ok=${verdict.ok} tookS=${((performance.now() - verifiedMs) / 1000).toFixed(1)} rssMb=${(process.memoryUsage().rss / 2 ** 20).toFixed(0)}`);
}

async function* bytesOf(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const each of lines) yield Buffer.from(each);
}
