// The scans that are kept, for whoever asks, and another one on demand. The control plane asks through host.ts.
import type { ScanView } from '../../schemas/scan.ts';
import { filteredPage, within, type Page, type PageQuery, type Span } from '../store/page.ts';
import type { Store } from '../store/store.ts';
import { scans } from '../store/tables.ts';
import type { Registry } from './registry.ts';
import { scanView } from './scans.ts';

export interface ScanQuery extends PageQuery, Span {
  /** Newest first unless said otherwise. */
  readonly sort?: 'at' | '-at';
  readonly plugin?: string | undefined;
  readonly digest?: string | undefined;
  readonly outcome?: string | undefined;
}

export interface ScanDesk {
  /** Newest first. */
  list(query: ScanQuery): Promise<Page<ScanView>>;
  /** Looks again, and resolves once what that leads to has been taken up. Throws PLUGIN_NOT_FOUND, SCAN_IMPOSSIBLE. */
  again(instance: string): Promise<ScanView>;
}

export interface ScanDeskParts {
  readonly store: Store;
  readonly registry: Pick<Registry, 'scan'>;
  /** A look at the home, by which a new verdict takes effect. */
  readonly look: () => Promise<unknown>;
}

export const scanDesk = ({ store, registry, look }: ScanDeskParts): ScanDesk => ({
  list: ({ plugin, digest, outcome, since, until, sort, ...page }) =>
    filteredPage(store, scans, { ...page, newestFirst: sort !== 'at' }, (row, id) => {
      const isMeant = (plugin === undefined || row.plugin === plugin) && (digest === undefined || row.packageDigest === digest) && (outcome === undefined || row.outcome === outcome) && within(row.at, { since, until });
      return isMeant ? scanView(row, id) : undefined;
    }),
  async again(instance) {
    const view = await registry.scan(instance);
    await look();
    return view;
  },
});
