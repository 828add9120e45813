// Long texts in pieces: what holds for every text and every limit. The rules one by one are cases in test/fixtures/chunking/.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunk, fits, pieces } from '../../host/outbound/chunk.ts';
import type { TextLimits } from '../../schemas/text-limits.ts';

const bit = fc.constantFrom(
  'word', 'a', ' ', '  ', '\n', '\n\n', '    indented\n', '```\n', '```js\n', '````md\n', '~~~\n', '   ```py\n', '```', '`code`', 'x'.repeat(90), 'https://host.example/path?a=1&b=2', '[text of a link](https://host.example/)',
  '👨‍👩‍👧‍👦', '🇩🇪🇫🇷', 'e\u0301\u0323', '한국어', 'नमस्ते', 'שלום', 'مرحبا بالعالم', '日本語の文章。', '\u200d', '\u0301', '- item\n', '[[[[', '😀', '\t',
);
const text = fc.array(bit, { maxLength: 120 }).map((bits) => bits.join(''));
const limits: fc.Arbitrary<TextLimits> = fc.record({ characters: fc.integer({ min: 64, max: 300 }), bytes: fc.integer({ min: 64, max: 300 }), lines: fc.integer({ min: 4, max: 12 }) }, { requiredKeys: [] });

const solid = (given: string) => given.replaceAll(/\s/g, '');
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Where graphemes of the text begin, counted without white space. */
function boundaries(given: string): ReadonlySet<number> {
  let at = 0;
  const starts = [...graphemes.segment(given)].map(({ segment }) => {
    const start = at;
    at += solid(segment).length;
    return start;
  });
  return new Set([...starts, at]);
}

describe('the pieces of a long text', () => {
  it('are each within every limit, and none is blank', () => {
    fc.assert(fc.property(text, limits, (given, limit) => {
      const all = chunk(given, limit);
      expect(all.filter((each) => !fits(each, limit))).toEqual([]);
      expect(all.filter((each) => all.length > 1 && each.trim() === '')).toEqual([]);
    }), { numRuns: 2000 });
  });

  it('carry the whole text in its order, and add nothing but marks of code blocks', () => {
    fc.assert(fc.property(text, limits, (given, limit) => {
      const all = pieces(given, limit);
      // A piece that ends with a block may stand for the closing mark of the text.
      const withoutMarks = (each: string) => solid(each).replaceAll(/`{3,}|~{3,}/g, '');
      expect(withoutMarks(all.map(({ body }) => body).join('\n'))).toBe(withoutMarks(given));
      for (const { before, after } of all) expect([before, after].filter((mark) => !/^(\s*(`{3,}|~{3,}).*\n?|)$/.test(mark.trimStart()))).toEqual([]);
    }), { numRuns: 2000 });
  });

  it('never begin or end inside a grapheme', () => {
    fc.assert(fc.property(text.map((given) => given.replaceAll(/[`~]/g, '')), limits, (given, limit) => {
      const starts = boundaries(given);
      let at = 0;
      for (const { body } of pieces(given, limit)) {
        expect(starts.has(at)).toBe(true);
        at += solid(body).length;
      }
    }), { numRuns: 2000 });
  });

  it('close every code block they open', () => {
    const body = fc.array(fc.constantFrom('const a = 1;\n', '\n', '  return b;\n', 'x'.repeat(120) + '\n'), { minLength: 20, maxLength: 60 }).map((lines) => `Before.\n\n\`\`\`ts\n${lines.join('')}\`\`\`\n\nAfter.`);
    fc.assert(fc.property(body, limits, (given, limit) => {
      for (const each of chunk(given, limit)) expect({ each, odd: (each.match(/^```/gm)?.length ?? 0) % 2 }).toEqual({ each, odd: 0 });
    }));
  });

  it('are cut in a time that grows with the text, whatever is in it', () => {
    const seconds = (given: string, limit: TextLimits) => {
      const startedAt = performance.now();
      chunk(given, limit);
      return (performance.now() - startedAt) / 1000;
    };
    const LONG = 64 * 1024;
    for (const given of ['```\n', '[', '[](', '[a](', '\u0301', '👨‍', '🇩', ' ', '\n', '`', '~~~x\n'].map((each) => each.repeat(LONG / each.length))) {
      expect(seconds(given, { characters: 2000, lines: 17 })).toBeLessThan(2);
      expect(seconds(given, { bytes: 20_000 })).toBeLessThan(2);
    }
  });
});
