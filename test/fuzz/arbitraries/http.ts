// HTTP requests as bytes: well-formed, nearly so, and as smugglers write them.
import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { damaged } from './bytes.ts';
import { edited } from './documents.ts';
import { jsonBytes, type Json } from './json.ts';

export interface HttpWorld {
  /** `Host` of the server. */
  readonly authority: string;
  /** Secret that requests of the webhook are signed with. */
  readonly secret: string;
}

const CONVERSATION = 'abcdefghijklmnopqrstuvwx';

/** Paths that lead somewhere, and what becomes of them in transit. */
const TARGETS = [
  '/', '/healthz', '/readyz', '/metrics', '/openapi.json', '/api/v1/status', '/api/v1/plugins', '/api/v1/messages?limit=5', '/api/v1/nothing', '/channels/webhook/messages', '/channels/webhook/conversations/c/messages?after=',
  '/channels/webhook/conversations/%2e%2e/messages', '/channels/webhook/conversations/a%2fb/messages', '/channels/webchat', '/channels/webchat/', '/channels/webchat/webchat.js', `/channels/webchat/ws?conversation=${CONVERSATION}`, '/channels/webchat/ws',
  '/channels/nobody/x', '/channels//x', '/channels/constructor/x', '/channels/__proto__/x', '/channels/webchat/../../../etc/passwd', '/channels/webchat/%2e%2e%2f%2e%2e%2fplugin.js', '/channels/webchat/..%5cplugin.js', '/channels/webchat/%00', '/channels/webchat//', '/healthz/', '/HEALTHZ', '//healthz', '/./healthz', '/healthz%00', '/healthz;x', '/healthz?', '/healthz?a&a&__proto__=1&constructor[x]=2', '/healthz#x',
  '/%', '/%zz', '/%c0%af', '/%ff', '*', '', 'healthz', 'http://127.0.0.1/healthz', 'http://evil.example/healthz', 'https://127.0.0.1:1/healthz', 'file:///etc/passwd', '127.0.0.1:80', `/${'a'.repeat(300)}`, `/channels/${'b'.repeat(200)}/x`, `/channels/webhook/${'c/'.repeat(200)}`, `/${'d'.repeat(17_000)}`, `/healthz?${'e'.repeat(15_000)}`, `/healthz?${'f=1&'.repeat(2000)}`, '/\u00e9', '/\u0001', '/a b', '/\t',
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'QUERY', 'PROPFIND', 'M-SEARCH', 'SOURCE', 'PRI', 'get', 'GET\u0000', '', 'X'.repeat(200), 'G(T'];
const VERSIONS = [' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.1', ' HTTP/1.0', ' HTTP/0.9', ' HTTP/1.2', ' HTTP/2.0', ' http/1.1', '', ' HTTP/1.1 ', '  HTTP/1.1', ' HTTP/11', ' HTTPS/1.1'];

/** Header lines beside `Host` and the framing of the body. */
const LINES = [
  'connection: keep-alive', 'connection: close', 'connection: upgrade', 'connection: upgrade, keep-alive', 'connection: content-length', 'upgrade: websocket', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAoAAAAAIAAAAA', 'upgrade: websocket, h2c', 'sec-websocket-version: 13', 'sec-websocket-version: 12', 'sec-websocket-version: x',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-key: short', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-protocol: a, b', 'sec-websocket-protocol: \u0001', 'sec-websocket-extensions: permessage-deflate; client_max_window_bits=99', 'sec-websocket-extensions: ;;;', 'origin: https://evil.example', 'origin: null', 'origin: http://127.0.0.1',
  'expect: 100-continue', 'expect: 200-ok', 'expect: \u00e9', 'content-type: application/json', 'content-type: text/plain', 'content-type: application/json; charset=utf-16', 'content-type: ;', 'content-type: multipart/form-data; boundary=', 'content-encoding: gzip', 'accept-encoding: gzip;q=1.0, identity; q=0.5, *;q=0', 'accept: application/xml',
  'authorization: Basic YTpi', 'authorization: Bearer', 'authorization: ', 'x-gatehouse-signature: sha256=00', `x-gatehouse-signature: sha256=${'0'.repeat(64)}`, `x-gatehouse-signature: ${'0'.repeat(64)}`, 'x-gatehouse-signature: sha256=\u00e9', 'cookie: a=b', 'cookie: a=b\r\ncookie: c=d', 'x-forwarded-for: 127.0.0.1', 'x-forwarded-host: evil.example', 'x-http-method-override: DELETE',
  'range: bytes=0-10000000000', 'range: bytes=5-2', 'if-none-match: *', 'if-modified-since: never', 'te: trailers', 'trailer: content-length', '__proto__: x', 'constructor: x', 'toString: x', 'a:', ': b', 'no colon', 'a : b', ' folded: 1', 'a: b\r\n folded', 'a: b\r\n\tfolded', 'a\u0000b: c', 'a: b\u0000c', 'a: b\rc', 'a: b\nc: d', '\u00e9: 1', 'a: \u00ff\u00fe', 'a b: c', '"a": b', `big: ${'x'.repeat(15_000)}`, `big: ${'x'.repeat(17_000)}`, Array.from({ length: 300 }, (_, n) => `h${n}: 1`).join('\r\n'), Array.from({ length: 2100 }, () => 'h: 1').join('\r\n'),
];

