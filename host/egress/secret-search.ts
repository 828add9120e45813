// Finds a secret in foreign text, in the encodings that servers and libraries put on what they send back. Called by injection.ts.
import { SHORTEST_SECRET } from '../registry/secrets.ts';

/** How often all encodings are taken off: JSON in a percent-encoded parameter of a link in HTML is off after one time, the worst order after as many as there are layers. */
const MOST_NESTED = 4;

export type Search = (text: string) => boolean;

/**
 * Looks for the value as it is, percent-encoded, JSON- and HTML-escaped, one of these inside another, and as a part of base64, base64url and hex, broken into
 * lines or not. A net for servers that echo; a server that wants to pass the secret on can encode it in ways that nobody looks for.
 */
export function searchFor(value: string): Search {
  if (value.length < SHORTEST_SECRET) return () => false;
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].flatMap((offset) => bothAlphabets(base64At(bytes, offset)));
  // A value that itself looks encoded is taken too far by those who decode everything; so is the value then.
  const tooFar = decodedFully(value);
  return (text) => {
    for (const view of viewsOf(text, value)) {
      if (view.includes(value) || (tooFar.length >= SHORTEST_SECRET && view.includes(tooFar))) return true;
      const joined = /\s/.test(view) ? view.replaceAll(/\s+/g, '') : view;
      if (base64.some((each) => joined.includes(each)) || joined.toLowerCase().includes(hex)) return true;
    }
    return false;
  };
}

/** The part that these bytes alone decide in the base64 of anything that holds them `offset` bytes after a multiple of three. */
function base64At(bytes: Buffer, offset: number): string {
  const whole = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const padding = whole.indexOf('=');
  return whole.slice([0, 2, 3][offset], padding === -1 ? whole.length : padding - 1);
}

const bothAlphabets = (base64: string) => (/[+/]/.test(base64) ? [base64, base64.replaceAll('+', '-').replaceAll('/', '_')] : [base64]);

/** The text as it is, as each decoder reads it, and as all of them read it, again and again; each once. In forms a space is a `+`. */
function viewsOf(text: string, value: string): ReadonlySet<string> {
  const starts = value.includes(' ') && text.includes('+') ? [text, text.replaceAll('+', ' ')] : [text];
  const views = new Set(starts);
  for (const start of starts) {
    for (const decode of DECODERS) views.add(decode(start));
    for (let view = start, depth = 0; depth < MOST_NESTED; depth++) views.add((view = decoded(view)));
  }
  return views;
}

const decoded = (text: string) => DECODERS.reduce((each, decode) => decode(each), text);

function decodedFully(text: string): string {
  let view = text;
  for (let depth = 0; depth < MOST_NESTED; depth++) view = decoded(view);
  return view;
}

const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const DECODERS: readonly ((text: string) => string)[] = [
  // RFC 3986, a run at a time: the bytes of one character may be several
  (text) => (text.includes('%') ? text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString()) : text),
  // RFC 8259, and what scripts write beside it
  (text) => (text.includes('\\') ? text.replaceAll(/\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|(.))/gi, (_, four?: string, two?: string, one = '') => fromHex(four ?? two) ?? ESCAPED[one] ?? one) : text),
  // HTML
  (text) => (text.includes('&') ? text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (whole, hex?: string, decimal?: string, name = '') => fromHex(hex ?? (decimal && Number(decimal).toString(16))) ?? NAMED[name.toLowerCase()] ?? whole) : text),
];

function fromHex(digits: string | undefined): string | undefined {
  const code = digits === undefined ? undefined : Number.parseInt(digits, 16);
  return code === undefined || code > 0x10ffff ? undefined : String.fromCodePoint(code);
}
