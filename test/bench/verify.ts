// Verifying: the processor a package of one megabyte costs before it may run, beside what the second implementation of Ed25519 takes of that. A folder and an archive, few files and as many as a package may hold.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { packPackage } from '../../host/authoring/pack.ts';
import { preAuthEncoding, readEnvelope } from '../../host/trust/dsse.ts';
import { verifyWithTweetnacl } from '../../host/trust/keys.ts';
import { readPackage } from '../../host/trust/package.ts';
import { revocationList } from '../../host/trust/revocation.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { buildTestPackage, writeTrustRecord } from '../support/packages.ts';
import { tempDir } from '../support/temp.ts';
import { quantile } from './load.ts';

const MEGABYTE = 1024 * 1024;

export async function verifying({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const rounds = smoke ? 3 : 60;
  for (const assets of [1, 990]) {
    await using dir = await tempDir();
    const each = Math.floor((MEGABYTE - 64 * 1024) / assets);
    const files = Object.fromEntries(Array.from({ length: assets }, (_, index) => [`assets/file-${index}.bin`, randomBytes(each)]));
    const { path, key } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: `/*${randomBytes(32 * 1024).toString('hex').slice(0, 60 * 1024)}*/ gatehouse.register({ kind: "tool", handlers: {} });`, files });
    if (!key) throw new Error('nobody signed it');
    const archive = join(dir.path, 'p.tgz');
    await packPackage(path, archive);
    await writeTrustRecord(dir.path, key);
    const { store: trust } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
    const envelope = readEnvelope((await readPackage(path)).files.get('plugin.dsse.json') ?? Buffer.alloc(0), path);
    const message = preAuthEncoding(envelope.payload);
    const second = await cpuMs(rounds, () => verifyWithTweetnacl(key.publicKey, message, envelope.signature));
    for (const [form, place] of [['folder', path], ['tgz', archive]] as const) {
      const rest = await cpuMs(rounds, async () => {
        const verdict = await verifyPackage(place, { trust, revocations: revocationList([]), now: Date.now(), secondOpinion: { known: () => true, remember: () => undefined }, profile: 'local', strict: false });
        if (!verdict.ok) throw verdict.error;
      });
      console.log(`verify form=${form} files=${assets + 3} bytes=${MEGABYTE} cpuMs=${rest.toFixed(1)} secondOpinionMs=${second.toFixed(1)} ratio=${(rest / second).toFixed(2)}`);
    }
  }
}

/** The median processor time of one, of all threads of this process: reading, hashing and unpacking run on others. */
async function cpuMs(rounds: number, work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds + 5; round += 1) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    if (round >= 5) times.push((user + system) / 1000);
  }
  return quantile(times, 0.5);
}
