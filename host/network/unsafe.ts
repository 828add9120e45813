// Combinations of the network policy that nobody should find out about afterwards: each with what is wrong and what to do. Asked by config.ts; a host with one of them does not start.
import type { NetworkSettings } from '../../schemas/network.ts';
import { isLoopback, prefixLength } from './addresses.ts';
import { isBelow, type NetworkPolicy } from './policy.ts';

export interface Unsafe {
  readonly problem: string;
  readonly remedy: string;
}

export interface UnsafeParts {
  readonly policy: NetworkPolicy;
  readonly network: NetworkSettings;
  /** Whether the host would announce itself to its network. */
  readonly isAnnounced: boolean;
}

type Rule = (parts: UnsafeParts) => readonly Unsafe[];

const IN_FILE = 'in manifests/host.json';

/** Where every channel looks for itself who asks. */
export const INGEST_PREFIXES = ['/channels/', '/media/'] as const;
export const isIngest = (prefix: string): boolean => INGEST_PREFIXES.some((each) => isBelow(prefix, each));

/** Wider than the largest network that somebody has for themselves: 10.0.0.0/8, fc00::/7. */
const WIDEST = { ipv4: 8, ipv6: 7 } as const;

const RULES: readonly Rule[] = [
  ({ policy: { bind } }) => (bind.problem === undefined ? [] : [{ problem: bind.problem, remedy: `Bring the tailnet up, or set "network": { "bind": "auto" } ${IN_FILE}, which then listens on 127.0.0.1.` }]),

  ({ policy: { profile, bind } }) => (profile === 'local' && !isLoopback(bind.host) ? [{ problem: `profile local listens on ${bind.host}, beyond this machine`, remedy: `Listen on 127.0.0.1, or set "profile": "lan" ${IN_FILE}.` }] : []),

  ({ policy: { profile, funnel } }) => (profile === 'local' && funnel ? [{ problem: 'a public tunnel ends here (network.funnel), and profile local gives metrics and more to whoever asks without a token', remedy: `Set "profile": "internet" ${IN_FILE}, or "network": { "funnel": false } and close the tunnel.` }] : []),

  ({ policy: { profile, exemptPrefixes } }) =>
    profile === 'local' ? [] : exemptPrefixes.filter((prefix) => !isIngest(prefix)).map((prefix) => ({ problem: `network.exemptPrefixes has '${prefix}', which profile ${profile} would give to whoever asks without a token`, remedy: `Take it out ${IN_FILE}: only paths below /channels/ and /media/ look for themselves who asks.` })),

  ({ policy: { isPublic }, isAnnounced }) => (isAnnounced && !isPublic ? [{ problem: 'it would announce itself to its network (discovery.mdns.enabled), where nobody reaches it: it listens on this machine only', remedy: `Set "network": { "bind": "lan" } and "profile": "lan" ${IN_FILE}, or "discovery": { "mdns": { "enabled": false } }.` }] : []),

  ({ policy: { profile, bind, tls, trustedProxies } }) =>
    profile === 'internet' && !tls && trustedProxies.length === 0 ? [{ problem: `profile internet listens on ${bind.host} without TLS, and no proxy that ends TLS is trusted`, remedy: `Set network.tls.cert and network.tls.key ${IN_FILE}; or listen on 127.0.0.1 behind a proxy that ends TLS; or name that proxy in network.trustedProxies.` }] : [],

  ({ policy: { trustedProxies } }) =>
    trustedProxies.flatMap((cidr) => {
      const length = prefixLength(cidr);
      if (length === undefined) return [{ problem: `network.trustedProxies has '${cidr}', which is no address and no network`, remedy: `Write it as 10.1.2.3 or 10.1.2.0/24 ${IN_FILE}.` }];
      return length < WIDEST[cidr.includes(':') ? 'ipv6' : 'ipv4'] ? [{ problem: `network.trustedProxies has '${cidr}': whoever is in it could speak for anybody, and be anybody to lockouts, limits and logs`, remedy: `Name the proxies themselves, such as 10.1.2.3, ${IN_FILE}.` }] : [];
    }),

  ({ policy: { cors } }) => (cors.origins.includes('*') && cors.credentials ? [{ problem: 'network.cors lets pages of every origin read answers with the credentials of whoever looks at them', remedy: `Name the origins in network.cors.origins, or set credentials to false ${IN_FILE}; tokens in a header work without it.` }] : []),

  ({ network: { tls } }) => ((tls.cert === '') === (tls.key === '') ? [] : [{ problem: `network.tls has ${tls.cert === '' ? 'a key and no certificate' : 'a certificate and no key'}`, remedy: `Set both network.tls.cert and network.tls.key ${IN_FILE}, or neither.` }]),

  ({ policy: { mtls, tls }, network }) => [
    ...(mtls && network.mtls.ca === '' ? [{ problem: `network.mtls.mode is ${mtls.mode}, and nothing says whose certificates count`, remedy: `Set network.mtls.ca to a file with the certificates of your authority ${IN_FILE}.` }] : []),
    ...(mtls && !tls ? [{ problem: `network.mtls.mode is ${mtls.mode}, and the host speaks no TLS in which a certificate could be shown`, remedy: `Set network.tls.cert and network.tls.key ${IN_FILE}; or let the proxy in front ask for certificates, and set mode to off.` }] : []),
  ],
];

export const unsafeIn = (parts: UnsafeParts): readonly Unsafe[] => RULES.flatMap((rule) => rule(parts));
