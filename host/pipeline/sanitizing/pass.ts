// One pass of a dialect over a text: the rules it goes by, and what it changed. Made by sanitizing.ts, filled in by the dialects.
import type { LinkRule, MentionRule } from '../../../schemas/dialects.ts';
import { addressOf, isConfusing } from './links.ts';

export interface TextRules {
  readonly links: LinkRule;
  readonly mentions: MentionRule;
}

/** For the record: what was done to a text, never any of it. */
export type TextChange = 'markup' | 'link-scheme' | 'link-confusing' | 'link-text' | 'mention' | 'cut';

export interface Pass {
  readonly rules: TextRules;
  readonly changes: Set<TextChange>;
  /** Whether there was a link, kept or not. */
  hasLink: boolean;
}

/** What becomes of a link: its words alone, its address alone, words and address as text, or a link with these words. */
export type LinkFate =
  | { readonly as: 'words' }
  | { readonly as: 'address' | 'both' | 'link'; readonly href: string };

/** The one judgement of a link, for every dialect. `words` is what a reader would see. */
export function judgeLink(pass: Pass, words: string, destination: string): LinkFate {
  pass.hasLink = true;
  const address = addressOf(destination);
  if (!address) {
    pass.changes.add('link-scheme');
    return { as: 'words' };
  }
  const { href } = address;
  if (pass.rules.links === 'text') {
    pass.changes.add('link-text');
    return words.trim() === href || words.trim() === '' ? { as: 'address', href } : { as: 'both', href };
  }
  if (words.trim() !== '' && !isConfusing(words, address)) return { as: 'link', href };
  pass.changes.add('link-confusing');
  return { as: 'address', href };
}

/** A mention that calls everybody, where it may not: the sign becomes one that looks like it and calls nobody. */
export function quietMention(pass: Pass, mention: string): string {
  if (pass.rules.mentions === 'keep') return mention;
  pass.changes.add('mention');
  return mention.replaceAll('@', '\uff20');
}
