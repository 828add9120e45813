// What the operator demands to know of where a release was made. A policy is no matter of taste for a reviewer: what does not meet it never runs.
import { isHttpsSource, isUnderSource } from '../../provenance.ts';
import { quote, type PlaceRule, type Sighting } from '../finding.ts';

export const provenancePolicy: PlaceRule = {
  name: 'provenance-policy',
  *look({ provenance, policy: { requireProvenance, requireHttpsSource, trustedSourcePrefixes } }) {
    const refuse = (message: string, fix: string): Sighting => ({ outcome: 'block', risk: 'medium', file: 'plugin.dsse.json', message, fix });
    if (!provenance) {
      const demand = requireProvenance ? 'trust.requireProvenance' : trustedSourcePrefixes.length > 0 ? 'trust.trustedSourcePrefixes' : undefined;
      if (demand !== undefined) yield refuse(`Its release does not say what it was made from, and ${demand} demands it.`, 'Ask the publisher to sign it with `gatehouse sign --source URL --commit ID`.');
      return;
    }
    const { source } = provenance;
    if (requireHttpsSource && !isHttpsSource(provenance)) yield refuse(`It was made from ${quote(source, 200)}, and trust.requireHttpsSource demands an https address.`, 'Ask the publisher for a source that others can fetch without being lied to.');
    if (trustedSourcePrefixes.length > 0 && !trustedSourcePrefixes.some((prefix) => isUnderSource(source, prefix))) {
      yield refuse(`It was made from ${quote(source, 200)}, which is below none of trust.trustedSourcePrefixes.`, 'Add the source to trust.trustedSourcePrefixes in manifests/host.json if you trust it.');
    }
  },
};