interface Body {
  /** Header lines that say how the body is framed. */
  readonly lines: readonly string[];
  readonly bytes: Buffer;
}

/** The content in a frame that fits, and in many that do not: where two readers see different ends, requests are smuggled. */
const framed = (content: Buffer): fc.Arbitrary<Body> => {
  const length = content.length;
  const hex = length.toString(16);
  const chunk = (size: string, end = '0\r\n\r\n') => Buffer.concat([Buffer.from(`${size}\r\n`), content, Buffer.from(`\r\n${end}`)]);
  const plain = (...values: readonly string[]): Body => ({ lines: values.map((value) => `content-length: ${value}`), bytes: content });
  const chunked = (bytes: Buffer, ...lines: readonly string[]): Body => ({ lines: lines.length > 0 ? lines : ['transfer-encoding: chunked'], bytes });
  const te = (value: string): Body => chunked(chunk(hex), `transfer-encoding: ${value}`);
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant(plain(String(length))) },
    { weight: 2, arbitrary: fc.constant(chunked(chunk(hex))) },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Body>(
        { lines: [], bytes: content }, plain(String(length + 5)), plain(String(Math.max(0, length - 5))), plain('0'), plain('-1'), plain(`+${length}`), plain(`0${length}`), plain(`0x${hex}`), plain(`${length}.0`), plain(`${length} ${length}`), plain(`${length}, ${length}`), plain(String(length), String(length)), plain(String(length), '0'), plain(''), plain('1e2'), plain('99999999999999999999'), plain('9007199254740993'), plain(`${length}\u0000`), plain('300000'),
        { lines: [`Content-Length : ${length}`], bytes: content }, { lines: [`content-length:\t${length}`], bytes: content }, { lines: [`content-length:\u000b${length}`], bytes: content }, { lines: [`content-length: ${length}`, 'transfer-encoding: chunked'], bytes: chunk(hex) }, { lines: ['transfer-encoding: chunked', 'content-length: 4'], bytes: chunk(hex) },
        te('chunked, identity'), te('identity'), te('identity, chunked'), te('chunked, chunked'), te('Chunked'), te(' chunked'), te('xchunked'), te('chunked\u0000'), te('"chunked"'), te('gzip, chunked'), te('chunked;x=1'), te(''), te('\u000bchunked'), { lines: ['transfer-encoding: chunked', 'transfer-encoding: identity'], bytes: chunk(hex) }, { lines: ['Transfer-Encoding : chunked'], bytes: chunk(hex) }, { lines: ['transfer-encoding:\r\n chunked'], bytes: chunk(hex) }, { lines: ['transfer_encoding: chunked'], bytes: chunk(hex) },
        chunked(chunk(`0${hex}`)), chunked(chunk(`${hex};ext=1`)), chunked(chunk(`${hex};ext="\r\n"`)), chunked(chunk(`${hex} `)), chunked(chunk(`0x${hex}`)), chunked(chunk(`-${hex}`)), chunked(chunk(`+${hex}`)), chunked(chunk('ffffffffffffffff')), chunked(chunk('fffffffffffffffff')), chunked(chunk('zz')), chunked(chunk('')), chunked(chunk(hex, '0\r\ntrailer: 1\r\n\r\n')), chunked(chunk(hex, '0\r\ncontent-length: 5\r\n\r\n')), chunked(chunk(hex, '0\r\nno colon\r\n\r\n')), chunked(chunk(hex, '')), chunked(chunk(hex, '0\r\n')), chunked(chunk(hex, '0\n\n')), chunked(chunk((length + 3).toString(16))), chunked(chunk(Math.max(0, length - 3).toString(16))), chunked(chunk(`${hex};${'x'.repeat(20_000)}`)),
      ),
    },
  );
};

/** Messages as a webhook takes them, and as it must refuse them. */
const messageBodies: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 4,
    arbitrary: edited(
      fc.record<Record<string, Json>>({ id: fc.uuid(), conversation: fc.constantFrom('c', 'c2', 'x'.repeat(256)), sender: fc.constantFrom<Json>({ id: 's' }, { id: 's', name: 'n' }), text: fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constant('hello')), timestamp: fc.constantFrom('2026-11-21T08:00:00Z', 'yesterday') }, { requiredKeys: ['id', 'conversation', 'sender', 'text'], noNullPrototype: true }).map((value): Json => value),
    ),
  },
  { weight: 1, arbitrary: jsonBytes() },
  { weight: 1, arbitrary: fc.constantFrom(Buffer.alloc(0), Buffer.from('GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'), Buffer.alloc(70_000, 0x61), Buffer.alloc(270_000, 0x62), Buffer.from([0xff, 0xfe])) },
);

