import { readFileSync } from 'node:fs';
import { runPlugin } from '@gatehouse/plugin-sdk/testing';
import { describe, expect, it } from 'vitest';
import plugin from '../src/plugin.ts';
import type { Rule } from '../src/rules.ts';

/** What the host fills in where the operator says nothing. */
const { config }: { config: { properties: { rules: { default: readonly Rule[] }; caseSensitive: { default: boolean } } } } = JSON.parse(readFileSync(new URL('../plugin.json', import.meta.url), 'utf8'));
const DEFAULTS = { rules: config.properties.rules.default, caseSensitive: config.properties.caseSensitive.default };

const judge = async (text: string, rules = DEFAULTS.rules, caseSensitive = DEFAULTS.caseSensitive) => await runPlugin(plugin, { config: { rules, caseSensitive } }).evaluate({ text });

const deny = (text: string, match: Rule['match'] = 'word'): Rule => ({ match, text, effect: 'deny', reason: 'no' });
const masking = (text: string, match: Rule['match'] = 'word'): Rule => ({ match, text, effect: 'mask' });
const PASS = { effect: 'pass' };
const DENIED = { effect: 'deny', reason: 'no' };

describe('the default rules', () => {
  it('refuse, mask and flag one harmless expression each, and pass everything else', async () => {
    expect(await judge('Bring in the Trojan   horse!')).toEqual({ effect: 'deny', reason: 'No trojan horses past this gate.' });
    expect(await judge('Darn it, darn-good!')).toEqual({ effect: 'modify', text: '**** it, ****-good!', reason: 'Words were masked.' });
    expect(await judge('my password is…')).toEqual({ effect: 'flag', labels: ['possible-secret'], reason: 'Words were flagged.' });
    expect(await judge('darn passwords, a darn password')).toEqual({ effect: 'modify', text: '**** passwords, a **** password', reason: 'Words were masked.', labels: ['possible-secret'] });
    for (const text of ['', 'hello', 'trojan horses', 'a horse, trojan', 'darned', 'the horse of Troy']) expect(await judge(text)).toEqual(PASS);
  });

  it('give way to an empty list', async () => {
    expect(await judge('trojan horse', [])).toEqual(PASS);
  });
});

describe('matching', () => {
  it.each<[string, Rule['match'], string, boolean]>([
    ['cat', 'word', 'a cat.', true],
    ['cat', 'word', 'concatenate', false],
    ['cat', 'word', 'cat_food', false],
    ['cat', 'contains', 'concatenate', true],
    ['bad cat', 'phrase', 'bad,\n  "cat"', true],
    ['bad cat', 'word', 'bad cat', true],
    ['bad cat', 'phrase', 'badcat', false],
    ['bad cat', 'phrase', 'bad old cat', false],
    ['bad cat', 'contains', 'not-so-bad cats', true],
    ['bad cat', 'contains', 'bad  cat', false],
    ['$$$', 'word', 'make $$$ fast', true],
    ['日本', 'contains', '私は日本人です', true],
    ['日本', 'word', '私は日本人です', false],
    ['straße', 'word', 'STRASSE', true],
    ['οδός', 'word', 'ΟΔΌΣ', true],
    ['ano', 'word', 'el año', false],
    ['कल', 'contains', 'काल', false],
  ])('finds %j as %s in %j: %s', async (text, match, message, matches) => {
    expect(await judge(message, [deny(text, match)])).toEqual(matches ? DENIED : PASS);
  });

  it.each([
    ['capitals', 'CaT'],
    ['full-width letters', 'ｃａｔ'],
    ['mathematical letters', '𝐜𝒂𝓉'],
    ['zero-width characters', 'c\u200ba\u2060\ufefft'],
    ['soft hyphens', 'c\u00ada\u00adt'],
    ['directional overrides', '\u202ec\u202ca\u200ft'],
    ['variation selectors', 'c\ufe0fat\ufe0e'],
    ['struck-through letters', 'c\u0336a\u0336t\u0336'],
    ['stacked marks', 'c\u0336\u0332\u035fa\u0488t'],
    ['no-break spaces around it', '\u00a0cat\u202f'],
  ])('is not fooled by %s', async (_, text) => {
    expect(await judge(`the ${text} sat`, [deny('cat')])).toEqual(DENIED);
  });

  it('keeps capitals apart when it is case-sensitive', async () => {
    expect(await judge('the cat', [deny('CAT')], true)).toEqual(PASS);
    expect(await judge('the ＣＡＴ', [deny('CAT')], true)).toEqual(DENIED);
  });

  it('finds texts inside, across and at the ends of other texts', async () => {
    const rules = ['she', 'he', 'hers', 'his', 'e h'].map((text) => ({ match: 'contains', text, effect: 'flag', label: text }) as const);
    const labels = async (text: string) => {
      const decision = await judge(text, rules);
      return decision.effect === 'flag' ? decision.labels : [];
    };
    expect(await labels('ushers')).toEqual(['she', 'he', 'hers']);
    expect(await labels('the hi')).toEqual(['he', 'e h']);
    expect(await labels('sh ersh')).toEqual([]);
  });

  it('finds exactly what a plain search finds, on random texts over a small alphabet', async () => {
    let state = 5;
    const next = (most: number) => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) % most;
    const random = (most: number) => Array.from({ length: 1 + next(most) }, () => 'ab '.charAt(next(3))).join('');
    for (let round = 0; round < 300; round++) {
      const texts = Array.from({ length: 1 + next(6) }, () => random(5));
      const message = random(60);
      const decision = await judge(message, texts.map((text, index) => ({ match: 'contains', text, effect: 'flag', label: `${index}` })));
      const expected = texts.flatMap((text, index) => (message.includes(text) ? [`${index}`] : []));
      expect(decision.effect === 'flag' ? decision.labels : []).toEqual(expected);

      const masked = await judge(message, texts.map((text) => masking(text, 'contains')));
      expect(masked.effect === 'modify' ? masked.text : message).toBe(plainMask(message, texts));
    }
  });
});

