// The operator's lists of host.json, `trust.allow` and `trust.deny`: who may run here at all, whatever their signatures are worth. Deny wins; an empty allow allows everybody.
import type { TrustList, TrustPolicy } from '../../../schemas/trust-policy.ts';
import { GatehouseError } from '../../errors.ts';
import { isUnderSource, seemsUnderSource } from '../../trust/provenance.ts';
import type { VerifiedRelease } from '../../trust/verify.ts';
import { NO_OBJECTION, type AdmissionRule } from './rule.ts';

export const lists: AdmissionRule = ({ release, context: { config } }) => {
  const refusal = refusalByLists(release, config.trust);
  return refusal ? { refusals: [refusal] } : NO_OBJECTION;
};

/** Also asked of what runs, whenever the lists change. */
export function refusalByLists(release: VerifiedRelease, { allow = {}, deny = {} }: TrustPolicy): GatehouseError | undefined {
  const { id: plugin } = release.manifest;
  const denied = entryFor(release, deny, seemsUnderSource);
  if (denied !== undefined) return new GatehouseError('PLUGIN_DENIED_BY_LIST', { plugin, entry: denied });
  const isOpen = (['plugins', 'publishers', 'sources'] as const).every((key) => (allow[key] ?? []).length === 0);
  return isOpen || entryFor(release, allow, isUnderSource) !== undefined ? undefined : new GatehouseError('PLUGIN_NOT_ALLOWED', { plugin, publisher: release.publisher });
}

/** The first entry that names the release, as it would be found in the file. */
function entryFor({ manifest: { id }, publisher, provenance }: VerifiedRelease, { plugins = [], publishers = [], sources = [] }: TrustList, isFrom: typeof isUnderSource): string | undefined {
  const plugin = plugins.find((each) => (each.endsWith('.') ? id.startsWith(each) : id === each));
  if (plugin !== undefined) return `plugins: ${plugin}`;
  if (publishers.includes(publisher)) return `publishers: ${publisher}`;
  const source = provenance && sources.find((each) => isFrom(provenance.source, each));
  return source === undefined ? undefined : `sources: ${source}`;
}