function oneRequest({ authority, secret }: HttpWorld): fc.Arbitrary<Buffer> {
  const hosts = fc.oneof({ weight: 12, arbitrary: fc.constant([`host: ${authority}`]) }, { weight: 3, arbitrary: fc.constantFrom([], ['host:'], ['host: evil.example'], [`host: ${authority}`, 'host: evil.example'], [`host: ${authority}`, `host: ${authority}`], ['host: localhost'], ['host: [::1]'], ['host: 127.0.0.1:99999'], ['host: 127.0.0.1@evil.example'], ['host: a b'], ['HOST: 127.1'], [`host: ${'x'.repeat(5000)}`], ['host: 127.0.0.1, evil']) });
  return fc
    .record({ method: fc.constantFrom(...METHODS), target: fc.constantFrom(...TARGETS), version: fc.constantFrom(...VERSIONS), hosts, lines: fc.array(fc.constantFrom(...LINES), { maxLength: 4 }), content: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 3, arbitrary: messageBodies }), signed: fc.boolean(), toWebhook: fc.boolean(), end: fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n\u0000') })
    .chain(({ method, target, version, hosts: host, lines, content, signed, toWebhook, end }) => {
      const isMessage = content !== undefined && toWebhook;
      const about = isMessage ? { method: 'POST', target: '/channels/webhook/messages', version: ' HTTP/1.1' } : { method, target, version };
      const over = isMessage ? content : Buffer.from(about.target);
      const signature = signed ? [`x-gatehouse-signature: sha256=${createHmac('sha256', secret).update(over).digest('hex')}`] : [];
      return (content === undefined ? fc.constant<Body>({ lines: [], bytes: Buffer.alloc(0) }) : framed(content)).map(({ lines: framing, bytes }) =>
        Buffer.concat([Buffer.from([`${about.method} ${about.target}${about.version}`, ...host, ...signature, ...lines, ...framing, '', ''].join(end), 'latin1'), bytes]));
    });
}

/** WebSocket handshakes: right, wrong in one thing, or in several. */
const handshake = (authority: string): fc.Arbitrary<Buffer> =>
  fc.record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'HEAD'),
    target: fc.constantFrom(`/channels/webchat/ws?conversation=${CONVERSATION}`, `/channels/webchat/ws?conversation=${CONVERSATION}&after=x`, '/channels/webchat/ws?conversation=', `/channels/webchat/ws?conversation=${'x'.repeat(300)}`, '/channels/webhook/ws', '/healthz', '/api/v1/status'),
    lines: fc.tuple(fc.constantFrom('connection: Upgrade', 'connection: Upgrade', 'connection: keep-alive', ''), fc.constantFrom('upgrade: websocket', 'upgrade: websocket', 'upgrade: WebSocket', 'upgrade: websocket, h2c', 'upgrade: h2c', ''), fc.constantFrom('sec-websocket-version: 13', 'sec-websocket-version: 13', 'sec-websocket-version: 8', 'sec-websocket-version: 0', ''), fc.constantFrom('sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-key: x', ''), fc.constantFrom('', '', 'sec-websocket-protocol: a, a', 'sec-websocket-extensions: permessage-deflate', 'origin: https://evil.example', 'origin: http://127.0.0.1')),
  }).map(({ method, target, lines }) => Buffer.from([`${method} ${target} HTTP/1.1`, `host: ${authority}`, ...lines.filter((line) => line !== ''), '', ''].join('\r\n')));

/** One connection's worth of bytes: one to three requests, one behind the other, now and then damaged. */
export function httpBytes(world: HttpWorld): fc.Arbitrary<Buffer> {
  const requests = fc.array(oneRequest(world), { minLength: 1, maxLength: 3 }).map((all) => Buffer.concat(all));
  return fc.oneof({ weight: 4, arbitrary: requests }, { weight: 1, arbitrary: fc.tuple(fc.array(oneRequest(world), { maxLength: 1 }), handshake(world.authority)).map(([before, shake]) => Buffer.concat([...before, shake])) }, { weight: 1, arbitrary: damaged(requests, { least: 1, most: 4, dictionary: ['\r\n', '\n', '\r\n\r\n', ' ', ':', '\u0000', 'HTTP/1.1', 'GET ', '0\r\n\r\n', 'chunked', 'content-length: 1\r\n', '\u0080'] }) }, { weight: 1, arbitrary: fc.constantFrom(Buffer.from('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003', 'latin1'), Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from('\r\n\r\n\r\n'), Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(0), Buffer.alloc(20_000, 0x41), Buffer.alloc(5000)) });
}
