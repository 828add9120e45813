// What the network policy came to, for whoever runs the host: every value with where it comes from. Paths of files are there, what is in them is not. Called by routes/network.ts.
import type { X509Certificate } from 'node:crypto';
import type { NetworkView } from '../../schemas/network.ts';
import { daysLeft } from './certificates.ts';
import type { NetworkPolicy } from './policy.ts';

export function networkView(policy: NetworkPolicy, address: string, leaf: X509Certificate | undefined, nowMs: number): NetworkView {
  const { profile, bind, isPublic, hosts, trustedProxies, forwarded, funnel, exemptPrefixes, tls, mtls, cors, limits, sources } = policy;
  const values: Readonly<Record<string, unknown>> = {
    profile, listen: `${bind.host.includes(':') ? `[${bind.host}]` : bind.host}:${bind.port}`, hosts,
    'network.bind': bind.mode, 'network.trustedProxies': trustedProxies, 'network.forwarded': forwarded, 'network.funnel': funnel, 'network.exemptPrefixes': exemptPrefixes,
    'network.tls.cert': tls?.certFile ?? '', 'network.tls.key': tls?.keyFile ?? '', ...(tls ? { 'network.tls.minVersion': tls.minVersion.slice('TLSv'.length), 'network.tls.hstsSeconds': tls.hstsSeconds } : {}),
    'network.mtls.mode': mtls?.mode ?? 'off', ...(mtls ? { 'network.mtls.ca': mtls.caFile, 'network.mtls.crl': mtls.crlFile ?? '', 'network.mtls.for': mtls.for } : {}),
    ...Object.fromEntries(Object.entries(cors).map(([key, value]) => [`network.cors.${key}`, value])),
    ...Object.fromEntries(Object.entries(limits).map(([key, value]) => [`network.limits.${key}`, value])),
  };
  return {
    address, profile, public: isPublic,
    values: Object.entries(values).map(([path, value]) => ({ path, value, source: sources[path] ?? 'default' })),
    certificate: leaf ? { subject: leaf.subject, notBefore: leaf.validFromDate.toISOString(), notAfter: leaf.validToDate.toISOString(), daysLeft: daysLeft(leaf, nowMs) } : null,
  };
}
