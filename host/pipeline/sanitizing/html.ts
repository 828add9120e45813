// Dialect `html`: a few tags without attributes, links, and everything else as text (WHATWG HTML; the tags that messaging services take). Called by sanitizing.ts.
import { characterOf } from './characters.ts';
import { judgeLink, type Pass } from './pass.ts';

const TAGS: ReadonlySet<string> = new Set(['b', 'strong', 'i', 'em', 'u', 'ins', 's', 'strike', 'del', 'code', 'pre', 'blockquote', 'a', 'p', 'ul', 'ol', 'li']);
const MOST_OPEN = 16;

/** A tag, a reference with its semicolon, or a character that means something. No alternative can run past the next `<`. */
const TOKEN = /<(?<slash>\/?)(?<name>[a-z][a-z0-9]{0,11})(?<attributes>\s[^<>]{0,4096})?\/?>|&(?:#(?<decimal>\d{1,7})|#x(?<hex>[0-9a-f]{1,6})|(?<named>amp|lt|gt|quot|apos|nbsp));|[<>&]/giu;

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

export function html(text: string, pass: Pass): string {
  const parts: string[] = [];
  const open: { readonly name: string; readonly at: number; readonly href: string }[] = [];
  const close = () => {
    const tag = open.pop();
    if (!tag) return;
    if (tag.name === 'a') closeLink(parts, tag.at, tag.href, pass);
    else parts.push(`</${tag.name}>`);
  };
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(from, match.index));
    from = match.index + match[0].length;
    const { slash, name, attributes = '' } = match.groups ?? {};
    const tag = name?.toLowerCase();
    if (tag === undefined) parts.push(referenceOf(match, pass));
    else if (tag === 'br' && slash === '') parts.push('<br>');
    else if (slash !== '' && TAGS.has(tag) && open.some((each) => each.name === tag)) {
      while (open.at(-1)?.name !== tag) close();
      close();
    } else if (slash === '' && TAGS.has(tag) && open.length < MOST_OPEN && !(tag === 'a' && open.some((each) => each.name === 'a'))) {
      if (attributes.trim() !== '' && tag !== 'a') pass.changes.add('markup');
      open.push({ name: tag, at: parts.length, href: tag === 'a' ? hrefOf(attributes) : '' });
      parts.push(tag === 'a' ? '' : `<${tag}>`);
    } else {
      pass.changes.add('markup');
      parts.push(escapeHtml(match[0]));
    }
  }
  parts.push(text.slice(from));
  while (open.length > 0) close();
  return parts.join('');
}

export const escapeHtml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Its words have been written since `at`; a link that loses its address leaves them there. */
function closeLink(parts: string[], at: number, href: string, pass: Pass): void {
  const words = parts.slice(at + 1).join('').replaceAll(/<[^<>]*>/g, '');
  const fate = judgeLink(pass, decode(words), href);
  if (fate.as === 'words') return;
  const address = escapeHtml(fate.href);
  if (fate.as === 'both') parts.push(` (${address})`);
  else if (fate.as === 'address') parts.splice(at, parts.length - at, pass.rules.links === 'text' ? address : `<a href="${address}">${address}</a>`);
  else {
    parts[at] = `<a href="${address}">`;
    parts.push('</a>');
  }
}

/** The first one counts, as in browsers. */
function hrefOf(attributes: string): string {
  const [, double, single, bare] = /(?:^|\s)href\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)'|([^\s"'=`]+))/i.exec(attributes) ?? [];
  return decode(double ?? single ?? bare ?? '');
}

function referenceOf(match: RegExpMatchArray, pass: Pass): string {
  const { decimal, hex, named } = match.groups ?? {};
  if (named !== undefined) return named === 'nbsp' || named === 'quot' || named === 'apos' ? (NAMED[named] ?? '') : `&${named.toLowerCase()};`;
  if (decimal === undefined && hex === undefined) return escapeHtml(match[0]);
  const character = characterOf(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal));
  if (character === '\ufffd') pass.changes.add('markup');
  return escapeHtml(character);
}

/** References as a reader sees them, for judging addresses and words. */
export function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi, (whole, decimal?: string, hex?: string, named?: string) => {
    if (named !== undefined) return NAMED[named.toLowerCase()] ?? whole;
    return characterOf(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal));
  });
}
