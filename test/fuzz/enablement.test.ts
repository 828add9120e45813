// Enablement files, whatever an operator or an accident leaves in them: alone, and as part of a home.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEnablement, writeEnabled } from '../../host/registry/enablement-file.ts';
import { Enablement } from '../../schemas/enablement.ts';
import { aHome } from '../support/home.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { publishedSchema } from '../support/published-schema.ts';
import { refusalOf } from '../support/refusal.ts';
import { SKILL, surveyHome } from '../support/registry.ts';
import { tempDir } from '../support/temp.ts';
import { edited, fitting } from './arbitraries/documents.ts';
import { jsonBytes, jsonValue, type Json } from './arbitraries/json.ts';

/** What a message looks like when something was left out of it. */
const UNFILLED = /undefined|\[object|\{[a-z]{2,}\}/;

const door = fuzzDoor('enablement');
const published = publishedSchema('enablement');
const range = fc.constantFrom('^1.0.0', '*', '1.x', '>=1.0.0 <3', 'latest', '>>1');
const enablements = fitting(Enablement, { version: range });
const bytes = fc.oneof({ weight: 6, arbitrary: edited(enablements) }, { weight: 1, arbitrary: jsonBytes() });

const CONFIG = { type: 'object', additionalProperties: false, properties: { labels: { type: 'object', additionalProperties: { type: 'integer' } }, a: { anyOf: [{ type: 'string' }, { type: 'array' }] }, toString: { type: 'string' } } };

describe('enablements, whatever they say', () => {
  it('are accepted only as the published schema has them, and refused with a place', () => door.holds({ runs: 1500, given: bytes }, async (input) => {
    const refusal = await refusalOf(() => readEnablement(input, 'manifests/plugins/x.json'));
    expect(refusal?.code ?? 'accepted').toMatch(/^(JSON_\w+|SCHEMA_INVALID|SCHEMA_UNKNOWN_KEY|accepted)$/);
    expect(refusal?.message ?? 'line 1').toMatch(/line \d+|has \d+ bytes/);
    expect(refusal?.message ?? '').not.toMatch(UNFILLED);
    expect(refusal !== undefined || published(JSON.parse(input.toString()))).toBe(true);
  }));

  it('switched off and on again say the same as before', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'x.json');
    await door.holds({ runs: 60, given: fc.tuple(enablements, fc.boolean()) }, async ([document, enabled]) => {
      const text = JSON.stringify(document);
      await writeFile(file, text);
      const refused = (await refusalOf(() => writeEnabled(file, enabled))) !== undefined;
      const after: unknown = JSON.parse(await readFile(file, 'utf8'));
      expect(after).toEqual(refused ? JSON.parse(text) : { ...(document as object), enabled });
      expect(Object.keys(after as object).filter((key) => key !== 'enabled')).toEqual(Object.keys(document as object).filter((key) => key !== 'enabled'));
    });
  });

  it('never end the survey of a home, and leave their neighbours alone', async () => {
    await using home = await aHome();
    await home.add({ name: 'subject', kind: 'skill', source: SKILL, manifest: { config: CONFIG } });
    await home.add({ name: 'neighbour', kind: 'skill', source: SKILL });
    const about = fc.tuple(enablements, fc.oneof(jsonValue(), fc.dictionary(fc.constantFrom('labels', 'a', 'toString'), jsonValue(), { noNullPrototype: true })), fc.constantFrom(undefined, '^1.0.0', '9.x'), fc.subarray(['grants', 'secrets', 'limits', 'admit', 'order', 'approvals', 'required'] as const)).map(([document, config, version, kept]): Json => {
      const own = document as Record<string, Json>;
      return { plugin: 'test.subject', instance: 'subject', source: 'plugins/test.subject-1.0.0', ...(version === undefined ? {} : { version }), ...Object.fromEntries(kept.flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]]]))), config };
    });
    await door.holds({ runs: 120, given: edited(about, { most: 1, textual: 1 }), also: [Buffer.from(JSON.stringify({ plugin: 'test.subject', source: 'plugins/test.subject-1.0.0', config: { labels: { '100%': 'x' } } }))] }, async (input) => {
      await writeFile(join(home.path, 'manifests/plugins/subject.json'), input);
      const { plugins, diagnostics } = await surveyHome(home.path);
      expect(plugins.map(({ instance }) => instance)).toContain('neighbour');
      expect(plugins.length === 2 || diagnostics.length > 0 || input.includes('"enabled"')).toBe(true);
      for (const { message, fix } of diagnostics) expect(`${message} ${fix}`).not.toMatch(UNFILLED);
    });
  });
});
