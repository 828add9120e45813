// Addresses that plugins ask for, however they are written: a granted public https origin, or refused.
import { BlockList, isIP } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reachOf } from '../../host/egress/address.ts';
import { requestHeaders } from '../../host/egress/headers.ts';
import { refusalOf, targetOf, type EgressPermit, type Target } from '../../host/egress/target.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { damagedText } from './arbitraries/bytes.ts';
import { AWKWARD_KEYS, AWKWARD_TEXTS } from './arbitraries/json.ts';

const door = fuzzDoor('egress');
const GRANTED = ['https://api.acme.com', 'https://api.acme.com:8443', 'https://93.184.216.34', 'https://[2606:2800:220:1:248:1893:25c8:1946]', 'https://127.0.0.1', 'https://[::1]', 'https://169.254.169.254', 'http://api.acme.com', 'https://localhost'];
const PERMITS: readonly EgressPermit[] = [{ origins: GRANTED, methods: ['GET'] }];

/** The IANA registries of special addresses, without the library under test. */
const special = { ipv4: new BlockList(), ipv6: new BlockList() }; // apart: one list would take every IPv4 address for one within ::/8
for (const [net, bits] of [['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.0.2.0', 24], ['192.88.99.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4]] as const) special.ipv4.addSubnet(net, bits, 'ipv4');
for (const [net, bits] of [['::', 8], ['64:ff9b::', 96], ['100::', 64], ['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20], ['5f00::', 16], ['fc00::', 7], ['fe80::', 10], ['fec0::', 10], ['ff00::', 8]] as const) special.ipv6.addSubnet(net, bits, 'ipv6');
const isSpecial = (address: string): boolean => {
  if (isIP(address) !== 6) return special.ipv4.check(address, 'ipv4');
  // RFC 4291 §2.5.5.2: an IPv4-mapped address is the IPv4 address, to the policy and to the socket.
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(new URL(`http://[${address}]`).hostname) ?? [];
  if (high === undefined || low === undefined) return special.ipv6.check(address, 'ipv6');
  return special.ipv4.check([high, low].flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255]).join('.'), 'ipv4');
};

const octet = fc.oneof(fc.constantFrom(0, 1, 8, 10, 100, 127, 169, 172, 192, 198, 224, 255), fc.nat(255));
const ipv4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
const group = fc.oneof(fc.constantFrom('0', '1', 'ffff', '64', 'ff9b', '2001', '2002', 'db8', 'fe80', 'fc00', '7f00', '2606'), fc.nat(0xffff).map((each) => each.toString(16)));
const ipv6 = fc.oneof(
  fc.tuple(group, group, group, group, group, group, group, group).map((parts) => parts.join(':')),
  fc.tuple(fc.constantFrom('::', '::ffff:', '::ffff:0:', '64:ff9b::', '2002:', '2001::', '::1:'), group, group).map(([head, left, right]) => `${head}${left}:${right}`),
  fc.tuple(fc.constantFrom('::ffff:', '::', '64:ff9b::', '::ffff:0:', '2001:db8::'), ipv4).map(([head, tail]) => `${head}${tail}`),
);

/** One address in the spellings that URL parsers, resolvers and C libraries know. */
const spelt = ipv4.chain((address) => {
  const parts = address.split('.').map(Number);
  const number = parts.reduce((sum, each) => sum * 256 + each, 0);
  const wide = (text: string) => text.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
  return fc.constantFrom<string>(address, String(number), `0x${number.toString(16)}`, `0${number.toString(8)}`, parts.map((each) => `0x${each.toString(16)}`).join('.'), parts.map((each) => `0${each.toString(8)}`).join('.'), `${parts[0]}.${number % 2 ** 24}`, wide(address), address.replaceAll('.', '。'), `${address}.`, `%3${address[0]}${address.slice(1)}`, `[::ffff:${address}]`, `[::${address}]`, `[64:ff9b::${address}]`);
});

const names = fc.constantFrom('api.acme.com', 'API.ACME.COM', 'api.acme.com.', 'api.acme.com..', 'api。acme。com', 'ａｐｉ.acme.com', 'api.acme.com%2eevil.com', 'evil-api.acme.com', 'api.acme.com.evil.com', 'api.acme.comevil', 'acme.com', 'аpi.acme.com', 'api.acme.com\u200b', 'api\u00ad.acme.com', 'localhost', 'ⓛocalhost', 'LOCALHOST.', 'metadata.google.internal', 'xn--pi-7ka.acme.com', 'api.acme.com:443', '①②⑦.0.0.1', '127.1', '0', '[::]', '[::1%25eth0]', '[fe80::1]', '', '.', '..', 'a'.repeat(64), `${'a.'.repeat(130)}com`, 'api_acme.com', 'api acme.com', 'api.acme.com\\@evil.com', 'api.acme.com#@evil.com', 'api.acme.com/@evil.com', 'api.acme.com?@evil.com');
const hosts = fc.oneof(names, spelt, ipv6.map((address) => `[${address}]`), fc.constantFrom(...GRANTED.map((each) => each.slice(each.indexOf('//') + 2))));

const urls = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom('https://', 'https://', 'https://', 'http://', 'HTTPS://', 'https:', 'https:/', 'https:\\\\', '//', 'ftp://', 'file://', 'data:', 'blob:https://', 'ws://', 'gopher://', 'javascript:', ' https://', 'ht\ntps://', 'https\u0000://'), fc.constantFrom('', '', '', '', 'user@', 'user:pass@', '@', ':@', 'api.acme.com@', 'api.acme.com:443@'), hosts, fc.constantFrom('', '', '', ':443', ':8443', ':80', ':0', ':65535', ':65536', ':', ':-1', ':４４３'), fc.constantFrom('', '/', '/x?y#z', '/../../x', '/%00', '/\r\nhost: evil', '?x', '#x', '/\u00e9', '\\x', `/${'x'.repeat(3000)}`)).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.webUrl({ withQueryParameters: true, withFragments: true }) },
  { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_TEXTS) },
);
const texts = fc.oneof({ weight: 4, arbitrary: urls }, { weight: 1, arbitrary: damagedText(urls, { least: 1, most: 3, dictionary: ['@', '\\', '/', ':', '.', '%2e', '\u0000', '\t', '[', ']', '#', '?'] }) });

