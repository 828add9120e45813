// Every package this host knows: what instances run, and what was scanned and is kept. Made from the lists of plugins, scans and approvals; routes/packages.ts shows it.
import type { PackageDetail, PackageView } from '../../schemas/package.ts';
import { PAGE_ITEMS } from '../../schemas/query.ts';
import type { ScanView } from '../../schemas/scan.ts';
import { GatehouseError } from '../errors.ts';
import type { Host, Page } from '../host.ts';

type Sources = Pick<Host, 'plugins' | 'scans' | 'approvals'>;

/** In no order. Scans are kept in a bounded number for each plugin, so that is all there can be. */
export async function listPackages({ plugins, scans }: Sources): Promise<PackageView[]> {
  const found = new Map<string, PackageView>();
  for (const { digest, plugin, version, instance, state } of plugins.list()) {
    if (digest === null || version === null) continue;
    const known = found.get(digest) ?? { digest, plugin, version, instances: [] };
    found.set(digest, { ...known, instances: [...known.instances, { instance, state }] });
  }
  for (const scan of await everyItem((cursor) => scans.list({ cursor, limit: PAGE_ITEMS.most }))) {
    const { packageDigest: digest, plugin, version } = scan;
    const known = found.get(digest) ?? { digest, plugin, version, instances: [] };
    if (!known.scan) found.set(digest, { ...known, scan: inShort(scan) });
  }
  return [...found.values()];
}

/** Throws PACKAGE_UNKNOWN. */
export async function showPackage(sources: Sources, digest: string): Promise<PackageDetail> {
  const view = (await listPackages(sources)).find((each) => each.digest === digest);
  if (!view) throw new GatehouseError('PACKAGE_UNKNOWN', { digest });
  const scans = await everyItem((cursor) => sources.scans.list({ digest, cursor, limit: PAGE_ITEMS.most }));
  const approvals = await everyItem((cursor) => sources.approvals.list({ cursor, limit: PAGE_ITEMS.most }));
  return { ...view, scans, approvals: approvals.filter(({ packageDigest }) => packageDigest === digest) };
}

const inShort = ({ outcome, risk, findings, rules, at }: ScanView) => ({ outcome, risk, findings: findings.length, rules, at });

async function everyItem<Item>(page: (cursor: string | undefined) => Page<Item> | Promise<Page<Item>>): Promise<Item[]> {
  const all: Item[] = [];
  let cursor: string | undefined;
  do {
    const { items, cursor: next } = await page(cursor);
    all.push(...items);
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return all;
}
