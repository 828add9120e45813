// Documents against our schemas, and plugins' own schemas against the bounds the host sets them.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { Enablement } from '../../schemas/enablement.ts';
import { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { compilePluginSchema, compileSchema, parseDocument } from '../../host/schema.ts';

const options = { source: 'doc.json', maxBytes: 65_536, maxDepth: 8 };

const manifest = (changes: Record<string, unknown> = {}) => ({
  manifestVersion: 1, id: 'acme.weather', publisher: 'acme', version: '1.0.0', kind: 'tool', displayName: 'Weather', description: '', license: 'MIT', hostApi: '^1.0.0', ...changes,
});
const parse = (value: unknown) => parseDocument(JSON.stringify(value, null, 2), compileSchema(PluginManifest), options);

describe('our schemas', () => {
  it('are valid JSON Schema 2020-12', () => {
    const folder = join(import.meta.dirname, '../../schemas/json');
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    const wrong = readdirSync(folder).filter((name) => name.endsWith('.schema.json') && ajv.validateSchema(Object(JSON.parse(readFileSync(join(folder, name), 'utf8')))) !== true);
    expect(wrong).toEqual([]);
  });

  it('hand back the document they accept', () => {
    expect(parse(manifest())).toMatchObject({ id: 'acme.weather', kind: 'tool' });
  });

  it('are compiled once', () => {
    expect(compileSchema(PluginManifest)).toBe(compileSchema(PluginManifest));
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['an unknown key, naming the nearest', { capabilites: [] }, { code: 'SCHEMA_UNKNOWN_KEY', fields: { path: '/', key: 'capabilites', nearest: " Did you mean 'capabilities'?", line: 11, column: 3 } }],
    ['an unknown key that resembles nothing', { zzz: 1 }, { code: 'SCHEMA_UNKNOWN_KEY', fields: { key: 'zzz', nearest: '' } }],
    ['a missing key', { id: undefined }, { code: 'SCHEMA_INVALID', fields: { path: '/', problem: "the key 'id' is missing" } }],
    ['a wrong type', { version: 1 }, { code: 'SCHEMA_INVALID', fields: { path: '/version', problem: 'must be a string, but is an integer', line: 5, column: 14 } }],
    ['a word outside the list', { kind: 'skil' }, { code: 'SCHEMA_INVALID', fields: { path: '/kind', problem: "must be 'channel', 'skill', 'moderation' or 'tool'" } }],
    ['an unknown key inside the capability that was meant', { capabilities: [{ name: 'kv', quotaBites: 1 }] }, { code: 'SCHEMA_UNKNOWN_KEY', fields: { path: '/capabilities/0', key: 'quotaBites', nearest: " Did you mean 'quotaBytes'?" } }],
    ['a missing key inside the capability that was meant', { capabilities: [{ name: 'kv' }] }, { code: 'SCHEMA_INVALID', fields: { path: '/capabilities/0', problem: "the key 'quotaBytes' is missing" } }],
    ['a capability that does not exist', { capabilities: [{ name: 'kw', quotaBytes: 1 }] }, { code: 'SCHEMA_INVALID', fields: { path: '/capabilities/0/name', problem: expect.stringMatching(/^must be .*'http\.fetch'.*'kv'.*/) } }],
    ['a wrong value in a union inside a union', { capabilities: [{ name: 'http.fetch', origins: ['http://x'], methods: ['GET'] }] }, { code: 'SCHEMA_INVALID', fields: { path: '/capabilities/0/origins/0', problem: 'must be an https origin in lower case without a path, as https://api.example.com' } }],
    ['a wrong type in a union', { capabilities: ['kv'] }, { code: 'SCHEMA_INVALID', fields: { path: '/capabilities/0', problem: 'must be an object, but is a string' } }],
    ['an unknown key in a form without a tag', { capabilities: [{ name: 'secret.use', handle: 'a', audience: 'https://a.example', inject: { header: 'x', prefex: 'y' } }] }, { code: 'SCHEMA_UNKNOWN_KEY', fields: { path: '/capabilities/0/inject', key: 'prefex', nearest: " Did you mean 'prefix'?" } }],
  ])('refuse %s', (_, changes, expected) => {
    expect(() => parse(manifest(changes))).toThrow(expect.objectContaining({ ...expected, fields: expect.objectContaining(expected['fields']) }));
  });

  it('name the place of a key with slashes and tildes', () => {
    const checker = compileSchema(Type.Object({ a: Type.Object({}, { additionalProperties: false }) }, { additionalProperties: false }));
    expect(() => parseDocument('{"a": {\n"x/~y": 1}}', checker, options)).toThrow(expect.objectContaining({ fields: expect.objectContaining({ key: 'x/~y', line: 2, column: 1 }) }));
  });

  it('explain a value under a key with a percent sign', () => {
    const checker = compileSchema(Type.Object({ labels: Type.Record(Type.String(), Type.Integer()) }));
    expect(checker.explain({ labels: { '100%': 'x' } })).toEqual({ path: '/labels/100%', problem: 'must be an integer, but is a string' });
  });

  it('never change the value', () => {
    const value = { plugin: 'acme.weather' };
    expect(compileSchema(Enablement).is(value)).toBe(true);
    expect(value).toEqual({ plugin: 'acme.weather' });
    expect(compileSchema(Enablement).is({ plugin: 'acme.weather', order: '7' })).toBe(false);
  });
});

describe('schemas that come from plugins', () => {
  const compile = (schema: unknown, role: 'config' | 'input' | 'output' = 'output') => compilePluginSchema(schema, { role, source: "the tool 'x'" });
  const refusal = (path: string, problem: string) => expect.objectContaining({ code: 'PLUGIN_SCHEMA', fields: expect.objectContaining({ path: path || expect.any(String), problem: expect.stringContaining(problem) }) });

  it('are checked as they say', () => {
    const checker = compile({ type: 'object', properties: { zone: { type: 'string', minLength: 1 }, at: { type: 'string', format: 'date-time' }, key: { $ref: '#/$defs/key' } }, required: ['zone'], additionalProperties: false, $defs: { key: { type: ['string', 'null'], 'x-secret': true } } }, 'config');
    expect(checker.is({ zone: 'UTC', at: '2026-11-21T08:00:00Z', key: null })).toBe(true);
    expect(checker.is({ zone: 'UTC', at: '2026-02-30T08:00:00Z' })).toBe(false);
    expect(checker.explain({ zon: 'UTC', zone: 'UTC' })).toEqual({ path: '/', problem: "the key 'zon' is unknown", key: 'zon', nearest: 'zone' });
    expect(checker.explain({ zone: '' })).toMatchObject({ path: '/zone' });
  });

  it.each<[string, unknown, 'config' | 'input' | 'output', string, string]>([
    ['an open config', { type: 'object', properties: {} }, 'config', '/additionalProperties', 'additionalProperties'],
    ['a config that is no object', { type: 'string' }, 'config', '/type', 'object'],
    ['input that is no object', { type: 'array' }, 'input', '/type', 'object'],
    ['something that is no schema', 'string', 'output', '/', 'an object'],
    ['an unknown keyword', { typo: 1 }, 'output', '/typo', 'not supported'],
    ['a keyword named like a prototype member', { toString: {} }, 'output', '/toString', 'not supported'],
    ['an unknown type', { type: 'strin' }, 'output', '/type', 'no such type'],
    ['a pattern, which could backtrack in the host', { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } }, 'output', '/properties/a/pattern', 'regular expressions'],
    ['patternProperties', { patternProperties: { '^(a+)+$': true } }, 'output', '/patternProperties', 'regular expressions'],
    ['a remote reference', { $ref: 'https://evil.example/schema.json' }, 'output', '/$ref', 'of the same schema'],
    ['a reference to a file', { $ref: 'file:///etc/passwd' }, 'output', '/$ref', 'of the same schema'],
    ['a reference to the root', { anyOf: [{ $ref: '#' }] }, 'output', '/anyOf/0/$ref', 'of the same schema'],
    ['a reference to nothing', { $ref: '#/$defs/a' }, 'output', '/$ref', 'of the same schema'],
    ['a definition that contains itself', { $ref: '#/$defs/a', $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }] } } }, 'output', '/$defs/a/anyOf/0/$ref', 'refer to itself'],
    ['an unused definition with a pattern', { $defs: { a: { pattern: 'a' } } }, 'output', '/$defs/a/pattern', 'regular expressions'],
    ['a chain of definitions that doubles', { $ref: '#/$defs/d0', $defs: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`d${n}`, n === 10 ? { type: 'string' } : { properties: { a: { $ref: `#/$defs/d${n + 1}` }, b: { $ref: `#/$defs/d${n + 1}` } } }])) }, 'output', '', 'nests deeper'],
    ['many parts behind references', { properties: Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`p${n}`, { $ref: '#/$defs/d' }])), $defs: { d: { properties: Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`p${n}`, true])) } } }, 'output', '/', 'references written out'],
    ['alternatives in an endless list', { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } }, 'output', '/', 'maxItems'],
    ['alternatives behind a definition in an endless list', { type: 'array', items: { $ref: '#/$defs/a' }, $defs: { a: { not: { type: 'string' } } } }, 'output', '/', 'maxItems'],
    ['too many alternatives', { anyOf: Array.from({ length: 65 }, () => true) }, 'output', '/', 'alternatives'],
    ['unique objects', { type: 'array', uniqueItems: true, items: { type: 'object' } }, 'output', '/uniqueItems', 'scalar'],
    ['unique anything', { type: 'array', uniqueItems: true }, 'output', '/uniqueItems', 'scalar'],
    ['a huge enum', { enum: Array.from({ length: 257 }, (_, n) => n) }, 'output', '/enum', '256'],
    ['an enum of objects', { enum: [{ a: 1 }] }, 'output', '/enum/0', 'compared'],
    ['an unchecked format', { format: 'regex' }, 'output', '/format', 'date-time'],
    ['deep nesting', Array.from({ length: 20 }).reduce<unknown>((inner) => ({ items: inner }), {}), 'output', '', 'nests deeper'],
    ['a schema of another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, 'output', '/$schema', '2020-12'],
    ['an identifier that could shadow another schema', { $id: 'https://gatehouse.dev/x' }, 'output', '/$id', 'not supported'],
    ['too much text', { title: 'x'.repeat(4000), description: 'x'.repeat(4000), examples: ['x'.repeat(30_000)] }, 'output', '/', 'larger than'],
    ['a negative limit', { minLength: -1 }, 'output', '/minLength', 'whole number'],
  ])('may not have %s', (_, schema, role, path, problem) => {
    expect(() => compile(schema, role)).toThrow(refusal(path, problem));
  });

  it('leave nothing behind in the compiler', () => {
    for (let round = 0; round < 3; round++) expect(compile({ type: 'object', title: 'same' }).is({})).toBe(true);
  });

  it('accept alternatives in a bounded list', () => {
    const checker = compile({ type: 'array', maxItems: 100, items: { anyOf: [{ type: 'string' }, { type: 'null' }] } });
    expect(checker.is(['a', null])).toBe(true);
    expect(checker.is(Array.from({ length: 101 }, () => 'a'))).toBe(false);
  });
});
