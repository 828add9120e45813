// What leaves in parts: which channels may show a reply while it is written, and pieces of a marked-up text that are each whole.
import { describe, expect, it } from 'vitest';
import type { Ability } from '../../schemas/abilities.ts';
import type { Dialect } from '../../schemas/dialects.ts';
import type { OutboundPolicy } from '../../schemas/policy.ts';
import { mayShowParts } from '../../host/pipeline/delivery/leaving.ts';
import { wholePieces } from '../../host/pipeline/sanitizing/whole-pieces.ts';
import { instanceId } from '../support/ids.ts';
import { isMarkdownV2 } from '../support/telegram-oracle.ts';

describe('a reply that is still being written', () => {
  const shown = (text: Dialect | undefined, outbound: OutboundPolicy = {}, abilities: readonly Ability[] = []) =>
    mayShowParts({ instance: instanceId('door'), wallMs: 1000, section: { ...(text && { text }), abilities: [], ingress: [] }, policy: { outbound }, reachesOut: false, can: (ability) => abilities.includes(ability), secret: () => undefined }, 'c');

  it.each<[string, boolean, boolean]>([
    ['a channel without markup', shown(undefined), true],
    ['a channel whose signs cannot deceive', shown('whatsapp'), true],
    ['a channel with markup, where the whole says what a sign means', shown('markdown'), false],
    ['a channel where links are refused', shown('plain', { links: 'refuse' }), false],
    ['a channel that sanitizes by itself', shown('plain', {}, ['sanitize']), false],
  ])('may be seen or not on %s', (_, is, expected) => {
    expect(is).toBe(expected);
  });
});

describe('pieces of a marked-up text', () => {
  const limits = { characters: 100 };

  it('are each whole, and fit', () => {
    const text = `*${'bold and bolder '.repeat(12)}end* [words](https://a.example/${'x'.repeat(40)}) \`code\` ${'a\\.b '.repeat(60)}`;
    const pieces = wholePieces(text, limits, 'telegram-markdown-v2', 'escape');
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.map((piece) => [isMarkdownV2(piece), piece.length <= 100])).toEqual(pieces.map(() => [true, true]));
  });

  it('close the tags that a cut leaves open', () => {
    const pieces = wholePieces(`<b>${'a '.repeat(120)}</b>`, limits, 'html', 'escape');
    expect(pieces[0]).toMatch(/^<b>.*<\/b>$/s);
    expect(pieces.every((piece) => piece.length <= 100 && !/<b>(?!.*<\/b>)/s.test(piece))).toBe(true);
  });

  it('call nobody whom only the cut would call, unless calls may leave', () => {
    const text = `${'-'.repeat(91)}@everyone${'y'.repeat(50)}`;
    expect(wholePieces(text, limits, 'discord-markdown', 'escape').join('\n')).not.toMatch(/@everyone\b/);
    expect(wholePieces(text, limits, 'discord-markdown', 'keep').join('\n')).toMatch(/@everyone\b/);
  });

  it('leave a text alone that fits', () => {
    expect(wholePieces('*a*', limits, 'telegram-markdown-v2', 'escape')).toEqual(['*a*']);
  });
});