describe('addresses that plugins ask for, however they are written', () => {
  it('lead to a granted public origin over https, or are refused', () => {
    const origins = new Set(GRANTED.map((each) => new URL(each).origin));
    const based = fc.tuple(texts, fc.constantFrom(undefined, 'https://api.acme.com/a/b?c'));
    return door.holds({ runs: 8000, given: based }, ([text, base]) => {
      const from = base === undefined ? undefined : (targetOf(base) as Target);
      const target = targetOf(text, from);
      if (typeof target === 'string') return;
      const url = new URL(text, base);
      const again = targetOf(`${target.origin}${target.path}`);
      expect(again).toEqual(target);
      expect([`${target.host}:${target.port}`, target.path]).toEqual([`${url.hostname.replace(/\.$/, '')}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`, url.pathname + url.search]);
      expect(target.path).toMatch(/^\/[\x21-\x7e]*$/);
      if (refusalOf(target, 'GET', PERMITS, []) !== undefined) return;
      expect(origins.has(url.origin.replace(/\.(?=:|$)/, ''))).toBe(true);
      expect(url.protocol).toBe('https:');
      expect(target.literal === undefined || !isSpecial(target.literal)).toBe(true);
      expect(refusalOf(target, 'POST', PERMITS, [])).toBeDefined();
    });
  });

  it('count as public only outside of every special range', () => door.holds({ runs: 8000, given: fc.oneof(ipv4, ipv6, fc.string({ maxLength: 20 })) }, (address) => {
    const reach = reachOf(address);
    expect(['public', 'private', 'never']).toContain(reach);
    expect(reach !== 'public' || (isIP(address) !== 0 && !isSpecial(address))).toBe(true);
  }));
});

describe('headers that plugins set', () => {
  const name = fc.oneof(fc.constantFrom('accept', 'Accept', 'x-a', 'host', 'Host', 'HOST ', 'content-length', 'Transfer-Encoding', 'te', 'connection', 'upgrade', 'expect', 'proxy-authorization', 'Sec-Fetch-Site', 'x-forwarded-for', 'X-Forwarded-Host', 'cookie', 'x-http-method-override', 'authorization', 'a b', 'a:b', 'a\r\nb', 'é'), fc.constantFrom(...AWKWARD_KEYS), fc.string({ maxLength: 10 }));
  const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('1', 'a\r\nhost: evil', 'a\nb', 'a\u0000b', '\u00ff', 'x'.repeat(20_000)));

  it('are single lines of ASCII under names that are theirs to set, or refused', () => door.holds({ runs: 3000, given: fc.array(fc.tuple(name, value), { maxLength: 4 }) }, (entries) => {
    const headers = requestHeaders(Object.fromEntries(entries));
    if (typeof headers === 'string') return;
    for (const [key, text] of headers) {
      expect(key).toMatch(/^[!#$%&'*+.^_`|~0-9a-z-]+$/);
      expect(key).not.toMatch(/^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|cookie2?|keep-alive|forwarded|via|proxy-.*|sec-.*|x-forwarded-.*|x-http-method.*)$/);
      expect(text).toMatch(/^[\t\x20-\x7e]*$/);
    }
    expect(headers.size).toBeLessThanOrEqual(new Set(entries.map(([key]) => key.toLowerCase())).size);
  }));
});
