// Headers of a request: which a plugin may set, and which go along when a redirect leaves the origin. And of a response: which a plugin sees. Called by egress.ts and exchange.ts.
import { BOUNDS } from '../../schemas/bounds.ts';

export type Headers = Readonly<Record<string, string>>;

/**
 * The headers under lower-case names, or the reason why not. Refused are those that frame the message or speak for the connection (request smuggling), those
 * that proxies and servers take for where a request came from or what it really asks for (the method list would mean nothing), and credentials
 * that are not the plugin's to set (cookies; secrets are injected). Names twice in different case are refused too: servers differ in which one counts.
 */
export function requestHeaders(given: Headers): Map<string, string> | string {
  const entries = Object.entries(given);
  if (entries.length > BOUNDS.fetchHeaders) return `it has more than ${BOUNDS.fetchHeaders} headers`;
  const headers = new Map<string, string>();
  let bytes = 0;
  for (const [given, value] of entries) {
    const name = given.toLowerCase();
    if (!TOKEN.test(name)) return 'a header has a name that is no token of up to 100 characters';
    if (typeof value !== 'string' || !VALUE.test(value)) return `the header '${name}' has a value that is not one line of visible ASCII`;
    if (FORBIDDEN.has(name) || FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix))) return `the header '${name}' is the host's to set`;
    if (headers.has(name)) return `the header '${name}' is there twice`;
    bytes += name.length + value.length;
    headers.set(name, value.trim());
  }
  return bytes > BOUNDS.fetchHeaderBytes ? `its headers have more than ${BOUNDS.fetchHeaderBytes} bytes` : headers;
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/;
const VALUE = /^[\t\x20-\x7e]*$/;

const FORBIDDEN: ReadonlySet<string> = new Set([
  'host', 'connection', 'content-length', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'keep-alive', 'http2-settings', 'accept-encoding',
  'cookie', 'cookie2', 'set-cookie', 'set-cookie2', 'forwarded', 'via', 'x-real-ip', 'true-client-ip', 'cf-connecting-ip',
  'x-http-method', 'x-http-method-override', 'x-method-override', 'x-original-url', 'x-rewrite-url',
]);
const FORBIDDEN_PREFIXES = ['proxy-', 'sec-', 'x-forwarded-'] as const;

/** What stays when a redirect leads to another origin. A list of what is harmless: credentials have any name (`x-api-key`), and their owner meant the first origin. */
export function headersForOtherOrigin(headers: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...headers].filter(([name]) => HARMLESS.has(name)));
}

const HARMLESS: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-type', 'content-language', 'user-agent']);

/** What describes a body goes with it. */
export function headersWithoutBody(headers: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...headers].filter(([name]) => !name.startsWith('content-')));
}

/** The response's headers as plugin code gets them: lower case, repeated ones joined, no prototype (`__proto__` is a name like any other), and none of SCRUBBED. */
export function responseHeaders(raw: readonly string[]): Headers {
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]).toLowerCase();
    const value = String(raw[i + 1]);
    if (SCRUBBED.has(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

/** Cookies are the host's to keep, and it keeps none; the others speak of one connection, or of bytes that plugin code does not see. */
const SCRUBBED: ReadonlySet<string> = new Set([
  'set-cookie', 'set-cookie2', 'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'content-encoding', 'content-length', 'alt-svc',
]);

/** All values of one header, in order. */
export function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, index) => index % 2 === 1 && String(raw[index - 1]).toLowerCase() === name);
}
