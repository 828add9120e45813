// Base64 and base64url (RFC 4648) for plugin code, which has neither atob nor Buffer. Decoding is strict.
import { PluginError } from './plugin-error.ts';

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_SAFE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Standard alphabet, padded (RFC 4648 §4). For text, encode it first: `encodeBase64(encodeUtf8(text))`. */
export const encodeBase64 = (bytes: Uint8Array): string => encode(bytes, STANDARD, '=');

/** URL-safe alphabet, no padding (RFC 4648 §5). */
export const encodeBase64Url = (bytes: Uint8Array): string => encode(bytes, URL_SAFE, '');

/** Standard alphabet with its padding. Throws `BASE64_INVALID` for anything else: other characters, white space, missing padding, leftover bits. */
export const decodeBase64 = (text: string): Uint8Array => decode(text, VALUES_STANDARD, true);

/** URL-safe alphabet without padding. Throws `BASE64_INVALID` for anything else. */
export const decodeBase64Url = (text: string): Uint8Array => decode(text, VALUES_URL_SAFE, false);

function encode(bytes: Uint8Array, alphabet: string, pad: string): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second, third] = bytes.subarray(at, at + 3);
    text += alphabet.charAt(first >> 2) + alphabet.charAt(((first & 3) << 4) | ((second ?? 0) >> 4));
    text += second === undefined ? pad : alphabet.charAt(((second & 15) << 2) | ((third ?? 0) >> 6));
    text += third === undefined ? pad : alphabet.charAt(third & 63);
  }
  return text;
}

const valuesOf = (alphabet: string) => new Map(Array.from(alphabet, (character, value) => [character, value]));
const VALUES_STANDARD = valuesOf(STANDARD);
const VALUES_URL_SAFE = valuesOf(URL_SAFE);

function decode(text: string, values: ReadonlyMap<string, number>, padded: boolean): Uint8Array {
  const padding = padded ? (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0) : 0;
  const digits = text.length - padding;
  if (padded ? text.length % 4 !== 0 : digits % 4 === 1) throw invalid('its length cannot be right');

  const bytes = new Uint8Array(Math.floor((digits * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < digits; index++) {
    const value = values.get(text.charAt(index));
    if (value === undefined) throw invalid(`character ${index} is not in the alphabet`);
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  // Leftover bits must be zero, or two texts would stand for the same bytes.
  if (held !== 0) throw invalid('its last character carries bits that belong to no byte');
  return bytes;
}

const invalid = (problem: string) => new PluginError('BASE64_INVALID', `The text is not base64: ${problem}.`);
