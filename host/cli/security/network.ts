// What of the network policy lets in more than it must: exempt paths, other origins, proxies, missing limits, certificates that end. Asked by the audit; `doctor` asks about certificates too.
import { systemClock, type Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { isLoopback, prefixLength } from '../../network/addresses.ts';
import { daysLeft, readCertificates } from '../../network/certificates.ts';
import type { NetworkPolicy } from '../../network/policy.ts';
import { isIngest } from '../../network/unsafe.ts';
import type { SecurityCheck, Sighting } from './check.ts';

const IN_FILE = 'in manifests/host.json';

export const exemptPrefixes: SecurityCheck = {
  severity: 'medium',
  exposed: 'high',
  why: 'What needs no token is everybody’s who reaches the host; only channels and signed addresses look for themselves who asks.',
  look: ({ config: { policy } }) => policy.exemptPrefixes.filter((prefix) => !isIngest(prefix)).map((prefix) => ({ where: 'network.exemptPrefixes', found: `what is below ${prefix} is read without a token`, fix: `Take it out ${IN_FILE}, and give whoever reads there a token with the scope it needs.` })),
};

export const otherOrigins: SecurityCheck = {
  severity: 'medium',
  why: 'A page of such an origin reads what the host answers to the browser it is open in.',
  look: ({ config: { policy: { cors } } }) =>
    cors.origins.flatMap((origin): Sighting[] => {
      if (origin === '*') return [{ where: 'network.cors.origins', found: 'pages of every origin may read answers', fix: `Name the origins ${IN_FILE}.` }];
      return origin.startsWith('http:') && !isLoopback(new URL(origin).hostname) ? [{ where: 'network.cors.origins', found: `${origin} is spoken in clear: whoever is on the way can be that page`, fix: `Serve that page over https, and name it so ${IN_FILE}.` }] : [];
    }),
};

/** A network of one's own machines. */
const NARROW = { ipv4: 24, ipv6: 64 } as const;

export const believedProxies: SecurityCheck = {
  severity: 'medium',
  why: 'Whoever is believed about addresses can be anybody to lockouts, limits and logs; where nobody is, all who come through a proxy are one.',
  look: ({ config: { policy: { profile, trustedProxies, tls } } }) => [
    ...trustedProxies.filter((cidr) => (prefixLength(cidr) ?? 0) < NARROW[cidr.includes(':') ? 'ipv6' : 'ipv4'] && !isLoopback(cidr.split('/')[0] ?? '')).map((cidr) => ({ where: 'network.trustedProxies', found: `every machine of ${cidr} is believed`, fix: `Name the addresses of the proxies themselves ${IN_FILE}.` })),
    ...((profile === 'gateway' || (profile === 'internet' && !tls)) && trustedProxies.length === 0 ? [{ where: 'network.trustedProxies', found: `profile ${profile} stands behind proxies, and none is known: ten wrong tokens lock everybody out`, fix: `Name the addresses of the proxies ${IN_FILE}.` }] : []),
  ],
};

export const noLimits: SecurityCheck = {
  severity: 'medium',
  why: 'One sender can then take as much of the host as there is.',
  look: ({ config: { policy: { isPublic, limits } } }) => (isPublic && limits.perAddressPerSecond === 0 ? [{ where: 'network.limits.perAddressPerSecond', found: 'requests of one address are not limited', fix: `Set it ${IN_FILE}, or to null for what the profile says.` }] : []),
};

/** So long before a certificate ends somebody should know. */
const WARN_DAYS = 14;

export const certificates: SecurityCheck = {
  severity: 'high',
  why: 'With a certificate that is over or broken the host does not start, and clients turn away from one that runs.',
  look: ({ config: { policy }, clock }) => certificateTroubles(policy, clock),
};

/** What is wrong with the files of TLS, or soon will be. Throws what is no matter of those files. */
export function certificateTroubles(policy: NetworkPolicy, clock: Clock = systemClock): Sighting[] {
  const where = 'network.tls.cert';
  try {
    const leaf = readCertificates(policy, clock.now())?.leaf;
    const days = leaf ? daysLeft(leaf, clock.now()) : Infinity;
    return leaf && days <= WARN_DAYS ? [{ where, found: `the certificate of ${leaf.subject} ends ${leaf.validToDate.toISOString()}, ${days === 1 ? 'in a day' : `in ${days} days`}`, fix: 'Renew it; a running host takes the new one up by itself.' }] : [];
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code === 'CONFIG_UNSAFE') return [{ where, found: thrown.message, fix: thrown.fix }];
    throw thrown;
  }
}
