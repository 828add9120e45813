// Which addresses plugins may reach. connector.ts asks about every answer of a resolver and every connected socket, target.ts about literals in URLs.
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** `private` opens to an operator's exception; `never` only to one that pins this very address. */
export type Reach = 'public' | 'private' | 'never';

/**
 * Anything that is not plainly one or the other is `never`: text that is no address, zones, link-local (cloud metadata), multicast, unspecified (which connects
 * to loopback), and every range that carries other addresses inside (NAT64, 6to4, Teredo, IPv4-compatible).
 * Ranges: IANA special-purpose registries by way of ipaddr.js. Its list leaves `::/96` and other unassigned space in, so IPv6 must be global unicast (2000::/3, RFC 4291);
 * and what it learned late is named here, so that no version of it opens a hole.
 */
export function reachOf(address: string): Reach {
  const parsed = parse(address);
  if (!parsed || PLATFORM.has(parsed.toString())) return 'never';
  const range = parsed.range();
  if (range === 'unicast') return !(parsed instanceof ipaddr.IPv6) || (parsed.match(GLOBAL_UNICAST) && !parsed.match(DOCUMENTATION)) ? 'public' : 'never';
  return PRIVATE.has(range) ? 'private' : 'never';
}

/** One spelling for each address: `::ffff:1.2.3.4` is `1.2.3.4`. Undefined for what is none. */
export function canonicalAddress(text: string): string | undefined {
  return parse(text)?.toString();
}

/** Whether it leads to this machine: loopback, unspecified, or any address of its interfaces. These are asked each time, because they come and go. */
export function isOwnAddress(address: string): boolean {
  const own = canonicalAddress(address);
  if (own === undefined) return false;
  if (own.startsWith('127.') || own === '::1' || own === '0.0.0.0' || own === '::') return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some((each) => canonicalAddress(each.address) === own));
}

const PRIVATE: ReadonlySet<string> = new Set(['loopback', 'private', 'carrierGradeNat', 'uniqueLocal']);

/** Answered by the platform below a virtual machine, and not link-local as the others: Azure's agent, Alibaba's and (over IPv6) Amazon's metadata. */
const PLATFORM: ReadonlySet<string> = new Set(['168.63.129.16', '100.100.100.200', 'fd00:ec2::254']);

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** RFC 9637. */
const DOCUMENTATION = ipaddr.IPv6.parseCIDR('3fff::/20');

/**
 * Only the spellings a resolver or socket gives: no octal, no hex, no missing parts, no zone. IPv6 goes through the URL parser first, because ipaddr.js reads
 * `::8.8.8.8` (IPv4-compatible, which is how inet_ntop writes `::808:808`) as the IPv4 address, and the socket would go elsewhere.
 */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const hostname = /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? URL.parse(`http://[${text}]`)?.hostname : undefined;
  return hostname === undefined ? undefined : ipaddr.process(hostname.slice(1, -1));
}
