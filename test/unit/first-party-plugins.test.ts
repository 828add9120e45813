// The plugins that come with Gatehouse, and how this repository enables them, fit the published schemas and each other.
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIRST_PARTY_CHOICES } from '../../host/cli/first-party-choices.ts';
import { compilePluginSchema, compileSchema, parseDocument } from '../../host/schema.ts';
import { readManifest } from '../../host/trust/manifest.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { Enablement } from '../../schemas/enablement.ts';
import { HostConfig } from '../../schemas/host-config.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const names = readdirSync(join(ROOT, 'plugins')).sort();
const enabled = readdirSync(join(ROOT, 'manifests/plugins')).map((file) => file.replace('.json', '')).sort();

const EMPTY = { type: 'object', additionalProperties: false };

const manifestOf = (name: string) => readManifest(readFileSync(join(ROOT, 'plugins', name, 'plugin.json')), `plugins/${name}/plugin.json`);
const enablementOf = (name: string) => parseDocument(readFileSync(join(ROOT, 'manifests/plugins', `${name}.json`)), compileSchema(Enablement), { source: `${name}.json`, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth });

describe.each(names)('plugins/%s', (name) => {
  it('has a manifest that says who and what it is, and why it wants each capability', () => {
    const manifest = manifestOf(name);
    expect(manifest).toMatchObject({ id: `gatehouse.${name}`, publisher: 'gatehouse', version: '1.0.0', hostApi: name === 'webchat' ? '^1.1.0' : '^1.0.0', license: 'MIT' });
    for (const { name: capability, reason } of manifest.capabilities ?? []) expect(`${capability}: ${reason}`).toMatch(/: .+\.$/);
  });

  it('brings only schemas that the host takes, and needs no configuration to start', () => {
    const { config = EMPTY, tools = [] } = manifestOf(name);
    expect(compilePluginSchema(config, { role: 'config', source: name }).explain({})).toBeUndefined();
    for (const { inputSchema, outputSchema } of tools) {
      expect(() => compilePluginSchema(inputSchema, { role: 'input', source: name })).not.toThrow();
      expect(() => compilePluginSchema(outputSchema, { role: 'output', source: name })).not.toThrow();
    }
  });

  it('imports the SDK and its own files, nothing else', () => {
    for (const file of readdirSync(join(ROOT, 'plugins', name, 'src'))) {
      const imports = [...readFileSync(join(ROOT, 'plugins', name, 'src', file), 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from);
      for (const from of imports) expect(from).toMatch(/^(@gatehouse\/plugin-sdk|\.\/[a-z-]+\.ts)$/);
    }
  });
});

describe('manifests/', () => {
  it('enables what a new home enables, in the same way', () => {
    expect(enabled).toEqual(Object.keys(FIRST_PARTY_CHOICES).sort());
    for (const name of enabled) {
      const { required = false, order } = enablementOf(name);
      expect({ name, required, order }).toEqual({ name, required: FIRST_PARTY_CHOICES[name]?.required ?? false, order: FIRST_PARTY_CHOICES[name]?.order });
    }
  });

  it.each(enabled)('%s.json grants exactly what the manifest asks for', (name) => {
    const requested = (manifestOf(name).capabilities ?? []).map(({ reason: _reason, ...capability }) => capability);
    expect(enablementOf(name)).toMatchObject({ plugin: `gatehouse.${name}`, instance: name, source: `plugins/${name}/dist`, grants: requested });
  });

  it('host.json is a host configuration', () => {
    const source = 'manifests/host.json';
    expect(parseDocument(readFileSync(join(ROOT, source)), compileSchema(HostConfig), { source, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth })).toMatchObject({ profile: 'local' });
  });
});