/** The obvious way, for comparison. */
function plainMask(message: string, texts: readonly string[]): string {
  const hidden = new Set<number>();
  for (const text of texts) {
    for (let at = message.indexOf(text); at !== -1; at = message.indexOf(text, at + 1)) for (let unit = 0; unit < text.length; unit++) hidden.add(at + unit);
  }
  return Array.from(message, (character, index) => (hidden.has(index) && character !== ' ' ? '*' : character)).join('');
}

describe('masking', () => {
  it.each([
    ['darn', 'word', 'Darn!', '****!'],
    ['darn', 'contains', 'undarned', 'un****ed'],
    ['oh darn', 'phrase', 'oh,  darn it', '***  **** it'],
    ['darn', 'word', 'ｄａｒｎ 🙂 darn', '**** 🙂 ****'],
    ['darn', 'word', 'd\u200ba\u0336rn now', '**** now'],
    ['strasse', 'word', 'die Straße dort', 'die ****** dort'],
    ['🙂', 'contains', 'a🙂🙂b', 'a**b'],
    ['ﬁsh', 'word', 'ﬁsh and fish', '*** and ****'],
  ] as const)('of %j as %s turns %j into %j', async (text, match, message, result) => {
    expect(await judge(message, [masking(text, match)])).toMatchObject({ effect: 'modify', text: result });
  });

  it('refuses what it cannot trace back to the message', async () => {
    // A zero-width character between a letter and its mark: the composed letter has no single place in the message.
    expect(await judge('darn n\u200b\u0303', [masking('darn')])).toMatchObject({ effect: 'deny' });
  });

  it('refuses more than a message can reasonably hold', async () => {
    expect(await judge('darn '.repeat(1000), [masking('darn')])).toMatchObject({ effect: 'modify', text: '**** '.repeat(1000) });
    expect(await judge('darn '.repeat(1001), [masking('darn')])).toMatchObject({ effect: 'deny' });
  });

  it('lets a refusal win over a mask, and a mask keep the labels of flags', async () => {
    const rules: Rule[] = [masking('darn'), { match: 'word', text: 'heck', effect: 'flag' }, { ...deny('cat'), reason: 'no cats' }];
    expect(await judge('darn heck cat', rules)).toEqual({ effect: 'deny', reason: 'no cats' });
    expect(await judge('darn heck', rules)).toEqual({ effect: 'modify', text: '**** heck', reason: 'Words were masked.', labels: ['wordlist'] });
  });
});

describe('cost', () => {
  it('grows with the message only: the longest text under the most rules is judged in one pass', async () => {
    // Prefixes of each other, the worst case for a search that starts again at each position.
    const rules = Array.from({ length: 500 }, (_, index) => ({ match: 'contains', text: `${'a'.repeat(1 + (index % 99))}b`, effect: 'flag', label: 'x' }) as const);
    expect(await judge('a'.repeat(65_536), rules)).toEqual(PASS);
    expect(await judge(`${'a'.repeat(65_535)}b`, rules)).toMatchObject({ effect: 'flag', labels: ['x'] });
  });

  it('refuses text that unfolds without reason', async () => {
    expect(await judge('\ufdfa'.repeat(20_000), [deny('x')])).toEqual({ effect: 'deny', reason: 'The message unfolds to more text than can be judged.' });
    expect(await judge('\ufdfa'.repeat(100), [deny('x')])).toEqual(PASS);
  });
});
