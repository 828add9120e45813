// Media blocks as the host lets them in and out: names that say what they show, addresses that are addresses. Called by normalize.ts for what comes in, by sanitize.ts for what goes out.
import type { MediaBlock } from '../../schemas/media.ts';

/** One block tidied, or why it cannot stay. */
export function tidyBlock(block: MediaBlock): { readonly block: MediaBlock } | { readonly problem: string } {
  switch (block.kind) {
    case 'location': {
      const { name = '', ...place } = block;
      return { block: { ...place, ...nameOf(label(name)) } };
    }
    case 'contact': {
      const name = label(block.name);
      if (name === '') return { problem: 'the contact has no name' };
      return { block: { ...block, name, ...(block.phones && { phones: labels(block.phones) }), ...(block.emails && { emails: labels(block.emails) }) } };
    }
    default: {
      const { name = '', ...blob } = block;
      if ('id' in blob) {
        // Only the host gives a stored blob its address, at every delivery a new one.
        const { url: _url, ...stored } = blob;
        return { block: { ...stored, ...nameOf(fileName(name)) } };
      }
      const problem = problemOfUrl(blob.url);
      return problem === undefined ? { block: { ...blob, ...nameOf(fileName(name)) } } : { problem };
    }
  }
}

/** Only the web's own schemes: `javascript:`, `file:` and `data:` are nobody's media. */
function problemOfUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url) return 'its url is no absolute URL';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `its url is '${url.protocol.slice(0, 20)}' and not https or http`;
  return url.username === '' && url.password === '' ? undefined : 'its url names a user or a password';
}

const nameOf = (name: string) => (name === '' ? {} : { name });
const labels = (texts: readonly string[]) => texts.map(label).filter((each) => each !== '');

/** Controls, line ends and all that only changes how a line is drawn, except the joiners that scripts and emoji need. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line of visible text. */
export function label(text: string): string {
  return text.toWellFormed().normalize('NFC').replaceAll(UNSEEN, '').trim();
}

/** The last segment of whatever path the sender's system wrote; never one that hides or climbs. */
export function fileName(text: string): string {
  const name = label(text).split(/[/\\]/).at(-1)?.trim() ?? '';
  return /^\.*$/.test(name) ? '' : name;
}
