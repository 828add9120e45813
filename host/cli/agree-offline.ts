// Keeps an operator's word on another signer where no host runs that could: the next start goes by it. Called by enable.ts.
import { existsSync } from 'node:fs';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { put } from '../store/store.ts';
import { plugins } from '../store/tables.ts';
import type { VerifiedRelease } from '../trust/verify.ts';
import { storeFolder } from './files-survey.ts';

/** Nothing where the instance never ran, or ran releases of the same signer. Throws STORE_LOCKED when a host has just taken the store. */
export async function agreeToSigner(instance: string, { manifest, keyid }: VerifiedRelease, config: ResolvedConfig): Promise<void> {
  const dir = storeFolder(config.dataDir);
  if (!existsSync(dir)) return;
  const [{ openStore }, { openAuditLog }] = await Promise.all([import('../store/lmdb.ts'), import('../trust/log/open-log.ts')]);
  await using store = await openStore({ dir, clock: systemClock });
  const row = (await store.get(plugins, plugins.key(instance)))?.value;
  if (row?.plugin !== manifest.id || row.signer === undefined || row.signer.keyid === keyid) return;
  await using audit = await openAuditLog({ config, store, clock: systemClock });
  const decision = { actor: 'command line', action: 'plugin.signer', resource: instance, outcome: 'done', detail: { plugin: manifest.id, before: row.signer.keyid, after: keyid } } as const;
  await audit.commit([decision], { put: [put(plugins, plugins.key(instance), { ...row, signer: { ...row.signer, agreed: keyid } })] });
}
