// Credentials that are known by their shape are masked in every line of the log, wherever in it they stand: in an error of a library, in what a plugin says. Used by log.ts, and for texts by problem.ts, mutations.ts and request-observer.ts.
import { SECRET_FORMATS } from './secret-formats.ts';

/** Tokens and invites. An id is no secret, and says which it was. */
const OWN_TOKEN = /\b(gh[ti])_([0-9a-f]{16})_[\w-]{8,}/g;
/** RFC 7235 credentials, also as a part of an address. */
const CREDENTIALS = /\b(bearer|basic)(?: +|%20)[\w.~+/=-]{8,2000}/gi;
const ADDRESS_WITH_PASSWORD = /:\/\/([^\s/:@"]{0,100}):[^\s/@"]{1,200}@/g;
/** The scanner needs only its beginning; here the whole of it goes. */
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)(?:[^"\\]|\\[^])){0,20000}/g;

/** One of these is in every text that any shape matches: most lines are told so at once. */
const HINT = /gh[a-z]_|github_pat|glpat|npm_|xox|hooks\.slack|discord|:AA|_live_|sk-|AIza|AKIA|ASIA|GOCSPX|ya29|SG\.|eyJ|PRIVATE KEY|:\/\/|bearer|basic/i;

/** A string in JSON, with its quotation marks. */
const JSON_STRING = /"(?:[^"\\]|\\.)*"/g;

/** A line of JSON without them: each string of it is masked as what it says, not as it is written, so that the line is still JSON and a line break in a text hides nothing. */
export function maskedLine(line: string): string {
  if (!HINT.test(line)) return line;
  return line.replace(JSON_STRING, (written) => {
    if (!HINT.test(written)) return written;
    const text = String(JSON.parse(written));
    const left = masked(text);
    return left === text ? written : JSON.stringify(left);
  });
}

/** A text without them. */
export function masked(text: string): string {
  if (!HINT.test(text)) return text;
  const own = text
    .replace(PRIVATE_KEY, '[redacted: a private key]')
    .replace(OWN_TOKEN, '$1_$2_[redacted]')
    .replace(CREDENTIALS, '$1 [redacted]')
    .replace(ADDRESS_WITH_PASSWORD, '://$1:[redacted]@');
  return SECRET_FORMATS.reduce((left, [what, shape]) => left.replace(shape, `[redacted: ${what}]`), own);
}
