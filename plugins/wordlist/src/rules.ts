// The operator's rules, compiled: words and phrases are searched for in the words of a message, `contains` in its characters.
import { fold } from './fold.ts';
import { compileSearch, type Span } from './word-search.ts';

export interface Rule {
  /** `word` and `phrase` match whole words, whatever stands between those of a phrase; `contains` matches anywhere. */
  readonly match: 'word' | 'phrase' | 'contains';
  readonly text: string;
  readonly effect: 'deny' | 'mask' | 'flag';
  readonly reason?: string;
  readonly label?: string;
}

export interface CompiledRules {
  readonly caseSensitive: boolean;
  /** Searches text that has been folded. */
  find(folded: string): { readonly rules: readonly Rule[]; /** What `mask` rules found. */ readonly masked: readonly Span[] };
}

export function compileRules(rules: readonly Rule[], caseSensitive: boolean): CompiledRules {
  const prepared = rules.map((rule) => ({ rule, folded: fold(rule.text, caseSensitive), words: wordsOf(fold(rule.text, caseSensitive)) }));
  // Without a word character there is nothing to hold between word boundaries: “…” is found as it stands.
  const byWord = prepared.filter(({ rule, words }) => rule.match !== 'contains' && words.length > 0);
  const byCharacter = prepared.filter((each) => !byWord.includes(each) && each.folded !== '');
  const wordSearch = compileSearch(byWord.map(({ rule, words }) => ({ text: ` ${words.map(({ text }) => text).join(' ')} `, spans: rule.effect === 'mask' })));
  const characterSearch = compileSearch(byCharacter.map(({ rule, folded }) => ({ text: folded, spans: rule.effect === 'mask' })));
  const order = new Map(rules.map((rule, index) => [rule, index]));

  return {
    caseSensitive,
    find(folded) {
      const inWords = wordSearch.search(wordLine(folded));
      const inCharacters = characterSearch.search(folded);
      const found = [...byWord.filter((_, index) => inWords.texts.has(index)), ...byCharacter.filter((_, index) => inCharacters.texts.has(index))];
      return {
        rules: found.map(({ rule }) => rule).sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)),
        masked: inWords.spans.length === 0 ? inCharacters.spans : [...inCharacters.spans, ...toCharacters(inWords.spans, folded)],
      };
    },
  };
}

const NOT_WORD = /[^\p{L}\p{M}\p{N}_]+/gu;
const WORD = /[\p{L}\p{M}\p{N}_]+/gu;

/** The words of a text with one space before, between and after: a rule with spaces around it then matches whole words only. */
const wordLine = (folded: string) => ` ${folded.replace(NOT_WORD, ' ').trim()} `;

const wordsOf = (folded: string) => Array.from(folded.matchAll(WORD), ({ 0: text, index }) => ({ text, index }));

/** Spans in the line of words, as spans in the folded text it was made from; the spaces around are left out. */
function toCharacters(spans: readonly Span[], folded: string): Span[] {
  const starts = new Map<number, number>();
  const ends = new Map<number, number>();
  let position = 1;
  for (const { text, index } of wordsOf(folded)) {
    starts.set(position, index);
    ends.set(position + text.length, index + text.length);
    position += text.length + 1;
  }
  return spans.map(({ start, end }) => ({ start: starts.get(start + 1) ?? 0, end: ends.get(end - 1) ?? 0 }));
}
