// Headers on their way out and back: what a plugin may not say for the host, and what of a response it does not get.
import { describe, expect, it } from 'vitest';
import { headersForOtherOrigin, headersWithoutBody, requestHeaders, responseHeaders } from '../../host/egress/headers.ts';

describe('headers of a request', () => {
  it('arrive under lower-case names, trimmed', () => {
    expect(requestHeaders({ Accept: ' text/plain ', 'X-Api-Key': 'k\tv', Authorization: 'Bearer x', '__proto__x': 'y' })).toEqual(new Map([['accept', 'text/plain'], ['x-api-key', 'k\tv'], ['authorization', 'Bearer x'], ['__proto__x', 'y']]));
    expect(requestHeaders(JSON.parse('{"__proto__":"x"}') as Record<string, string>)).toEqual(new Map([['__proto__', 'x']]));
  });

  it.each([
    'Host', 'connection', 'Content-Length', 'Transfer-Encoding', 'TE', 'Trailer', 'Upgrade', 'Expect', 'Keep-Alive', 'HTTP2-Settings', 'Proxy-Authorization', 'proxy-connection', 'X-Forwarded-For', 'x-forwarded-host',
    'Forwarded', 'Via', 'X-Real-IP', 'Cookie', 'Cookie2', 'Set-Cookie', 'Sec-Fetch-Site', 'sec-websocket-key', 'Accept-Encoding', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-Original-URL',
  ])("68 header-smuggle: %s is the host's to set", (name) => {
    expect(requestHeaders({ [name]: 'x' })).toBe(`the header '${name.toLowerCase()}' is the host's to set`);
  });

  it.each([
    ['x', 'a\r\nhost: evil'], ['x', 'a\nb'], ['x', 'a\rb'], ['x', 'a\u0000b'], ['x', '\u007f'], ['x', 'ü'], ['x', '\u010a'], ['x', 'a\u2028b'], ['x', '😀'],
    ['x\r\ny', 'v'], ['x:', 'v'], ['x y', 'v'], [' host', 'v'], ['host ', 'v'], ['', 'v'], ['x\u0000', 'v'], ['ｈost', 'v'], ['x'.repeat(101), 'v'], ['trans\u00adfer-encoding', 'v'],
  ])('68 header-smuggle: %j: %j is no header', (name, value) => {
    expect(requestHeaders({ [name]: value })).toEqual(expect.any(String));
  });

  it('68 header-smuggle: a name twice in different case is refused', () => {
    expect(requestHeaders({ 'X-Key': '1', 'x-key': '2' })).toBe("the header 'x-key' is there twice");
  });

  it('are bounded in number and size', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '']));
    expect(requestHeaders(many(64))).toBeInstanceOf(Map);
    expect(requestHeaders(many(65))).toContain('more than 64');
    expect(requestHeaders({ x: 'v'.repeat(8191) })).toBeInstanceOf(Map);
    expect(requestHeaders({ x: 'v'.repeat(8192) })).toContain('more than 8192 bytes');
  });

  it('go to another origin only when they are harmless, whatever a credential is called', () => {
    const headers = new Map([['accept', '*/*'], ['content-type', 'text/plain'], ['user-agent', 'x'], ['authorization', 'a'], ['x-api-key', 'k'], ['private-token', 't'], ['idempotency-key', 'i'], ['apikey', 'k']]);
    expect([...headersForOtherOrigin(headers).keys()]).toEqual(['accept', 'content-type', 'user-agent']);
  });

  it('that describe a body go with it', () => {
    expect([...headersWithoutBody(new Map([['content-type', 'x'], ['content-language', 'y'], ['accept', 'z']])).keys()]).toEqual(['accept']);
  });
});

describe('headers of a response', () => {
  it('111 header-proto: have no prototype, and __proto__ is a name like any other', () => {
    const headers = responseHeaders(['__proto__', 'polluted', 'constructor', 'c', 'toString', 't', '__PROTO__', 'again']);
    expect(Object.getPrototypeOf(headers)).toBeNull();
    expect(Object.entries(headers)).toEqual([['__proto__', 'polluted, again'], ['constructor', 'c'], ['tostring', 't']]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(JSON.stringify(headers)).toContain('"__proto__":"polluted, again"');
  });

  it('lose cookies, and what speaks of the connection or of bytes that plugin code does not see', () => {
    expect({ ...responseHeaders(['Set-Cookie', 'a', 'SET-COOKIE2', 'b', 'Connection', 'close', 'Keep-Alive', 'x', 'Transfer-Encoding', 'chunked', 'Content-Encoding', 'gzip', 'Content-Length', '5', 'Alt-Svc', 'h3', 'Proxy-Authenticate', 'Basic', 'Upgrade', 'h2c', 'Trailer', 'x', 'Content-Type', 'text/plain']) }).toEqual({ 'content-type': 'text/plain' });
  });

  it('that repeat are joined in order', () => {
    expect(responseHeaders(['Link', 'a', 'x', '1', 'link', 'b'])).toMatchObject({ link: 'a, b', x: '1' });
  });
});
