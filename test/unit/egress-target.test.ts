// Where a request goes, in one spelling, and whether it may: URLs as attackers write them against grants as people write them.
import { describe, expect, it } from 'vitest';
import { exceptionFor, isAmong, mayReach, redirected, refusalOf, targetOf, type EgressException, type EgressPermit, type Target } from '../../host/egress/target.ts';

function target(url: string, base?: Target): Target {
  const found = targetOf(url, base);
  if (typeof found === 'string') throw new Error(`${url}: ${found}`);
  return found;
}

const permits = (...origins: string[]): EgressPermit[] => [{ origins, methods: ['GET', 'POST'] }];

describe('the target of a URL', () => {
  it.each([
    ['https://api.example/a/b?c=d#e', 'https://api.example', '/a/b?c=d'],
    ['HTTPS://API.Example:443', 'https://api.example', '/'],
    ['https://api.example.:443/', 'https://api.example', '/'],
    ['https:\\\\api.example\\x', 'https://api.example', '/x'],
    ['https:api.example/x', 'https://api.example', '/x'],
    [' \thttps://api.example/\n', 'https://api.example', '/'],
    ['ht\ntps://api\t.example/', 'https://api.example', '/'],
    ['https://api.example:8443/', 'https://api.example:8443', '/'],
    ['https://api.example:00443/', 'https://api.example', '/'],
    ['https://ＡＰＩ.example/', 'https://api.example', '/'],
    ['https://api。example/', 'https://api.example', '/'],
    ['https://%61pi.example/', 'https://api.example', '/'],
    ['https://bücher.example/ü?ü', 'https://xn--bcher-kva.example', '/%C3%BC?%C3%BC'],
    ['https://api.example/../../x/./%2e%2e/y', 'https://api.example', '/y'],
    ['https://api.example//evil.example/', 'https://api.example', '//evil.example/'],
    ['https://api.example/a b\r\nHost: evil', 'https://api.example', '/a%20bHost:%20evil'],
  ])('of %j is %s %s', (url, origin, path) => {
    expect(target(url)).toMatchObject({ origin, path });
  });

  it.each([
    ['http://127.0.0.1/', '127.0.0.1'], ['http://2130706433/', '127.0.0.1'], ['http://0x7f.1/', '127.0.0.1'], ['http://0177.1/', '127.0.0.1'], ['http://0x7f000001/', '127.0.0.1'], ['http://127.1/', '127.0.0.1'],
    ['http://0/', '0.0.0.0'], ['http://127.0.0.1./', '127.0.0.1'], ['http://①②⑦.⓪.⓪.①/', '127.0.0.1'], ['http://１２７.0.0.1/', '127.0.0.1'], ['http://%31%32%37.1/', '127.0.0.1'], ['http://[::1]/', '::1'],
    ['http://[0:0:0:0:0:0:0:1]/', '::1'], ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'], ['http://[::ffff:7f00:1]/', '::ffff:7f00:1'], ['http://[::7f00:1]/', '::7f00:1'], ['http://[::127.0.0.1]/', '::7f00:1'],
    ['http://[FD00:EC2::254]/', 'fd00:ec2::254'], ['http://0xa9fea9fe/', '169.254.169.254'], ['http://169.254.43518/', '169.254.169.254'],
  ])('of %s is the address %s', (url, literal) => {
    expect(target(url).literal).toBe(literal);
  });

  it.each(['ⓛocalhost', 'LOCALHOST', 'localhost.', 'ｌｏｃａｌｈｏｓｔ', 'lo\u00adcalhost'])('63 unicode-host: %j is localhost', (host) => {
    expect(target(`http://${host}/`)).toMatchObject({ host: 'localhost' });
  });

  it.each([
    ['', 'not absolute'], ['/path', 'not absolute'], ['//api.example/', 'not absolute'], ['https://', 'not absolute'], ['https:///', 'not absolute'], ['https://[::1', 'not absolute'], ['https://[fe80::1%25eth0]/', 'not absolute'], ['https://a b.example/', 'not absolute'], ['https://api.example:99999/', 'not absolute'], ['https://1.2.3.4.5/', 'not absolute'], ['https://256.1.1.1/', 'not absolute'],
    ['https://user@api.example/', 'user'], ['https://user:pw@api.example/', 'user'], ['https://:pw@api.example/', 'user'], ['https://api.example@evil.example/', 'user'], ['https://api.example%2f@evil.example/', 'user'],
    ['https://api..example/', 'labels'], ['https://.api.example/', 'labels'], ['https://api.example../', 'labels'], [`https://${'a'.repeat(64)}.example/`, 'labels'], [`https://${'a.'.repeat(130)}example/`, 'labels'],
    ['https://api.example:0/', 'port 0'], [`https://api.example/${'a'.repeat(9000)}`, 'more than'], [`https://api.example/${'ü'.repeat(3000)}`, 'more than'],
  ])('of %j is refused: %s', (url, reason) => {
    expect(targetOf(url)).toEqual(expect.stringContaining(reason));
  });

  it.each(['file:///etc/passwd', 'data:text/plain,hi', 'blob:https://api.example/1', 'ws://api.example/', 'wss://api.example/', 'ftp://api.example/', 'gopher://api.example/', 'javascript:alert(1)', 'about:blank', 'unix:/run/docker.sock', 'http+unix://x/', 'jar:https://api.example!/', 'view-source:https://api.example/', 'node:fs'])('66 scheme: %s is refused for its scheme', (url) => {
    expect(targetOf(url)).toEqual(expect.stringContaining('scheme'));
  });

  it('of a redirect is read against where it came from', () => {
    const base = target('https://api.example/a/b?c');
    expect(target('../d', base).path).toBe('/d');
    expect(target('?e', base).path).toBe('/a/b?e');
    expect(target('//other.example/x', base).origin).toBe('https://other.example');
    expect(target('/\\other.example', base).origin).toBe('https://other.example');
    expect(target('https:/other', base).origin).toBe('https://api.example');
    expect(targetOf('file:///etc/passwd', base)).toEqual(expect.stringContaining('scheme'));
  });
});

