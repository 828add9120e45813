// Finds in the headers of a request what its sender offers as proof: a signature, a token, a time. Nothing here is believed yet. Called by the verify stage.
import { decodeBase64 } from '../../trust/keys.ts';

/** Where the manifest says it stands. */
export interface Place {
  readonly header: string;
  readonly prefix?: string;
  readonly separator?: ',' | ';' | ' ';
}

/** Signatures of one request that are tried: a service that changes its secret signs with both for a while. */
const MOST_PROOFS = 8;

export type Found = { readonly ok: true; readonly texts: readonly string[] } | { readonly ok: false; readonly cause: 'header-missing' | 'header-malformed' };

/** What stands behind the prefix: the header itself, or each item of the list it is. One at least, eight at most. */
export function proofsIn(headers: Readonly<Record<string, string>>, { header, prefix = '', separator }: Place): Found {
  const value = Object.hasOwn(headers, header) ? headers[header] : undefined;
  if (value === undefined) return { ok: false, cause: 'header-missing' };
  const items = separator === undefined ? [value] : value.split(separator).map((item) => item.trim());
  const texts = items.filter((item) => item.startsWith(prefix)).map((item) => item.slice(prefix.length));
  return texts.length === 0 || texts.length > MOST_PROOFS ? { ok: false, cause: 'header-malformed' } : { ok: true, texts };
}

/** Exactly so many bytes in hex of either case, or in standard padded base64; undefined for anything else. */
export function bytesOf(text: string, encoding: 'hex' | 'base64', length: number): Buffer | undefined {
  if (encoding === 'hex') return text.length === length * 2 && /^[0-9a-f]*$/i.test(text) ? Buffer.from(text, 'hex') : undefined;
  const bytes = text.length <= length * 2 ? decodeBase64(text) : undefined;
  return bytes?.length === length ? bytes : undefined;
}
