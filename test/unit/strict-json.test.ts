// The strict parser: what it takes, what it refuses, and that every refusal names its place.
import { describe, expect, it } from 'vitest';
import { GatehouseError, type ErrorCode } from '../../host/errors.ts';
import { parseStrict } from '../../host/strict-json.ts';

const options = { source: 'test.json', maxBytes: 1000, maxDepth: 4 };
const parse = (input: string | Uint8Array) => parseStrict(input, options).value;

function refusal(input: string | Uint8Array): { code: ErrorCode; line: unknown; column: unknown } {
  try {
    parse(input);
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return { code: thrown.code, line: thrown.fields['line'], column: thrown.fields['column'] };
    throw thrown;
  }
  throw new Error(`accepted: ${JSON.stringify(input)}`);
}

/** Anything thrown that is not a typed refusal fails the test. */
function accepts(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return false;
    throw thrown;
  }
}

describe('strict JSON', () => {
  it.each([
    ['{}'], ['[]'], ['null'], ['true'], ['false'], ['0'], ['-1'], ['1.5'], ['-0.5'], ['1e3'], ['1E-3'], ['9007199254740991'], ['""'], ['"é😀"'], ['"\\ud83d\\ude00"'], ['"\\u0041\\n\\/"'],
    [' {\r\n\t"a" : [ 1 , 2.25 , { "b" : "c" } ] , "d" : null } '], ['{"a":{"x":1},"b":{"x":2}}'], ['"\u2028"'],
  ])('reads %s as the engine does', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
    expect(parse(Buffer.from(text))).toEqual(JSON.parse(text));
  });

  it.each<[string, string, ErrorCode, number, number]>([
    ['an empty text', '', 'JSON_INVALID', 1, 1],
    ['two values', '{} {}', 'JSON_INVALID', 1, 4],
    ['a trailing comma', '{"a":1,}', 'JSON_INVALID', 1, 8],
    ['a trailing comma in an array', '[1,\n2,\n]', 'JSON_INVALID', 3, 1],
    ['a missing comma', '[1 2]', 'JSON_INVALID', 1, 4],
    ['a missing colon', '{"a" 1}', 'JSON_INVALID', 1, 6],
    ['a bare key', '{a:1}', 'JSON_INVALID', 1, 2],
    ['single quotes', "{'a':1}", 'JSON_INVALID', 1, 2],
    ['a line comment', '{\n  // hi\n}', 'JSON_INVALID', 2, 3],
    ['a block comment', '[/* hi */]', 'JSON_INVALID', 1, 2],
    ['an unclosed object', '{"a":1', 'JSON_INVALID', 1, 7],
    ['an unclosed string', '{"a": "b', 'JSON_INVALID', 1, 7],
    ['a raw line feed in a string', '"a\nb"', 'JSON_INVALID', 1, 3],
    ['an unknown escape', '"\\x41"', 'JSON_INVALID', 1, 2],
    ['a short unicode escape', '"\\u12"', 'JSON_INVALID', 1, 2],
    ['a lone high surrogate', '"\\ud800"', 'JSON_INVALID', 1, 2],
    ['a lone low surrogate', '"a\\udc00"', 'JSON_INVALID', 1, 3],
    ['two high surrogates', '"\\ud800\\ud800"', 'JSON_INVALID', 1, 2],
    ['a leading zero', '[01]', 'JSON_INVALID', 1, 2],
    ['a leading plus', '[+1]', 'JSON_INVALID', 1, 2],
    ['a bare point', '[.5]', 'JSON_INVALID', 1, 2],
    ['a trailing point', '[5.]', 'JSON_INVALID', 1, 2],
    ['a lone minus', '[-]', 'JSON_INVALID', 1, 2],
    ['a hexadecimal number', '[0x10]', 'JSON_INVALID', 1, 3],
    ['NaN', '[NaN]', 'JSON_INVALID', 1, 2],
    ['Infinity', '[-Infinity]', 'JSON_INVALID', 1, 2],
    ['negative zero', '[-0]', 'JSON_INVALID', 1, 2],
    ['an integer that would be rounded', '[9007199254740993]', 'JSON_INVALID', 1, 2],
    ['a number beyond the doubles', '[1e999]', 'JSON_INVALID', 1, 2],
    ['a large power', '[1e30]', 'JSON_INVALID', 1, 2],
    ['a wrong word', '[nul]', 'JSON_INVALID', 1, 2],
    ['a longer word', '[nullx]', 'JSON_INVALID', 1, 6],
    ['a byte order mark', '\ufeff{}', 'JSON_ENCODING', 1, 1],
    ['a no-break space between tokens', '{\u00a0}', 'JSON_INVALID', 1, 2],
    ['a duplicate key', '{"a":1,\n "a":2}', 'JSON_DUPLICATE_KEY', 2, 2],
    ['a duplicate key in another spelling', '{"a":1, "\\u0061":2}', 'JSON_DUPLICATE_KEY', 1, 9],
    ['a duplicate key among many', `{${Array.from({ length: 30 }, (_, n) => `"k${n}":0`).join(',')},\r\n"k7":1}`, 'JSON_DUPLICATE_KEY', 2, 1],
    ['__proto__', '{"a":{"__proto__":1}}', 'JSON_FORBIDDEN_KEY', 1, 7],
    ['__proto__ in another spelling', '{"\\u005f_proto__":1}', 'JSON_FORBIDDEN_KEY', 1, 2],
    ['constructor', '{"constructor":1}', 'JSON_FORBIDDEN_KEY', 1, 2],
    ['prototype', '[{"prototype":1}]', 'JSON_FORBIDDEN_KEY', 1, 3],
    ['five levels', '[[[[\n[]]]]]', 'JSON_TOO_DEEP', 2, 1],
    ['a raw lone surrogate', '["\ud800"]', 'JSON_ENCODING', 1, 3],
  ])('refuses %s and names the place', (_, text, code, line, column) => {
    const forms = text.isWellFormed() ? [text, Buffer.from(text)] : [text];
    for (const form of forms) expect(refusal(form)).toEqual({ code, line, column });
  });

  it.each<[string, number[], number]>([
    ['a stray continuation byte', [0x80], 3],
    ['an overlong slash', [0xc0, 0xaf], 3],
    ['a truncated sequence', [0xe2, 0x82], 3],
    ['an encoded surrogate', [0xed, 0xa0, 0x80], 3],
    ['a byte no UTF-8 text has', [0xff], 3],
  ])('refuses invalid UTF-8: %s', (_, damage, column) => {
    const bytes = Buffer.concat([Buffer.from('[\n "'), Buffer.from(damage), Buffer.from('"]')]);
    expect(refusal(bytes)).toEqual({ code: 'JSON_ENCODING', line: 2, column });
  });

  it('refuses UTF-16', () => {
    expect(refusal(Buffer.from('{}', 'utf16le')).code).toBe('JSON_INVALID');
    expect(refusal(Buffer.from('\ufeff{}', 'utf16le')).code).toBe('JSON_ENCODING');
  });

  it('measures the limit in bytes, for text and for bytes', () => {
    const text = `"${'é'.repeat(499)}"`;
    expect(parse(text)).toHaveLength(499);
    expect(refusal(`"${'é'.repeat(500)}"`).code).toBe('JSON_TOO_LARGE');
    expect(refusal(Buffer.from(`"${'é'.repeat(500)}"`)).code).toBe('JSON_TOO_LARGE');
  });

  it('survives nesting that would exhaust a recursive reader', () => {
    expect(() => parseStrict('['.repeat(500_000), { source: 's', maxBytes: 1e6, maxDepth: 16 })).toThrow(expect.objectContaining({ code: 'JSON_TOO_DEEP' }));
  });

  it('finds values and keys by pointer', () => {
    const { locate } = parseStrict('{\n  "a": [1, {"b/c": true}],\n  "d": {"e~": "x, \\"}]"}, "f": 2\n}', options);
    expect(locate('')).toEqual({ line: 1, column: 1 });
    expect(locate('/a')).toEqual({ line: 2, column: 8 });
    expect(locate('/a', 'key')).toEqual({ line: 2, column: 3 });
    expect(locate('/a/1/b~1c')).toEqual({ line: 2, column: 20 });
    expect(locate('/d/e~0')).toEqual({ line: 3, column: 15 });
    expect(locate('/f')).toEqual({ line: 3, column: 32 });
    expect(locate('/a/7')).toEqual({ line: 2, column: 8 });
    expect(locate('/missing')).toEqual({ line: 1, column: 1 });
  });

  it('never accepts what the engine refuses, and agrees on the value', () => {
    const alphabet = ['{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '1', '-', '0', '.', 'e', 'true', 'null', ' ', '\n', '\\', 'u0041', '\\u0041'];
    let state = 12_345;
    const random = (below: number) => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const texts = Array.from({ length: 20_000 }, () => Array.from({ length: 1 + random(9) }, () => alphabet[random(alphabet.length)]).join(''));
    const accepted = texts.filter((text) => accepts(text));
    expect(accepted.length).toBeGreaterThan(100);
    for (const text of accepted) expect(parse(text)).toEqual(JSON.parse(text));
  });
});
