// Where a request goes, in one spelling, and whether it may. egress.ts asks at every hop, http-fetch.ts before it, both of the same functions.
import { isIP } from 'node:net';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { ResolvedConfig } from '../config.ts';
import { canonicalAddress, reachOf } from './address.ts';

/** An entry of `egress.allow`: scheme, host and port name one origin, `address` pins its name. */
export type EgressException = ResolvedConfig['egress']['allow'][number];

/** What one grant allows: exact origins, as they were resolved. */
export interface EgressPermit {
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** Of the instance, requests and responses together, a UTC day. */
  readonly bytesPerDay?: number;
  /** Fetches of the instance. Default BOUNDS.fetchesPerMinute. */
  readonly perMinute?: number;
}

export interface Target {
  readonly scheme: 'http' | 'https';
  /** Lower case, ASCII, no trailing dot; IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  /** Without the default port: comparing two is comparing texts. */
  readonly origin: string;
  /** Path and query as they are sent. */
  readonly path: string;
  /** The address, when the host is one. */
  readonly literal?: string;
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/**
 * Reads a URL as WHATWG does (`①②⑦.1` is 127.0.0.1, `0x7f.1` too, `ⓛocalhost` is localhost), so that what is judged is what is connected to, and never again
 * as a text. Relative to `base` for redirects. A text is the reason why there is no target.
 */
export function targetOf(text: string, base?: Target): Target | string {
  if (text.length > BOUNDS.fetchUrlBytes) return `its URL has more than ${BOUNDS.fetchUrlBytes} bytes`;
  const url = URL.parse(text, base && `${base.origin}${base.path}`);
  if (!url) return 'its URL is not absolute, or none';
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== 'https' && scheme !== 'http') return `its scheme is '${scheme.slice(0, 20)}', and only https is fetched`;
  if (url.username !== '' || url.password !== '') return 'its URL names a user or a password';
  const host = url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname;
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  const isLiteral = isIP(literal) !== 0;
  if (!isLiteral && (host.length > 253 || host.split('.').some((label) => label === '' || label.length > 63))) return 'its host is no name: labels have 1 to 63 characters, 253 in all';
  const port = url.port === '' ? DEFAULT_PORTS[scheme] : Number(url.port);
  if (port === 0) return 'nothing is reached at port 0';
  const path = `${url.pathname}${url.search}`;
  if (path.length > BOUNDS.fetchUrlBytes) return `its URL has more than ${BOUNDS.fetchUrlBytes} bytes`;
  const origin = `${scheme}://${host}${url.port === '' ? '' : `:${port}`}`;
  return { scheme, host, port, origin, path, ...(isLiteral ? { literal } : {}) };
}

/** What the operator excepts for this target: undefined when nothing; the addresses its name is pinned to, none meaning that it is resolved. */
export function exceptionFor({ scheme, host, port }: Pick<Target, 'scheme' | 'host' | 'port'>, allow: readonly EgressException[]): readonly string[] | undefined {
  const found = allow.filter((each) => each.scheme === scheme && each.host === host && each.port === port);
  return found.length === 0 ? undefined : found.flatMap(({ address }) => (address === undefined ? [] : (canonicalAddress(address) ?? [])));
}

/** Whether policy lets a connection end at `address`; `pinned` is what `exceptionFor` says of the target. */
export function mayReach(address: string, pinned: readonly string[] | undefined): boolean {
  if (pinned === undefined) return reachOf(address) === 'public';
  return pinned.length === 0 ? reachOf(address) !== 'never' : pinned.includes(canonicalAddress(address) ?? '');
}

/** Whether these grants name the origin for this method; the one that does carries the quota. */
export function permitFor({ origin }: Target, method: string, permits: readonly EgressPermit[]): EgressPermit | undefined {
  return permits.find(({ origins, methods }) => methods.includes(method) && isAmong(origin, origins));
}

/** Exact: no suffix, no wildcard. Grants are written by people, with default ports and trailing dots. */
export function isAmong(origin: string, origins: readonly string[]): boolean {
  return origins.some((each) => each === origin || canonicalOrigin(each) === origin);
}

/** Why the target may not be reached by this method; undefined when it may. Says nothing that the network said. */
export function refusalOf(target: Target, method: string, permits: readonly EgressPermit[], allow: readonly EgressException[]): string | undefined {
  if (!permitFor(target, method, permits)) return `${method} ${target.origin} is not granted`;
  const pinned = exceptionFor(target, allow);
  if (target.scheme !== 'https' && pinned === undefined) return `${target.origin} is not https, and egress.allow lists no exception for it`;
  if (target.literal !== undefined && !mayReach(target.literal, pinned)) return `${target.origin} is not a public address, and egress.allow lists no exception for it`;
  return undefined;
}

function canonicalOrigin(text: string): string | undefined {
  const target = targetOf(text);
  return typeof target === 'string' ? undefined : target.origin;
}

/** What RFC 9110 section 15.4 makes of a redirect: 301 and 302 turn POST into GET as every client does, 303 everything but HEAD, 307 and 308 keep method and body. */
export function redirected(status: number, method: string): { readonly method: string; readonly keepsBody: boolean } | undefined {
  switch (status) {
    case 301:
    case 302:
      return method === 'POST' ? { method: 'GET', keepsBody: false } : { method, keepsBody: true };
    case 303:
      return { method: method === 'HEAD' ? 'HEAD' : 'GET', keepsBody: false };
    case 307:
    case 308:
      return { method, keepsBody: true };
    default:
      return undefined;
  }
}
