// What may be done, before and after: grants, limits that a package sets for itself, and where it is called. The one meaning of "wider": asked by reload/ of an instance, by diff/ of two packages.
import type { Grant } from '../../../schemas/capability.ts';
import type { Limits, PluginManifest } from '../../../schemas/plugin-manifest.ts';
import { grantChanges, grantChangesInWords, type GrantChanges } from './grant-changes.ts';
import { hooksBeyond } from './hooks.ts';
import { LIMIT_NAMES } from './limits.ts';

/** Of an instance: what it is given. Of a package: what it asks for. */
export interface Powers {
  readonly manifest: PluginManifest;
  /** Of an instance with every `{ config }` filled in: another address in the config is another origin. */
  readonly grants: readonly Grant[];
  readonly limits: Required<Limits>;
  /** Those the operator set: his word, and nobody's widening. */
  readonly limitsGiven?: Limits;
}

export interface LimitChange {
  readonly limit: keyof Limits;
  readonly before: number;
  readonly after: number;
}

export interface PowerChanges {
  readonly grants: GrantChanges;
  readonly limits: { readonly raised: readonly LimitChange[]; readonly lowered: readonly LimitChange[] };
  /** Where it would be called and was not, and where it was and would not be. */
  readonly hooks: { readonly added: readonly string[]; readonly removed: readonly string[] };
}

export function powerChanges(before: Powers, after: Powers): PowerChanges {
  const limits = LIMIT_NAMES.filter((limit) => after.limitsGiven?.[limit] === undefined).map((limit) => ({ limit, before: before.limits[limit], after: after.limits[limit] }));
  return {
    grants: grantChanges(before.grants, after.grants),
    limits: { raised: limits.filter((each) => each.after > each.before), lowered: limits.filter((each) => each.after < each.before) },
    hooks: { added: hooksBeyond(after.manifest, before.manifest), removed: hooksBeyond(before.manifest, after.manifest) },
  };
}

/** More than before, in any respect: that takes effect only once somebody agrees. */
export function isWider({ grants: { added, widened }, limits, hooks }: PowerChanges): boolean {
  return added.length + widened.length + limits.raised.length + hooks.added.length > 0;
}

/** Less than before, in any respect; what is both moved. */
export function isNarrower({ grants: { removed, narrowed }, limits, hooks }: PowerChanges): boolean {
  return removed.length + narrowed.length + limits.lowered.length + hooks.removed.length > 0;
}

/** A sentence for each change but those of hooks and limits that only got less: those take effect without anybody. */
export function powerChangesInWords({ grants, limits, hooks }: PowerChanges): string[] {
  return [
    ...grantChangesInWords(grants),
    ...limits.raised.map(({ limit, before, after }) => `widened: ${limit} from ${before} to ${after}`),
    ...hooks.added.map((hook) => `added: ${hook}`),
  ];
}
