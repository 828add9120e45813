// URLs and query strings for plugin code, which has neither URL nor URLSearchParams. Follows the WHATWG URL standard (https://url.spec.whatwg.org).
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** The parts of an absolute http(s) URL, named and written as the standard `URL` class gives them. */
export interface ParsedUrl {
  readonly href: string;
  readonly protocol: 'http:' | 'https:';
  /** `https://example.org:8443`; the form that grants and manifests use. */
  readonly origin: string;
  /** Host name with the port, unless it is the protocol's own. */
  readonly host: string;
  readonly hostname: string;
  /** Empty for the protocol's own port. */
  readonly port: string;
  readonly pathname: string;
  /** With its `?`, or empty. */
  readonly search: string;
  /** With its `#`, or empty. */
  readonly hash: string;
}

/**
 * Parses an absolute http or https URL, or returns null.
 *
 * Stricter than the standard, never different: what it accepts, `new URL` parses to the same parts. It refuses what the standard would repair or
 * what hides where a request goes: user names and passwords, backslashes, control characters, IPv6 and unusual IPv4 spellings, non-ASCII host names
 * (write them as `xn--…`).
 */
export function parseUrl(text: string): ParsedUrl | null {
  const match = /^(https?):\/\/([a-z0-9_][a-z0-9_.-]*)(?::(\d{0,5}))?(\/[^?#]*)?(?:\?([^#]*))?(?:#(.*))?$/is.exec(text);
  if (!match || hasForbidden(text)) return null;
  const [, scheme = '', rawHost = '', rawPort = '', rawPath = '/', query, fragment] = match;
  const protocol = scheme.toLowerCase() === 'https' ? 'https:' : 'http:';
  const hostname = rawHost.toLowerCase();
  if (looksNumeric(hostname) && !isDottedQuad(hostname)) return null;
  if (Number(rawPort) > 65_535) return null;

  const isDefaultPort = rawPort === '' || Number(rawPort) === (protocol === 'https:' ? 443 : 80);
  const port = isDefaultPort ? '' : String(Number(rawPort));
  const host = port === '' ? hostname : `${hostname}:${port}`;
  const origin = `${protocol}//${host}`;
  const pathname = percentEncode(resolveDots(rawPath), PATH_ESCAPES);
  const search = query === undefined ? undefined : `?${percentEncode(query, QUERY_ESCAPES)}`;
  const hash = fragment === undefined ? undefined : `#${percentEncode(fragment, FRAGMENT_ESCAPES)}`;
  const href = `${origin}${pathname}${search ?? ''}${hash ?? ''}`;
  return { href, protocol, origin, host, hostname, port, pathname, search: orEmpty(search), hash: orEmpty(hash) };
}

/**
 * The name-value pairs of a query string or form body (application/x-www-form-urlencoded), in order, with or without the leading `?`.
 *
 * @example const { q } = Object.fromEntries(parseQuery('?q=caf%C3%A9+au+lait')); // 'café au lait'
 */
export function parseQuery(text: string): [name: string, value: string][] {
  const query = text.startsWith('?') ? text.slice(1) : text;
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals);
    const value = equals === -1 ? '' : part.slice(equals + 1);
    pairs.push([percentDecode(name.replaceAll('+', ' ')), percentDecode(value.replaceAll('+', ' '))]);
  }
  return pairs;
}

/**
 * Writes name-value pairs, or the entries of an object, as a query string without `?`.
 *
 * @example const url = `https://api.example.org/search?${formatQuery({ q: 'café au lait', page: 2 })}`;
 */
export function formatQuery(pairs: Iterable<readonly [string, string | number | boolean]> | Readonly<Record<string, string | number | boolean>>): string {
  const entries = isIterable(pairs) ? [...pairs] : Object.entries(pairs);
  return entries.map(([name, value]) => `${formEncode(name)}=${formEncode(String(value))}`).join('&');
}

/** ASCII characters that each part writes as %XX, beside control characters and everything above `~`. */
const PATH_ESCAPES = ' "#<>?^`{}';
const QUERY_ESCAPES = ' "#<>\'';
const FRAGMENT_ESCAPES = ' "<>`';

function percentEncode(text: string, escapes: string): string {
  let encoded = '';
  for (const character of text) {
    const plain = character > '\u001f' && character < '\u007f' && !escapes.includes(character);
    encoded += plain ? character : percentBytes(character);
  }
  return encoded;
}

function formEncode(text: string): string {
  let encoded = '';
  for (const character of text) encoded += /[A-Za-z0-9*\-._]/.test(character) ? character : character === ' ' ? '+' : percentBytes(character);
  return encoded;
}

function percentBytes(character: string): string {
  let encoded = '';
  for (const byte of encodeUtf8(character)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return encoded;
}

/** `%` that starts no escape stands for itself; ill-formed UTF-8 becomes U+FFFD. */
function percentDecode(text: string): string {
  if (!text.includes('%')) return text.toWellFormed();
  const source = encodeUtf8(text);
  const bytes = new Uint8Array(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at++) {
    const high = source[at] === 0x25 ? hexValue(source[at + 1]) : -1;
    const low = high >= 0 ? hexValue(source[at + 2]) : -1;
    if (low >= 0) {
      bytes[length++] = high * 16 + low;
      at += 2;
    } else bytes[length++] = source[at] ?? 0;
  }
  return decodeUtf8(bytes.subarray(0, length));
}

function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** URL standard, path state: `.` and `..` segments, also where the dot is written %2e. */
function resolveDots(path: string): string {
  const resolved: string[] = [];
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    const dots = segment.replace(/%2e/gi, '.');
    const isLast = index === segments.length - 1;
    if (dots === '..') resolved.pop();
    if (dots === '.' || dots === '..') {
      if (isLast) resolved.push('');
    } else resolved.push(segment);
  }
  return `/${resolved.join('/')}`;
}

/** Control characters would be dropped or escaped, backslashes read as slashes, and white space at the end cut off. */
const hasForbidden = (text: string) => /[\p{Cc}\\]|\s$/u.test(text);

/** URL standard, "ends in a number": such a host is an IPv4 address in some spelling. */
const looksNumeric = (hostname: string) => /(^|\.)(\d+|0x[0-9a-f]*)\.?$/.test(hostname);

const isDottedQuad = (hostname: string) => {
  const parts = hostname.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
};

const orEmpty = (part: string | undefined) => (part === undefined || part.length === 1 ? '' : part);

const isIterable = (value: object): value is Iterable<readonly [string, string | number | boolean]> => Symbol.iterator in value;
