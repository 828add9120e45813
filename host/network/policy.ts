// The network policy, resolved once: what the settings, the profile and the machine come to, and where each value comes from. Called by config.ts; everything that listens or judges a request goes by it.
import { resolve } from 'node:path';
import type { Profile } from '../../schemas/host-config.ts';
import type { BindMode, NetworkSettings, SettingSource } from '../../schemas/network.ts';
import { isLoopback } from './addresses.ts';
import { hostOf, type Interfaces } from './bind.ts';

export interface NetworkPolicy {
  readonly profile: Profile;
  readonly bind: { readonly mode: BindMode; readonly host: string; readonly port: number; /** Why there is no such address. */ readonly problem?: string };
  /** Whether others than this machine reach the host: by its address, or through a tunnel. */
  readonly isPublic: boolean;
  readonly hosts: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly forwarded: NetworkSettings['forwarded'];
  readonly funnel: boolean;
  readonly exemptPrefixes: readonly string[];
  /** Absent where the host speaks no TLS. Paths are absolute. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly minVersion: 'TLSv1.2' | 'TLSv1.3'; readonly hstsSeconds: number };
  /** Absent where nobody is asked for a certificate. */
  readonly mtls?: { readonly mode: 'request' | 'require'; readonly caFile: string; readonly crlFile?: string; readonly for: readonly string[] };
  readonly cors: NetworkSettings['cors'];
  readonly limits: { readonly [K in keyof NetworkSettings['limits']]: number };
  /** By the path of its setting, `network.limits.inFlight`. */
  readonly sources: Readonly<Record<string, SettingSource>>;
}

export interface NetworkParts {
  readonly home: string;
  readonly profile: Profile;
  /** As written, or its default. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly hosts: readonly string[];
  readonly network: NetworkSettings;
  readonly interfaces: Interfaces;
  /** Who said the value at this path. */
  readonly sourceOf: (path: string) => SettingSource;
}

interface ProfileDefaults {
  readonly inFlight: number;
  readonly perAddressPerSecond: number;
  readonly perTokenPerSecond: number;
  readonly hstsSeconds: number;
  /** Whether what connects from this machine speaks for others, where the host listens on loopback alone. */
  readonly trustsLocalProxy: boolean;
}

const YEAR_SECONDS = 31_536_000;

/** What null stands for. 0 is no limit. */
export const PROFILE_DEFAULTS: Readonly<Record<Profile, ProfileDefaults>> = {
  local: { inFlight: 1024, perAddressPerSecond: 0, perTokenPerSecond: 0, hstsSeconds: 0, trustsLocalProxy: false },
  lan: { inFlight: 1024, perAddressPerSecond: 200, perTokenPerSecond: 200, hstsSeconds: 0, trustsLocalProxy: false },
  gateway: { inFlight: 1024, perAddressPerSecond: 200, perTokenPerSecond: 200, hstsSeconds: YEAR_SECONDS, trustsLocalProxy: true },
  internet: { inFlight: 512, perAddressPerSecond: 50, perTokenPerSecond: 100, hstsSeconds: YEAR_SECONDS, trustsLocalProxy: true },
};

const LOOPBACK_NETWORKS = ['127.0.0.0/8', '::1'];

export function resolveNetwork({ home, profile, listen, hosts, network, interfaces, sourceOf }: NetworkParts): NetworkPolicy {
  const sources: Record<string, SettingSource> = { profile: sourceOf('profile'), listen: sourceOf('listen'), hosts: sourceOf('hosts') };
  /** The setting, or what the profile has for null. */
  const take = <T>(path: string, value: T | null, ofProfile: T): T => {
    sources[`network.${path}`] = value === null ? 'profile' : sourceOf(`network.${path}`);
    return value ?? ofProfile;
  };
  const as = <T>(path: string, value: T): T => take(path, value, value);
  const defaults = PROFILE_DEFAULTS[profile];

  // --listen is for this one run, so it wins over what a file says of every run.
  const mode = sources['listen'] === 'flag' ? 'custom' : (network.bind ?? 'custom');
  sources['network.bind'] = sources['listen'] === 'flag' ? 'flag' : network.bind === null ? sourceOf('listen') : sourceOf('network.bind');
  const host = hostOf(mode, listen.host, interfaces);
  const bind = { mode, host: host ?? '127.0.0.1', port: listen.port, ...(host === undefined ? { problem: `network.bind is ${mode}, and no interface of this machine has an address of a tailnet (100.64.0.0/10, fd7a:115c:a1e0::/48)` } : {}) };
  const isOpen = !isLoopback(bind.host);

  const { tls, mtls, cors, limits } = network;
  const minVersion = `TLSv${as('tls.minVersion', tls.minVersion)}` as const;
  const hstsSeconds = take('tls.hstsSeconds', tls.hstsSeconds, defaults.hstsSeconds);
  const [cert, key, mode2, ca, crl, certificateFor] = [as('tls.cert', tls.cert), as('tls.key', tls.key), as('mtls.mode', mtls.mode), as('mtls.ca', mtls.ca), as('mtls.crl', mtls.crl), as('mtls.for', mtls.for)];
  return {
    profile, bind, hosts,
    isPublic: isOpen || as('funnel', network.funnel),
    trustedProxies: take('trustedProxies', network.trustedProxies, defaults.trustsLocalProxy && !isOpen ? LOOPBACK_NETWORKS : []),
    forwarded: as('forwarded', network.forwarded),
    funnel: network.funnel,
    exemptPrefixes: as('exemptPrefixes', network.exemptPrefixes),
    ...(cert === '' && key === '' ? {} : { tls: { certFile: resolve(home, cert), keyFile: resolve(home, key), minVersion, hstsSeconds } }),
    ...(mode2 === 'off' ? {} : { mtls: { mode: mode2, caFile: resolve(home, ca), ...(crl === '' ? {} : { crlFile: resolve(home, crl) }), for: certificateFor } }),
    cors: { origins: as('cors.origins', cors.origins), credentials: as('cors.credentials', cors.credentials), maxAgeSeconds: as('cors.maxAgeSeconds', cors.maxAgeSeconds) },
    limits: {
      inFlight: take('limits.inFlight', limits.inFlight, defaults.inFlight),
      perAddressPerSecond: take('limits.perAddressPerSecond', limits.perAddressPerSecond, defaults.perAddressPerSecond),
      perTokenPerSecond: take('limits.perTokenPerSecond', limits.perTokenPerSecond, defaults.perTokenPerSecond),
      bodyBytes: as('limits.bodyBytes', limits.bodyBytes),
      headersMs: as('limits.headersMs', limits.headersMs),
      requestMs: as('limits.requestMs', limits.requestMs),
      answerMs: as('limits.answerMs', limits.answerMs),
    },
    sources,
  };
}

/** Whether a path is this prefix, or below it: `/a/` and `/a` both hold `/a/b`, neither holds `/ab`. */
export function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}
