// The SDK's pure helpers, held against Node's implementations of the same standards.
import { describe, expect, it } from 'vitest';
import { decodeBase64, decodeBase64Url, decodeUtf8, encodeBase64, encodeBase64Url, encodeUtf8, formatQuery, parseQuery, parseUrl, utf8Length } from '../index.ts';

/** A fixed sequence of numbers in [0, 1): the same cases on every run. */
function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function pick<Item>(next: () => number, items: readonly Item[]): Item {
  const item = items[Math.floor(next() * items.length)];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}

const TEXTS = ['', 'plain', 'café', '日本語', '👩‍🚀 rocket', '\u0000\u007f', '\ufeffbom', 'lone \ud800 high', 'lone \udfff low', '\udfff\ud800', '%41%zz%', 'a+b c&d=e', '߿ࠀ\uffff𐀀\u{10ffff}'];

describe('UTF-8', () => {
  const standard = new TextDecoder('utf-8', { ignoreBOM: true });

  it.each(TEXTS)('encodes and measures %j as TextEncoder does', (text) => {
    expect(encodeUtf8(text)).toEqual(new TextEncoder().encode(text));
    expect(utf8Length(text)).toBe(Buffer.byteLength(text));
  });

  it('decodes random bytes as TextDecoder does, well-formed or not', () => {
    const next = sequence(7);
    const leads = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff];
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(next() * 9) }, () => pick(next, leads));
      const hex = Buffer.from(bytes).toString('hex');
      expect(`${hex} ${decodeUtf8(bytes)}`).toBe(`${hex} ${standard.decode(bytes)}`);
    }
  });

  it('decodes text longer than one chunk', () => {
    const long = '🙂é'.repeat(10_000);
    expect(decodeUtf8(encodeUtf8(long))).toBe(long);
  });

  it('refuses ill-formed bytes when asked to, and names the offset', () => {
    expect(() => decodeUtf8(Uint8Array.of(0x41, 0xc0, 0x80), { fatal: true })).toThrow('offset 1');
    expect(decodeUtf8(encodeUtf8('ünïcode'), { fatal: true })).toBe('ünïcode');
  });
});

describe('base64', () => {
  it('writes and reads what Buffer writes, in both alphabets', () => {
    const next = sequence(11);
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length }, () => Math.floor(next() * 256));
      const node = Buffer.from(bytes);
      expect(encodeBase64(bytes)).toBe(node.toString('base64'));
      expect(encodeBase64Url(bytes)).toBe(node.toString('base64url'));
      expect(decodeBase64(node.toString('base64'))).toEqual(bytes);
      expect(decodeBase64Url(node.toString('base64url'))).toEqual(bytes);
    }
  });

  it.each(['aGk', 'aGk=\n', 'aGl=', 'a===', '=', 'aG k', 'aGk-', 'aGkaGk=aGk='])('refuses %j, which Buffer would read', (text) => {
    expect(() => decodeBase64(text)).toThrow('not base64');
  });

  it.each(['a', 'aGk=', 'aGl', 'aG+'])('refuses %j as base64url', (text) => {
    expect(() => decodeBase64Url(text)).toThrow('not base64');
  });
});

describe('parseUrl', () => {
  const PARTS = ['href', 'protocol', 'origin', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'] as const;

  const expectAsNode = (text: string) => {
    const parsed = parseUrl(text);
    if (parsed === null) return false;
    const node = new URL(text);
    expect({ text, ...parsed }).toEqual({ text, ...Object.fromEntries(PARTS.map((part) => [part, node[part]])) });
    return true;
  };

  it.each([
    'https://example.org', 'HTTPS://Example.ORG/', 'http://example.org:80/', 'https://example.org:443', 'https://example.org:08443/x', 'https://example.org:/x',
    'https://a.example/b/../c/./d', 'https://a.example/..', 'https://a.example/b/%2E%2e/c', 'https://a.example/b/.', 'https://a.example//b//', 'https://a.example/a b"<>`{}^|c',
    'https://a.example/café?q=é\'"<>#frag`"é', 'https://a.example?', 'https://a.example#', 'https://a.example?#', 'https://a.example/?a=b?c#d#e', 'https://192.168.0.1:8080/x',
    'https://under_score.example/', 'https://xn--caf-dma.example/', 'https://a.example/%zz%', 'https://a.example/lone\ud800', 'https://a.example./x',
  ])('accepts %j and agrees with URL in every part', (text) => {
    expect(expectAsNode(text)).toBe(true);
  });

  it.each([
    '', 'example.org', '//example.org', '/path', 'ftp://example.org', 'javascript:alert(1)', 'https:example.org', 'https:///example.org', 'https://', 'https://user@example.org', 'https://user:pass@example.org',
    'https://exa mple.org', ' https://example.org', 'https://example.org ', 'https://example.org\\@evil.example', 'https://a.example/\tb', 'https://a.example/\n', 'https://[::1]/', 'https://2130706433/', 'https://0x7f.1/',
    'https://127.1/', 'https://010.0.0.1/', 'https://1.2.3.256/', 'https://a.example:65536/', 'https://a.example:x/', 'https://ⓛocalhost/', 'https://a%2eexample/',
  ])('refuses %j', (text) => {
    expect(parseUrl(text)).toBeNull();
  });

  it('refuses or agrees with URL on random input, never differs', () => {
    const next = sequence(23);
    const pieces = ['https://', 'http://', 'HTTP://', 'a.example', 'B-c.d', '127.0.0.1', '0x1', '1.2', ':80', ':443', ':8080', ':', '/', '//', '..', '.', '%2e', '%2E.', '?', '#', '@', '\\', ' ', "'", '"', '^', '|', '[', ']', 'é', '👍', '%', '%4', '%41', 'x=y', '&', '\u007f', '\u0000', '~', '*', '!'];
    let accepted = 0;
    for (let round = 0; round < 30_000; round++) {
      const text = `${pick(next, ['https://a.example', 'http://h:1', ''])}${Array.from({ length: Math.floor(next() * 9) }, () => pick(next, pieces)).join('')}`;
      if (expectAsNode(text)) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(3000);
  });
});

describe('query strings', () => {
  it.each(['', '?', 'a=1&b=2', '?a=1&a=2', '&&a&&=b&=', 'a+b=c+d', 'q=caf%C3%A9', 'bad=%C3%28&x=%', '%F0%9F%98', 'a=b=c', '__proto__=1', 'x=\ud800', '%EF%BB%BFa=1', '??a=1'])('reads %j as URLSearchParams does', (text) => {
    expect(parseQuery(text)).toEqual([...new URLSearchParams(text)]);
  });

  it('writes pairs of any text as URLSearchParams does', () => {
    for (const name of TEXTS) {
      for (const value of [...TEXTS, "*-._~!'()", '&=?#/+']) {
        expect(formatQuery([[name, value]])).toBe(new URLSearchParams([[name, value]]).toString());
      }
    }
  });

  it('writes objects with numbers and booleans', () => {
    expect(formatQuery({ q: 'café au lait', page: 2, exact: true })).toBe('q=caf%C3%A9+au+lait&page=2&exact=true');
  });
});
