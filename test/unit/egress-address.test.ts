// Which addresses plugins may reach, as a table: the special ranges of the IANA registries with their first and last addresses, what lies beside them, and every way to write one inside another.
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, isOwnAddress, reachOf, type Reach } from '../../host/egress/address.ts';

/** https://www.iana.org/assignments/iana-ipv4-special-registry and the ranges of RFC 1112 and 5771. */
const RANGES_4: readonly (readonly [cidr: string, Reach])[] = [
  ['0.0.0.0/8', 'never'], ['10.0.0.0/8', 'private'], ['100.64.0.0/10', 'private'], ['127.0.0.0/8', 'private'], ['169.254.0.0/16', 'never'], ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'never'], ['192.0.2.0/24', 'never'], ['192.31.196.0/24', 'never'], ['192.52.193.0/24', 'never'], ['192.88.99.0/24', 'never'], ['192.168.0.0/16', 'private'],
  ['192.175.48.0/24', 'never'], ['198.18.0.0/15', 'never'], ['198.51.100.0/24', 'never'], ['203.0.113.0/24', 'never'], ['224.0.0.0/4', 'never'], ['240.0.0.0/4', 'never'], ['255.255.255.255/32', 'never'],
];

/** https://www.iana.org/assignments/iana-ipv6-special-registry, and all that is not global unicast. */
const RANGES_6: readonly (readonly [cidr: string, Reach])[] = [
  ['::/128', 'never'], ['::1/128', 'private'], ['::2/128', 'never'], ['::ffff:0:0:0/96', 'never'], ['64:ff9b::/96', 'never'], ['64:ff9b:1::/48', 'never'], ['100::/64', 'never'], ['100:0:0:1::/64', 'never'],
  ['2001::/32', 'never'], ['2001:1::1/128', 'never'], ['2001:1::2/128', 'never'], ['2001:2::/48', 'never'], ['2001:3::/32', 'never'], ['2001:4:112::/48', 'never'], ['2001:10::/28', 'never'], ['2001:20::/28', 'never'], ['2001:30::/28', 'never'],
  ['2001:db8::/32', 'never'], ['2002::/16', 'never'], ['2620:4f:8000::/48', 'never'], ['3fff::/20', 'never'], ['5f00::/16', 'never'],
  ['4000::/3', 'never'], ['6000::/3', 'never'], ['8000::/3', 'never'], ['a000::/3', 'never'], ['c000::/3', 'never'], ['e000::/4', 'never'], ['f000::/5', 'never'], ['f800::/6', 'never'],
  ['fc00::/7', 'private'], ['fe00::/9', 'never'], ['fe80::/10', 'never'], ['fec0::/10', 'never'], ['ff00::/8', 'never'], ['200::/7', 'never'], ['400::/6', 'never'], ['800::/5', 'never'], ['1000::/4', 'never'],
];

const PUBLIC = [
  '1.0.0.1', '1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '93.184.215.14', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0',
  '191.255.255.255', '192.0.1.0', '192.0.3.0', '192.31.195.255', '192.31.197.0', '192.88.98.255', '192.88.100.0', '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '198.51.99.255', '198.51.101.0', '203.0.112.255',
  '203.0.114.0', '223.255.255.255', '2000::1', '2001:200::1', '2001:4860:4860::8888', '2001:db7:ffff::1', '2001:db9::1', '2003::1', '2606:4700:4700::1111', '2a00:1450:4001::200e', '2620:4f:7fff::1', '3fff:1000::1', '3ffe::1',
];

const cases = [...RANGES_4.flatMap(([cidr, reach]) => edgesOf4(cidr).map((address) => [address, reach] as const)), ...RANGES_6.flatMap(([cidr, reach]) => edgesOf6(cidr).map((address) => [address, reach] as const)), ...PUBLIC.map((address) => [address, 'public'] as const)];

