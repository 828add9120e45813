// Addresses in marked-up text: which may be linked, how they are written, and whether the words of a link say another address than it leads to. Pure; asked by the dialects.
import { domainToASCII } from 'node:url';

export interface Address {
  /** As WHATWG URLs write it, with everything percent-encoded that means something in any dialect; international hosts in their ASCII form, which imitates nothing. */
  readonly href: string;
  /** Lower case; empty where there is none. */
  readonly host: string;
}

const MOST_CHARACTERS = 2048;
const MAILTO = /^mailto:([\w.+%-]{1,64}@((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,63}))$/i;
const TELEPHONE = /^tel:\+?[0-9.-]{3,32}$/i;
const UNSAFE_IN_TEXT = /["'()<>\\`{}|^*[\]]/g;

/** Of `https`, `http`, `mailto` and `tel`; undefined for every other scheme, for what is no absolute address, and for names and passwords before the host, which look like another host. */
export function addressOf(raw: string): Address | undefined {
  if (raw.length > MOST_CHARACTERS || /\s/.test(raw)) return undefined;
  const mail = MAILTO.exec(raw);
  if (mail) return { href: `mailto:${mail[1]}`, host: (mail[2] ?? '').toLowerCase() };
  if (TELEPHONE.test(raw)) return { href: raw.toLowerCase(), host: '' };
  if (!/^https?:\/\//i.test(raw)) return undefined;
  const url = URL.parse(raw);
  if (!url || url.username !== '' || url.password !== '' || url.hostname === '') return undefined;
  const href = url.href.replaceAll(UNSAFE_IN_TEXT, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
  // Brackets of an IPv6 host are not text of anybody.
  return url.hostname.startsWith('[') || href.length > MOST_CHARACTERS ? undefined : { href, host: url.hostname };
}

/** Labels and a last one of letters, with every dot that IDNA takes for one (UTS #46). */
const HOST_LIKE = /(?:[\p{L}\p{N}][\p{L}\p{M}\p{N}-]{0,62}[.\u3002\uff0e\uff61]){1,8}\p{L}[\p{L}\p{M}\p{N}-]{1,62}/gu;
const URL_LIKE = /https?:\/\/[^\s<>"')]{1,300}/giu;

/** Whether the words name a host that is not the one they lead to; `www.` in front makes no difference, any other part does. */
export function isConfusing(shown: string, { host }: Address): boolean {
  // As a reader sees them: a mark that is not drawn, or a dot by another name, parts no host.
  const words = shown.normalize('NFKC').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '');
  const named = [...(words.match(URL_LIKE) ?? []).map((each) => URL.parse(each)?.hostname ?? each), ...(words.match(HOST_LIKE) ?? []).map((each) => domainToASCII(each.replaceAll(/[\u3002\uff0e\uff61]/g, '.')) || each)];
  return named.some((each) => withoutWww(each.toLowerCase()) !== withoutWww(host));
}

/** Whether a text has an address in it that a reader's program may make a link of. */
export function hasAddress(text: string): boolean {
  return /(?:^|[^a-z0-9])(?:[a-z][a-z0-9+.-]{1,20}:\/\/|www\.|mailto:|tel:)[^\s]/i.test(text);
}

const withoutWww = (host: string) => (host.startsWith('www.') ? host.slice(4) : host);
