// host.json and the environment's say in it, whatever they hold.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig, OVERRIDE_NAMES, type ResolvedConfig } from '../../host/config.ts';
import { HostConfig } from '../../schemas/host-config.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { publishedSchema } from '../support/published-schema.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';
import { edited, fitting } from './arbitraries/documents.ts';
import { AWKWARD_TEXTS, NUMBER_TOKENS } from './arbitraries/json.ts';

const door = fuzzDoor('host-config');
const listen = fc.oneof(fc.constantFrom('127.0.0.1:0', '127.0.0.1:4280', '[::1]:80', 'localhost:65536', '0.0.0.0:1', '[::]:1', '[:::]:1', '999.0.0.1:1', 'a b:1', ':1', 'x:', '127.0.0.1:99999'));
const values = fc.oneof(fc.constantFrom(...AWKWARD_TEXTS), fc.constantFrom(...NUMBER_TOKENS), fc.constantFrom('true', 'false', 'TRUE', '1', '[]', '[', '{}', '[{"host":"a","scheme":"http","port":1}]', '[{"__proto__":{"host":"a"},"scheme":"http","port":1}]', 'a,b,,c', 'local', 'internet', 'debug', '127.0.0.1:1', '0.0.0.0:1'));
const names = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...OVERRIDE_NAMES) }, { weight: 1, arbitrary: fc.constantFrom('GATEHOUSE_STRICTT', 'GATEHOUSE_', 'GATEHOUSE___PROTO__', 'GATEHOUSE_SERVICE_HOST', 'GATEHOUSE_HOME', 'PATH') });

describe('settings, whatever they say', () => {
  it('are understood whole or refused by name; what comes out is safe to run', async () => {
    await using home = await tempDir();
    await mkdir(join(home.path, 'manifests'));
    const published = publishedSchema('host-config');
    const given = fc.record({ bytes: edited(fitting(HostConfig, { listen }), { most: 1, textual: 2 }), env: fc.dictionary(names, values, { maxKeys: 2, noNullPrototype: true }), flag: fc.option(fc.oneof(listen, fc.string({ maxLength: 8 })), { nil: undefined, freq: 4 }) });
    await door.holds({ runs: 1500, given }, async ({ bytes, env, flag }) => {
      await writeFile(join(home.path, 'manifests/host.json'), bytes);
      let config: ResolvedConfig | undefined;
      const refusal = await refusalOf(() => (config = loadConfig({ home: home.path, env, cwd: home.path, listen: flag })));
      expect(refusal?.code ?? 'accepted').toMatch(/^(JSON_\w+|SCHEMA_INVALID|SCHEMA_UNKNOWN_KEY|CONFIG_OVERRIDE|CONFIG_UNSAFE|USAGE|accepted)$/);
      expect(refusal?.message ?? '').not.toMatch(/undefined|\[object|\{[a-z]{2,}\}/);
      if (!config) return;
      expect(published(JSON.parse(bytes.toString()))).toBe(true);
      expect(config.listen.port).toBeLessThanOrEqual(65_535);
      expect(config.profile !== 'local' || /^(127\.|localhost$|::1$)/.test(config.listen.host)).toBe(true);
      expect(config.profile !== 'internet' || config.egress.allow.length === 0).toBe(true);
      expect(Object.getPrototypeOf(config.egress.allow[0] ?? {})).toBe(Object.prototype);
    });
  });
});