describe('the reach of an address', () => {
  it('is what the registries say, at both ends of every range and beside it', () => {
    const wrong = cases.filter(([address, reach]) => reachOf(address) !== reach).map(([address, reach]) => `${address} is ${reachOf(address)}, not ${reach}`);
    expect(wrong).toEqual([]);
    expect(cases.length).toBeGreaterThan(150);
  });

  it('is the same for an IPv4 address mapped into IPv6, in every spelling', () => {
    const four = cases.filter(([address]) => !address.includes(':'));
    const spelled = four.flatMap(([address, reach]) => [`::ffff:${address}`, `::ffff:${hexOf(address)}`, `0:0:0:0:0:FFFF:${address}`, `0000:0000:0000:0000:0000:ffff:${hexOf(address)}`].map((each) => [each, reach] as const));
    expect(spelled.length).toBeGreaterThan(250);
    expect(spelled.filter(([address, reach]) => reachOf(address) !== reach)).toEqual([]);
  });

  it('is never for an IPv4 address in any other IPv6 wrapping, public or not', () => {
    const wrapped = cases.filter(([address]) => !address.includes(':')).flatMap(([address]) => {
      const hex = hexOf(address);
      return [`::${address}`, `::${hex}`, `::ffff:0:${hex}`, `64:ff9b::${address}`, `64:ff9b:1::${hex}`, `2002:${hex}::`, `2002:${hex}::1`, `2001:0:${hex}::`];
    });
    expect(wrapped.length).toBeGreaterThan(500);
    // `::0.0.0.1` is loopback itself.
    expect(wrapped.filter((address) => canonicalAddress(address) !== '::1' && reachOf(address) !== 'never')).toEqual([]);
  });

  it('is never for metadata and agents of clouds, even where they have private or public numbers', () => {
    const platform = ['169.254.169.254', '169.254.170.2', '169.254.169.123', '168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', 'FD00:EC2:0::254', 'fe80::a9fe:a9fe', '::ffff:169.254.169.254', '::ffff:168.63.129.16'];
    expect(platform.filter((address) => reachOf(address) !== 'never')).toEqual([]);
  });

  it('is never for text that is no plain address', () => {
    const texts = ['', ' ', '0', '1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.0.0.1', '0177.0.0.1', '127.0.0.01', '127.0.0.1 ', ' 8.8.8.8', '8.8.8.8\n', '8.8.8.256', '8.8.8.8.8', '8.8.8', '8.8.8.8/32', '8.8.8.8:443', '[::1]', '[2606:4700::1]', '2606:4700::1%eth0', 'fe80::1%1', '1::2::3', ':::', '2606:4700:::1', '::g', '12345::1', 'localhost', 'example.com', '８.8.8.8', '::1]@[2606:4700::1', '2606:4700::1]/x'];
    expect(texts.filter((text) => reachOf(text) !== 'never')).toEqual([]);
  });
});

describe('an address of this machine', () => {
  it('is every address of its interfaces, all of loopback, and the unspecified ones', () => {
    const interfaces = Object.values(networkInterfaces()).flatMap((each) => each ?? []).map(({ address }) => address);
    const own = [...interfaces, '127.0.0.1', '127.255.0.3', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '0.0.0.0', '::', '::ffff:0.0.0.0'];
    expect(own.filter((address) => !isOwnAddress(address) && !address.includes('%'))).toEqual([]);
    expect(['8.8.8.8', '2606:4700::1', 'localhost', ''].filter(isOwnAddress)).toEqual([]);
  });
});

function edgesOf4(cidr: string): string[] {
  const [base = '', bits = '32'] = cidr.split('/');
  const first = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  const textOf = (value: number) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
  return [...new Set([first, first + 1, first + Math.floor(size / 2), first + size - 1].filter((value) => value < first + size).map(textOf))];
}

function edgesOf6(cidr: string): string[] {
  const [base = '', bits = '128'] = cidr.split('/');
  const [head = '', tail] = base.split('::');
  const parts = (text: string) => (text === '' ? [] : text.split(':'));
  const groups = tail === undefined ? parts(head) : [...parts(head), ...Array<string>(8 - parts(head).length - parts(tail).length).fill('0'), ...parts(tail)];
  const first = groups.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
  const size = 1n << BigInt(128 - Number(bits));
  const textOf = (value: bigint) => Array.from({ length: 8 }, (_, index) => ((value >> BigInt(16 * (7 - index))) & 0xffffn).toString(16)).join(':');
  return [...new Set([first, first + 1n, first + size / 2n, first + size - 1n].filter((value) => value < first + size).map(textOf))];
}

function hexOf(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
