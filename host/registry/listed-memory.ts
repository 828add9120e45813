// The store's memory of `trust.allow` and `trust.deny`, so that a change of them is in the transparency log once, whether a host ran meanwhile or not. Called by the registry with each look.
import type { TrustList, TrustPolicy } from '../../schemas/trust-policy.ts';
import { toTimestamp } from '../clock.ts';
import { put, type Store } from '../store/store.ts';
import { trustLists } from '../store/tables.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import type { AuditLog } from '../trust/log/audit-log.ts';

/** Resolves once it is on disk. Lists that were never said and are empty are no change. Throws what the log throws. */
export async function rememberLists({ allow = {}, deny = {} }: TrustPolicy, { store, audit, now }: { readonly store: Store; readonly audit: Pick<AuditLog, 'commit'>; readonly now: number }): Promise<void> {
  const lists = { allow: entriesOf(allow), deny: entriesOf(deny) };
  const before = (await store.get(trustLists, trustLists.key('latest')))?.value ?? { allow: [], deny: [] };
  if (canonicalJson({ allow: before.allow, deny: before.deny }) === canonicalJson(lists)) return;
  await audit.commit([{ actor: 'file', action: 'trust.lists', resource: 'manifests/host.json', outcome: 'done', detail: lists }], { put: [put(trustLists, trustLists.key('latest'), { ...lists, at: toTimestamp(now) })] });
}

/** As the file has them. */
function entriesOf(list: TrustList): string[] {
  return (['plugins', 'publishers', 'sources'] as const).flatMap((key) => (list[key] ?? []).map((entry) => `${key}: ${entry}`));
}
