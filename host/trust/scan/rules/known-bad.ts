// Digests that the operator, or somebody the operator listens to, knows to be harmful: whole packages, and files by themselves, which are found in any package.
import { createHash } from 'node:crypto';
import type { PlaceRule } from '../finding.ts';

export const knownBad: PlaceRule = {
  name: 'known-bad',
  *look({ files, packageDigest, policy }) {
    if (policy.knownBad.length === 0) return;
    const bad = new Set(policy.knownBad);
    const fix = 'Do not run it. If the digest is on the list by mistake, take it out of trust.scan.knownBad in manifests/host.json.';
    if (bad.has(packageDigest)) yield { outcome: 'block', risk: 'critical', file: '.', message: `The package is known to be harmful: ${packageDigest} is on this host's list.`, fix };
    for (const [file, bytes] of files) {
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (bad.has(digest)) yield { outcome: 'block', risk: 'critical', file, message: `This file is known to be harmful: ${digest} is on this host's list.`, fix };
    }
  },
};
