// What an approval speaks of beside the package: everything an instance is given, in one digest. Computed by examine.ts, shown in views, bound by approvals and the lock.
import { createHash } from 'node:crypto';
import type { Grant } from '../../schemas/capability.ts';
import type { SecretReference } from '../../schemas/enablement.ts';
import type { Limits, PluginManifest } from '../../schemas/plugin-manifest.ts';
import { canonicalJson } from '../trust/canonical-json.ts';

export interface Given {
  readonly manifest: Pick<PluginManifest, 'id' | 'channel'>;
  /** With every `{ config }` filled in. */
  readonly grants: readonly Grant[];
  readonly limits: Required<Limits>;
  /** Where each needed handle is read, whether or not a value is there. */
  readonly secrets: Readonly<Record<string, SecretReference>>;
  readonly onQuarantine?: 'hold' | 'bypass' | 'exit' | undefined;
}

/** `sha256:` over the canonical JSON of `{grants, ingress, limits, onQuarantine?, plugin, secrets}`. The order of grants, and of origins, methods, instances and tools in one, means nothing; an author's reasons are words. */
export function grantsDigest({ manifest: { id, channel }, grants, limits, secrets, onQuarantine }: Given): string {
  const given = {
    plugin: id,
    grants: sorted(grants.map(withoutOrder)),
    limits,
    secrets,
    ingress: sorted((channel?.ingress ?? []).map(({ method, path, verify, sender = 'claimed' }) => ({ method, path, verify, sender }))),
    onQuarantine,
  };
  return `sha256:${createHash('sha256').update(canonicalJson(given)).digest('hex')}`;
}

/** Lists within a grant are sets. */
function withoutOrder({ reason: _reason, ...grant }: Grant): unknown {
  return Object.fromEntries(Object.entries(grant).map(([key, value]) => [key, Array.isArray(value) ? sorted(value) : value]));
}

function sorted<T>(values: readonly T[]): T[] {
  const texts = new Map(values.map((value) => [canonicalJson(value), value]));
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
