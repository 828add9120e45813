// Reading commands and mentions, beyond the cases of test/fixtures/commands and test/fixtures/mentions: what must hold for any text at all.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grammarOf } from '../../host/pipeline/commands/grammar.ts';
import { isMentioned } from '../../host/pipeline/commands/mentions.ts';
import { parseCommand } from '../../host/pipeline/commands/parse.ts';
import { spokenPart } from '../../host/pipeline/commands/spoken.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { cpuRatio } from '../support/cpu-ratio.ts';

const grammar = grammarOf({ prefixes: ['/', '!', '!!'], names: ['gatehouse', 'gate house', 'g.h', '助手'] });
const PIECES = ['/', '!', '@', 'gatehouse', '@gatehouse', '<@', '>', '|', ' ', '\n', '\u200b', '\ufeff', '`', '```', 'help', 'a', 'е', 'ｈ', 'https://', 'www.', ':', ',', '> ', '\ud800', '\udc00', '🙂', '\u{e0061}', 'e\u0301'];
/** Any text at all, and text made of what the readers look for. */
const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.constantFrom(...PIECES)).map((pieces) => pieces.join('')));

describe('parseCommand', () => {
  it('takes any text for a command, a text or a mistake, and never throws', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseCommand(text, grammar);
        expect(['command', 'text', 'malformed']).toContain(parsed.kind);
        if (parsed.kind !== 'command') return;
        expect(parsed.name).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
        expect(parsed.arguments.length).toBeLessThanOrEqual(BOUNDS.commandArguments);
        expect(parsed.arguments).toBe(parsed.arguments.trim());
        expect(text).toContain(parsed.arguments);
      }),
      { numRuns: 5000 },
    );
  });

  it('reads the same text the same way, whatever was read before', () => {
    fc.assert(
      fc.property(texts, texts, (text, other) => {
        const alone = parseCommand(text, grammar);
        parseCommand(other, grammar);
        expect(parseCommand(text, grammar)).toEqual(alone);
      }),
    );
  });

  it('reads what it read, once more: a command written out is that command', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/);
    const words = fc.string().map((text) => text.trim().replaceAll(/^[\u200b\u200e\u200f\u2060\ufeff\s]+|[\u200b\u200e\u200f\u2060\ufeff\s]+$/gu, ''));
    fc.assert(
      fc.property(name, words, (name, words) => {
        expect(parseCommand(`/${name} ${words}`, grammar)).toEqual({ kind: 'command', name, arguments: words, prefix: '/', addressed: false });
      }),
    );
  });
});

/** Each text grows with its argument, and is made to be read again and again where a reader is careless. */
const HOSTILE: readonly (readonly [string, (size: number) => string])[] = [
  ['blanks', (size) => ' '.repeat(size)],
  ['blanks and then a name', (size) => `${' '.repeat(size)}x`],
  ['something invisible', (size) => '\u200b'.repeat(size)],
  ['blanks inside arguments', (size) => `/say ${`${' '.repeat(200)}x`.repeat(size / 201)}`],
  ['blanks behind arguments', (size) => `/say x${' '.repeat(size)}`],
  ['a word without an end', (size) => `/${'a'.repeat(size)}`],
  ['a word of two scripts', (size) => `/${'aе'.repeat(size / 2)}`],
  ['a name and something invisible', (size) => `/help${'\u200b'.repeat(size)}`],
  ['a name and half of the invisible', (size) => `/help${'\u{e0061}'.repeat(size / 2)}`],
  ['addressees', (size) => `/help${'@a'.repeat(size / 2)}`],
  ['prefixes', (size) => '/'.repeat(size)],
  ['salutations', (size) => '@gatehouse '.repeat(size / 11)],
  ['beginnings of a salutation', (size) => '<@gatehouse|'.repeat(size / 12)],
  ['the name, never alone', (size) => 'gatehousex'.repeat(size / 10)],
  ['the name in hosts', (size) => 'gatehouse.'.repeat(size / 10)],
  ['beginnings of the name', (size) => 'gate '.repeat(size / 5)],
  ['ticks', (size) => 'gatehouse`'.repeat(size / 10)],
  ['runs of ticks, each longer', (size) => `gatehouse ${Array.from({ length: Math.sqrt(2 * size) }, (_, index) => '`'.repeat(index + 1)).join(' ')}`],
  ['schemes', (size) => `gatehouse ${'a://'.repeat(size / 4)}`],
  ['beginnings of a scheme', (size) => `gatehouse ${'a+b.c-'.repeat(size / 6)}`],
  ['quoted lines', (size) => `gatehouse\n${'> gatehouse\n'.repeat(size / 12)}`],
  ['ends of lines', (size) => `gatehouse>${'\n'.repeat(size)}`],
];

describe('on hostile texts', () => {
  it.each(HOSTILE)('the time grows with the text and not faster: %s', (_, make) => {
    const [small, large] = [make(4000), make(32_000)];
    const read = (text: string) => () => {
      parseCommand(text, grammar);
      isMentioned({ text, mentions: [] }, grammar);
      spokenPart(text);
    };
    expect(cpuRatio(read(small), read(large))).toBeLessThan(32); // 8 when linear, 64 when quadratic
  });
});
