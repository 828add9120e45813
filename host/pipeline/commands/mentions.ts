// Whether a message speaks to this instance by name. address.ts asks; the rules are cases in test/fixtures/mentions/.
import type { Grammar } from './grammar.ts';
import { spokenPart } from './spoken.ts';

export interface Spoken {
  readonly text: string;
  /** Ids that the channel says were mentioned. */
  readonly mentions: readonly string[];
}

/** By an id the channel gives, or by a name that is a word of its own, with or without `@`, outside of code, quoted lines and links. */
export function isMentioned({ text, mentions }: Spoken, { names, mention }: Grammar): boolean {
  if (!mention) return false;
  if (mentions.some((id) => names.has(withoutSign(id).normalize('NFC').toLowerCase()))) return true;
  // Most texts name nobody: the cheap look comes first.
  return mention.test(text) && mention.test(spokenPart(text));
}

const withoutSign = (id: string) => (id.startsWith('@') ? id.slice(1) : id);
