// What the store remembers of versions: which an instance ran, and what each version was. Resolve asks it about rollbacks and changed releases.
import { scan, type Store } from '../store/store.ts';
import { approvals, plugins, versions, type ApprovalRow, type PluginRow, type RejectionRow } from '../store/tables.ts';

export interface History {
  /** Any version of it, as any instance. */
  hasRun(plugin: string): boolean;
  /** The highest version of this plugin that the instance ever ran. */
  highestVersion(instance: string, plugin: string): string | undefined;
  /** The package digest under which this version was first run here. */
  digestOf(plugin: string, version: string): string | undefined;
  /** An approval that was seen before, by its id. */
  approval(id: string): ApprovalRow | undefined;
  /** Every rejection that was seen before, also those that were taken back. */
  readonly rejections: readonly (RejectionRow & { readonly id: string })[];
  /** Who signed what the instance last ran of this plugin. */
  signerOf(instance: string, plugin: string): PluginRow['signer'];
}

/** For `check`, which works on files alone. */
export const NO_HISTORY: History = { hasRun: () => false, highestVersion: () => undefined, digestOf: () => undefined, approval: () => undefined, rejections: [], signerOf: () => undefined };

export async function loadHistory(store: Store): Promise<History> {
  const highest = new Map<string, string>();
  const signers = new Map<string, PluginRow['signer']>();
  for await (const page of scan(store, plugins, plugins.prefix())) {
    for (const { key, value } of page) {
      if (value.highestVersion !== null) highest.set(`${key[1]} ${value.plugin}`, value.highestVersion);
      signers.set(`${key[1]} ${value.plugin}`, value.signer);
    }
  }
  const digests = new Map<string, string>();
  const ran = new Set<string>();
  for await (const page of scan(store, versions, versions.prefix())) {
    for (const { key, value } of page) {
      digests.set(`${key[1]} ${key[2]}`, value.digest);
      ran.add(String(key[1]));
    }
  }
  const seen = new Map<string, ApprovalRow>();
  for await (const page of scan(store, approvals, approvals.prefix())) for (const { key, value } of page) seen.set(String(key.at(-1)), value);
  return {
    hasRun: (plugin) => ran.has(plugin),
    highestVersion: (instance, plugin) => highest.get(`${instance} ${plugin}`),
    digestOf: (plugin, version) => digests.get(`${plugin} ${version}`),
    approval: (id) => seen.get(id),
    rejections: Array.from(seen).flatMap(([id, { rejection }]) => (rejection ? [{ ...rejection, id }] : [])),
    signerOf: (instance, plugin) => signers.get(`${instance} ${plugin}`),
  };
}