describe('a grant', () => {
  it('65 suffix-confuse: names exact origins, whoever stands beside them', () => {
    const granted = permits('https://allowed.example');
    for (const url of ['https://allowed.example.evil/', 'https://evilallowed.example/', 'https://evil.allowed.example/', 'https://allowed.exampl/', 'https://allowed.example:444/', 'https://allowed-example/', 'https://xn--allwed-uta.example/', 'https://аllowed.example/', 'https://allowed.example%00.evil/', 'http://allowed.example/']) {
      const found = targetOf(url);
      expect([url, typeof found === 'string' || refusalOf(found, 'GET', granted, []) !== undefined]).toEqual([url, true]);
    }
    for (const url of ['https://allowed.example/', 'https://ALLOWED.example.:443/x?y']) expect(refusalOf(target(url), 'GET', granted, [])).toBeUndefined();
  });

  it('65 suffix-confuse: knows no wildcard', () => {
    expect(refusalOf(target('https://a.example/'), 'GET', permits('https://*.example', 'https://*', '*', 'https://', 'https://.example', ''), [])).toContain('not granted');
  });

  it('is compared by what it means, not by how it is spelled', () => {
    expect(isAmong('https://api.example', ['https://api.example:443'])).toBe(true);
    expect(isAmong('https://api.example', ['https://api.example.'])).toBe(true);
    expect(isAmong('https://api.example:8443', ['https://api.example'])).toBe(false);
  });

  it('binds origin and method together', () => {
    const both: EgressPermit[] = [{ origins: ['https://a.example'], methods: ['GET'] }, { origins: ['https://b.example'], methods: ['POST'] }];
    expect(refusalOf(target('https://a.example/'), 'POST', both, [])).toContain('POST https://a.example is not granted');
    expect(refusalOf(target('https://b.example/'), 'POST', both, [])).toBeUndefined();
    for (const method of ['get', 'CONNECT', 'TRACE', 'OPTIONS', '']) expect(refusalOf(target('https://a.example/'), method, both, [])).toContain('not granted');
  });

  it('of an address that is not public is refused before anything is connected to', () => {
    for (const url of ['https://127.0.0.1/', 'https://[::1]/', 'https://10.1.2.3/', 'https://169.254.169.254/', 'https://[::ffff:a00:1]/', 'https://[::7f00:1]/', 'https://0.0.0.0/']) {
      expect(refusalOf(target(url), 'GET', permits(target(url).origin), [])).toContain('not a public address');
    }
    expect(refusalOf(target('https://1.1.1.1/'), 'GET', permits('https://1.1.1.1'), [])).toBeUndefined();
  });
});

