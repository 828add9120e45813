// Strict JSON, whatever comes in: held against the engine's own parser, and against a search for what that lets pass.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { parseStrict, type ParsedJson } from '../../host/strict-json.ts';
import { cpuRatio } from '../support/cpu-ratio.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { opinionOn } from '../support/json-oracle.ts';
import { jsonBytes, jsonText, jsonValue, NUMBER_TOKENS, type Json } from './arbitraries/json.ts';
import { damagedText } from './arbitraries/bytes.ts';

const OPTIONS = { source: 'the text', maxBytes: 4096, maxDepth: 4 };
const door = fuzzDoor('strict-json');

/** What was read, or the refusal; anything else thrown fails the test. */
function read(input: Uint8Array | string): ParsedJson | GatehouseError {
  try {
    return parseStrict(input, OPTIONS);
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code.startsWith('JSON_')) return thrown;
    throw thrown;
  }
}

const texts = fc.oneof(jsonText(), damagedText(jsonText(), { most: 2 }), fc.json(), fc.string({ unit: 'binary', maxLength: 20 }));

describe('strict JSON, whatever comes in', () => {
  it('accepts exactly what the engine reads and nobody can read differently', () => door.holds({ runs: 6000, given: texts }, (text) => {
    const outcome = read(text);
    const { engine, reasons } = opinionOn(text, OPTIONS.maxDepth);
    const tooLarge = Buffer.byteLength(text) > OPTIONS.maxBytes;
    expect({ accepted: !(outcome instanceof GatehouseError), reasons }).toEqual({ accepted: engine && reasons.length === 0 && !tooLarge, reasons });
    if (outcome instanceof GatehouseError) return;
    expect(outcome.value).toEqual(JSON.parse(text));
  }));

  it('says where the text is wrong, inside the text', () => door.holds({ runs: 4000, given: jsonBytes() }, (bytes) => {
    const outcome = read(bytes);
    if (!(outcome instanceof GatehouseError) || outcome.code === 'JSON_TOO_LARGE') return;
    const { line, column, offset } = outcome.fields;
    const lines = bytes.toString('utf8').split(/\r\n|\r|\n/);
    expect(line).toSatisfy((each: unknown) => Number.isInteger(each) && Number(each) >= 1 && Number(each) <= lines.length);
    expect(column).toSatisfy((each: unknown) => Number.isInteger(each) && Number(each) >= 1 && Number(each) <= (lines[Number(line) - 1] ?? '').length + 1);
    expect(Number(offset ?? 0)).toBeLessThanOrEqual(bytes.length);
    expect(outcome.message).not.toMatch(/\{[a-z]{2,}\}|undefined/);
  }));

  it('reads bytes and their text alike', () => door.holds({ runs: 2000, given: jsonText() }, (text) => {
    if (!text.isWellFormed()) return;
    const verdict = (outcome: ParsedJson | GatehouseError) => (outcome instanceof GatehouseError ? outcome.message : outcome.value);
    expect(verdict(read(Buffer.from(text)))).toEqual(verdict(read(text)));
  }));

  it('refuses bytes that are no UTF-8, wherever they stand', () => door.holds({ runs: 1000, given: fc.tuple(jsonText(), fc.nat(1000), fc.constantFrom('80', 'c0af', 'e282', 'eda080', 'f4908080', 'ff', 'fe', 'c1bf', 'f8888080')) }, ([text, place, damage]) => {
    const bytes = Buffer.from(text);
    const at = place % (bytes.length + 1);
    const broken = Buffer.concat([bytes.subarray(0, at), Buffer.from(damage, 'hex'), Buffer.from(' '), bytes.subarray(at)]);
    expect(read(broken)).toMatchObject({ code: broken.length > OPTIONS.maxBytes ? 'JSON_TOO_LARGE' : 'JSON_ENCODING' });
  }));

  it('reads back what was written', () => door.holds({ runs: 2000, given: fc.tuple(jsonValue(), fc.constantFrom(undefined, 1, '\t')) }, ([value, indent]) => {
    const text = JSON.stringify(value, null, indent);
    const outcome = read(text);
    if (outcome instanceof GatehouseError) return; // whether rightly, the first property asks
    expect(JSON.stringify(outcome.value)).toBe(JSON.stringify(value));
  }));

  it('finds the place of every value by its pointer', () => door.holds({ runs: 1500, given: jsonValue() }, (value) => {
    const text = JSON.stringify(value);
    const outcome = read(text);
    if (outcome instanceof GatehouseError) return;
    for (const [pointer, inner] of pointersOf(value)) {
      const { line, column } = outcome.locate(pointer);
      expect(line).toBe(1);
      expect(text.slice(column - 1).startsWith(JSON.stringify(inner))).toBe(true);
    }
  }));

  it('judges every disputed number alike, alone and among others', () => {
    for (const token of NUMBER_TOKENS) {
      for (const text of [token, `[${token}]`, `{"a":${token}}`, ` ${token} `]) {
        const { engine, reasons } = opinionOn(text, 4);
        expect([text, !(read(text) instanceof GatehouseError)]).toEqual([text, engine && reasons.length === 0]);
      }
    }
    door.tried(NUMBER_TOKENS.length * 4);
  });

  it.each<[string, (size: number) => string]>([
    ['a long string', (size) => `"${'x'.repeat(size)}"`],
    ['a string of escapes', (size) => `"${'\\u0041'.repeat(size / 6)}"`],
    ['a string that never ends', (size) => `"${'\\"'.repeat(size / 2)}`],
    ['many numbers', (size) => `[${'1234567,'.repeat(size / 8)}1]`],
    ['one endless number', (size) => `[0.${'1'.repeat(size)}]`],
    ['many keys', (size) => `{${Array.from({ length: size / 16 }, (_, n) => `"k${String(n).padStart(9, '0')}":1`).join(',')}}`],
    ['many keys that hash alike', (size) => `{${Array.from({ length: size / 16 }, (_, n) => `"${String(n).padStart(10, '0')}":1`).join(',')}}`],
    ['many empty objects', (size) => `[${'{},'.repeat(size / 3)}1]`],
    ['blanks', (size) => ' '.repeat(size)],
    ['lines, and a mistake at the end', (size) => `[${'\n'.repeat(size)}x`],
    ['opening brackets', (size) => '['.repeat(size)],
    ['damage in the last byte', (size) => `"${'é'.repeat(size / 2)}\ud800`],
  ])('takes time in proportion to the size of %s', (_, text) => {
    const attempt = (size: number) => {
      const input = text(size);
      return () => {
        try {
          parseStrict(input, { source: 's', maxBytes: 1e7, maxDepth: 16 });
        } catch (thrown) {
          if (!(thrown instanceof GatehouseError)) throw thrown;
        }
      };
    };
    expect(cpuRatio(attempt(60_000), attempt(480_000))).toBeLessThan(32); // 8 when linear, 64 when quadratic
  });
});

function* pointersOf(value: Json, pointer = ''): Generator<[string, Json]> {
  yield [pointer, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) yield* pointersOf(inner, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
}
