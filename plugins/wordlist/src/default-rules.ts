// What the word list does when the operator configures nothing: one harmless rule of each effect, so that a fresh start has something to show.
import type { Rule } from './rules.ts';

/** The same as the default in plugin.json; a test holds them together. */
export const DEFAULT_RULES: readonly Rule[] = [
  { match: 'phrase', text: 'trojan horse', effect: 'deny', reason: 'No trojan horses past this gate.' },
  { match: 'word', text: 'darn', effect: 'mask' },
  { match: 'word', text: 'password', effect: 'flag', label: 'possible-secret' },
];