describe("an operator's exception", () => {
  const allow: EgressException[] = [
    { host: 'internal.example', scheme: 'http', port: 8080 },
    { host: 'pinned.example', scheme: 'https', port: 443, address: '10.0.0.5' },
    { host: '[::1]', scheme: 'http', port: 80 },
    { host: '10.0.0.7', scheme: 'http', port: 80 },
  ];

  it('names scheme, host and port, all three', () => {
    expect(exceptionFor(target('http://internal.example:8080/'), allow)).toEqual([]);
    for (const url of ['https://internal.example:8080/', 'http://internal.example/', 'http://internal.example:8081/', 'http://x.internal.example:8080/', 'http://pinned.example/', 'https://pinned.example:8443/']) expect(exceptionFor(target(url), allow)).toBeUndefined();
    expect(exceptionFor(target('https://pinned.example./'), allow)).toEqual(['10.0.0.5']);
  });

  it('is needed for http, whatever is granted, and grants nothing itself', () => {
    expect(refusalOf(target('http://internal.example:8081/'), 'GET', permits('http://internal.example:8081'), allow)).toContain('not https');
    expect(refusalOf(target('http://internal.example:8080/'), 'GET', permits('http://internal.example:8080'), allow)).toBeUndefined();
    expect(refusalOf(target('http://internal.example:8080/'), 'GET', permits('https://internal.example:8080'), allow)).toContain('not granted');
  });

  it('opens private addresses to a literal, and to a name', () => {
    expect(refusalOf(target('http://[::1]/'), 'GET', permits('http://[::1]'), allow)).toBeUndefined();
    expect(refusalOf(target('http://10.0.0.7/'), 'GET', permits('http://10.0.0.7'), allow)).toBeUndefined();
    expect(['10.0.0.1', '127.0.0.1', '8.8.8.8'].every((address) => mayReach(address, []))).toBe(true);
  });

  it('opens metadata and the like only when it pins that very address', () => {
    for (const address of ['169.254.169.254', '0.0.0.0', '224.0.0.1', '::7f00:1', 'fd00:ec2::254']) {
      expect([address, mayReach(address, [])]).toEqual([address, false]);
      expect([address, mayReach(address, [address])]).toEqual([address, true]);
    }
  });

  it('that pins an address allows no other, not even a public one', () => {
    expect(mayReach('::ffff:10.0.0.5', ['10.0.0.5'])).toBe(true);
    expect(mayReach('10.0.0.6', ['10.0.0.5'])).toBe(false);
    expect(mayReach('8.8.8.8', ['10.0.0.5'])).toBe(false);
  });

  it('is not needed for public addresses, and nothing else passes without one', () => {
    expect(mayReach('8.8.8.8', undefined)).toBe(true);
    for (const address of ['10.0.0.1', '127.0.0.1', '::1', 'fd00::1', '169.254.169.254', '']) expect(mayReach(address, undefined)).toBe(false);
  });
});

describe('a redirect', () => {
  it.each([
    [301, 'GET', 'GET', true], [301, 'POST', 'GET', false], [301, 'PUT', 'PUT', true], [302, 'POST', 'GET', false], [302, 'DELETE', 'DELETE', true], [303, 'PUT', 'GET', false], [303, 'HEAD', 'HEAD', false],
    [307, 'POST', 'POST', true], [308, 'PATCH', 'PATCH', true],
  ] as const)('%i makes of %s a %s', (status, method, next, keepsBody) => {
    expect(redirected(status, method)).toEqual({ method: next, keepsBody });
  });

  it.each([200, 201, 204, 300, 304, 305, 306, 399, 400, 500])('%i is none', (status) => {
    expect(redirected(status, 'GET')).toBeUndefined();
  });
});
