// IP addresses as the network policy compares them: loopback, networks in CIDR, and what counts as one sender. Pure; used by config.ts and the control plane.
import { BlockList, isIP, isIPv4 } from 'node:net';

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

export const listensEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** `::ffff:10.0.0.1`, as a socket that takes both families has it, is `10.0.0.1`; a zone (`fe80::1%eth0`) is cut off. */
export function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  return mapped !== undefined && isIPv4(mapped) ? mapped : plain;
}

/** What rates and lockouts count by: an IPv4 address, or the /64 of an IPv6 one, which is what a single subscriber is given. */
export function senderKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? front : [...front, ...Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0'), ...back];
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}

/** Of a network in CIDR: `10.0.0.0/8` has 8, an address all its bits; undefined for what is neither. */
export function prefixLength(cidr: string): number | undefined {
  const [address = '', bits] = cidr.split('/');
  const most = { 0: undefined, 4: 32, 6: 128 }[isIP(address)];
  if (most === undefined) return undefined;
  const length = bits === undefined ? most : Number(bits);
  return length <= most ? length : undefined;
}

/** Tells whether an address is in one of these networks; those that are none are passed over. */
export function within(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const length = prefixLength(cidr);
    const [address = ''] = cidr.split('/');
    if (length !== undefined) list.addSubnet(address, length, familyOf(address));
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address));
}

const familyOf = (address: string) => (isIPv4(address) ? 'ipv4' : 'ipv6');
