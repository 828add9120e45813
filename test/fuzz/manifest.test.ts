// plugin.json, whatever an author or an attacker writes into it.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest } from '../../host/trust/manifest.ts';
import { PluginManifest } from '../../schemas/plugin-manifest.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { refusalOf } from '../support/refusal.ts';
import { publishedSchema } from '../support/published-schema.ts';
import { edited, fitting } from './arbitraries/documents.ts';
import { anySchema, supported } from './arbitraries/schemas.ts';
import { jsonBytes, type Json } from './arbitraries/json.ts';

const door = fuzzDoor('manifest');
const published = publishedSchema('plugin-manifest');

const range = fc.oneof({ weight: 4, arbitrary: fc.constantFrom('^1.0.0', '1.x', '>=1.0.0 <3', '*', '1.0.0 - 2') }, { weight: 1, arbitrary: fc.constantFrom('', 'latest', '>>1', '1.2.3.4', '^', 'x'.repeat(128), '||', '0 || '.repeat(20)) });
const config = fc.oneof({ weight: 3, arbitrary: supported().map((schema): Json => ({ ...(schema as object), additionalProperties: false })) }, { weight: 1, arbitrary: anySchema() });

/** Of a kind of its own, with the sections of that kind alone: most of these are right. */
const manifests = fitting(PluginManifest, { hostApi: range, range, config, inputSchema: fc.constantFrom<Json>({ type: 'object' }, {}), outputSchema: fc.constantFrom<Json>({}, { type: 'string' }) }).map((value): Json => {
  const { id: own, channel, skill, moderation, tools, ...rest } = value as Record<string, Json>;
  const id = typeof own === 'string' ? own : 'a.b';
  const sections = { channel, skill, moderation, tools };
  const kind = (Object.entries(sections).find(([, section]) => section !== undefined)?.[0] ?? 'skill').replace('tools', 'tool');
  const sectionsOfKind = Object.entries(sections).filter(([name, section]) => section !== undefined && name.replace('tools', 'tool') === kind);
  return { ...rest, id, publisher: id.split('.')[0] ?? '', kind, ...Object.fromEntries(sectionsOfKind) };
});

describe('manifests, whatever they say', () => {
  it('are accepted only as the published schema has them, and refused with a place', () => door.holds({ runs: 500, given: fc.oneof({ weight: 5, arbitrary: edited(manifests) }, { weight: 1, arbitrary: jsonBytes() }) }, async (bytes) => {
    const refusal = await refusalOf(() => readManifest(bytes, 'plugin.json'));
    expect(refusal?.code ?? 'accepted').toMatch(/^(MANIFEST_INVALID|accepted)$/);
    expect(refusal?.message ?? 'line 1').toMatch(/line \d+|at \/|'[^']*'|has \d+ bytes/);
    expect(refusal?.message ?? '').not.toMatch(/undefined|\[object|\{[a-z]{2,}\}/);
    expect(refusal !== undefined || published(JSON.parse(bytes.toString()))).toBe(true);
  }));

  it('that nobody changed are mostly right: the property above is not empty', async () => {
    const tried = fc.sample(manifests, { numRuns: 100, seed: 7 });
    const refused = (await Promise.all(tried.map((each) => refusalOf(() => readManifest(Buffer.from(JSON.stringify(each)), 'plugin.json'))))).filter(Boolean);
    expect(refused.length).toBeLessThan(75);
    door.tried(tried.length);
  });
});
