// How long a release must be known before it runs: most malicious releases are found within days. The first sighting here counts as much as the date its publisher wrote, so backdating gains nothing.
import { toTimestamp } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import type { ResolvedConfig } from '../../config.ts';
import { decisionsFor } from './approvals.ts';
import { NO_OBJECTION, type AdmissionRule } from './rule.ts';

/** In strict, where host.json says nothing. */
const STRICT_HOURS = 48;
const HOUR_MS = 3_600_000;

export const minimumAgeHours = ({ trust, strict }: Pick<ResolvedConfig, 'trust' | 'strict'>): number => trust.minimumReleaseAgeHours ?? (strict ? STRICT_HOURS : 0);

/** What ran here already is not made to wait again, and a reviewer's word for exactly this counts more than its age: fixes of holes must not wait. */
export const age: AdmissionRule = ({ release, loaded: { enablement: { instance } }, settings: { grantsDigest }, context: { config, history, approvals, sightings, now } }) => {
  const { manifest: { id, version }, packageDigest, issuedAt } = release;
  const hours = minimumAgeHours(config);
  if (hours === 0 || history.digestOf(id, version) === packageDigest) return NO_OBJECTION;
  if (decisionsFor({ instance, release, grantsDigest }, approvals).approvals.length > 0) return NO_OBJECTION;
  const seenAt = sightings?.see(packageDigest);
  const [bornAt, why] = seenAt !== undefined && seenAt > Date.parse(issuedAt) ? [seenAt, `this host first saw it at ${toTimestamp(seenAt)}`] as const : [Date.parse(issuedAt), `it was issued at ${issuedAt}${seenAt === undefined ? ', and files alone cannot tell when this host first saw it' : ''}`] as const;
  const until = bornAt + hours * HOUR_MS;
  return until <= now ? NO_OBJECTION : { refusals: [new GatehouseError('RELEASE_TOO_FRESH', { plugin: id, version, until: toTimestamp(until), why, hours })], untilMs: until };
};
