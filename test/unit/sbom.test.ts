// The bill of materials that `build` writes: valid CycloneDX 1.6, true to what went into the script, the same from any folder; and how a package's own is read.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { PackageURL } from 'packageurl-js';
import { describe, expect, it } from 'vitest';
import { buildFiles } from '../../host/authoring/build.ts';
import { packageUrl } from '../../host/authoring/sbom.ts';
import { readSbom } from '../../host/trust/sbom.ts';
import { tempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MANIFEST = { manifestVersion: 1, id: 'acme.x', publisher: 'acme', version: '1.0.0', kind: 'skill', displayName: 'X', description: '', license: 'MIT', hostApi: '^1.0.0' };

interface Component {
  readonly type: string;
  readonly 'bom-ref'?: string;
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly licenses?: readonly object[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly components?: readonly Component[];
}
interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** A plugin that bundles a published package, which bundles another, and one with an odd licence. */
async function aPluginWithDependencies(dir: string): Promise<string> {
  const sources = {
    'plugin.json': JSON.stringify(MANIFEST),
    'src/plugin.ts': `import { defineSkill } from '@gatehouse/plugin-sdk';\nimport { bytesToHex } from '@noble/curves/utils.js';\nimport { shout } from './shout.ts';\nimport pad from 'pad';\nexport default defineSkill({ respond: () => ({ replies: [{ text: shout(pad(bytesToHex(new Uint8Array(2)))) }] }) });\n`,
    'src/shout.ts': 'export const shout = (text: string) => text.toUpperCase();\nexport const unused = 1;\n',
    'src/nothing.ts': 'export const nothing = 0;\n',
    'node_modules/pad/package.json': '{"name":"pad","version":"1.3.0-rc.1","licenses":[{"type":"MIT"},{"type":"Apache 2"}],"main":"index.js"}',
    'node_modules/pad/index.js': 'module.exports = (text) => ` ${text}`;\n',
  };
  for (const [name, text] of Object.entries(sources)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  for (const name of ['@noble/curves', '@noble/hashes']) await cp(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name), { recursive: true, filter: (path) => !/\.(ts|map)$|\/src$/.test(path) });
  return dir;
}

async function bomOf(dir: string): Promise<{ readonly bom: Bom; readonly files: ReadonlyMap<string, Buffer> }> {
  const { files } = await buildFiles(dir);
  const bom: Bom = JSON.parse(files.get('sbom.cdx.json')?.toString() ?? '');
  return { bom, files };
}

/** The schemas of https://github.com/CycloneDX/specification, as the official library ships them. */
function officialSchema(): ValidateFunction {
  const read = (name: string): object => JSON.parse(readFileSync(join(ROOT, 'node_modules/@cyclonedx/cyclonedx-library/res/schema', `${name}.SNAPSHOT.schema.json`), 'utf8'));
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs']) ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  return ajv.compile(read('bom-1.6'));
}

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

describe('the bill of materials of a build', () => {
  it('is valid CycloneDX 1.6, and names every package that went in with its files', async () => {
    await using dir = await tempDir();
    const { bom, files } = await bomOf(await aPluginWithDependencies(dir.path));
    const validate = officialSchema();
    expect(validate(bom) ? [] : validate.errors).toEqual([]);
    expect(validate({ ...bom, components: [{ type: 'nonsense', name: 'x' }] })).toBe(false);

    const curves: { version: string } = JSON.parse(await readFile(join(ROOT, 'node_modules/@noble/curves/package.json'), 'utf8'));
    const byName = new Map(bom.components.map((each) => [`${each.group ?? ''} ${each.name}`, each]));
    expect([...byName.keys()]).toEqual(['@gatehouse plugin-sdk', '@noble curves', '@noble hashes', ' pad']);
    expect(byName.get('@noble curves')).toMatchObject({ type: 'library', version: curves.version, purl: `pkg:npm/%40noble/curves@${curves.version}`, licenses: [{ license: { id: 'MIT' } }] });
    const utils = byName.get('@noble curves')?.components?.find(({ name }) => name === 'utils.js');
    expect(utils?.hashes).toEqual([{ alg: 'SHA-256', content: sha256(await readFile(join(ROOT, 'node_modules/@noble/curves/utils.js'))) }]);
    expect(byName.get(' pad')).toMatchObject({ version: '1.3.0-rc.1', licenses: [{ license: { name: '(MIT OR Apache 2)' } }] });

    expect(bom.metadata.component).toMatchObject({ name: 'acme.x', version: '1.0.0', hashes: [{ alg: 'SHA-256', content: sha256(files.get('plugin.js') ?? '') }] });
    expect(bom.metadata.component.components?.map(({ name }) => name)).toEqual(['src/plugin.ts', 'src/shout.ts']);
  });

  it('says who needs whom', async () => {
    await using dir = await tempDir();
    const { bom } = await bomOf(await aPluginWithDependencies(dir.path));
    const needs = new Map(bom.dependencies.map(({ ref, dependsOn }) => [ref.replace(/@[^@/]*$/, ''), dependsOn.map((each) => each.replace(/@[^@/]*$/, ''))]));
    expect(needs.get('acme.x')).toEqual(['pkg:npm/%40gatehouse/plugin-sdk', 'pkg:npm/%40noble/curves', 'pkg:npm/pad']);
    expect(needs.get('pkg:npm/%40noble/curves')).toContain('pkg:npm/%40noble/hashes');
  });

  it('is the same bytes from any folder', async () => {
    await using dir = await tempDir();
    const one = await bomOf(await aPluginWithDependencies(join(dir.path, 'one')));
    const two = await bomOf(await aPluginWithDependencies(join(dir.path, 'far/away/two')));
    expect(two.files.get('sbom.cdx.json')?.equals(one.files.get('sbom.cdx.json') ?? Buffer.alloc(0))).toBe(true);
    expect(one.files.get('sbom.cdx.json')?.toString()).not.toContain(dir.path);
  });

  it.each([['left-pad', '1.3.0'], ['@noble/curves', '2.4.0'], ['@scope/a.b_c', '1.0.0-rc.1+build.5'], ['@acme/UI~x', '0.0.0']])('names %s as packageurl does', (name, version) => {
    const [scope, rest] = name.startsWith('@') ? name.split('/') : [undefined, name];
    const parsed = PackageURL.fromString(packageUrl(name, version));
    expect({ type: parsed.type, namespace: parsed.namespace ?? undefined, name: parsed.name?.toLowerCase(), version: parsed.version }).toEqual({ type: 'npm', namespace: scope, name: rest?.toLowerCase(), version });
  });

  it('does not let a file pass for one of a package', async () => {
    await using dir = await tempDir();
    await aPluginWithDependencies(dir.path);
    await mkdir(join(dir.path, 'pad@1.3.0-rc.1'));
    await writeFile(join(dir.path, 'pad@1.3.0-rc.1/index.js'), 'globalThis.hidden = 1;\n');
    await writeFile(join(dir.path, 'src/shout.ts'), "import '../pad@1.3.0-rc.1/index.js';\nexport const shout = (text: string) => text;\n");
    await expect(buildFiles(dir.path)).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining("two different files are 'pad@1.3.0-rc.1/index.js'") });
  });
});

describe('a package’s bill of materials', () => {
  const claims = { id: 'acme.x', version: '1.0.0' };
  const filesWith = (sbom: unknown, script = 'code') => new Map([['plugin.js', Buffer.from(script)], ['sbom.cdx.json', Buffer.from(typeof sbom === 'string' ? sbom : JSON.stringify(sbom))]]);
  const bound = { bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component: { type: 'application', name: 'acme.x', version: '1.0.0', hashes: [{ alg: 'SHA-256', content: sha256('code') }] } } };

  it('that build wrote is bound to its bundle', async () => {
    await using dir = await tempDir();
    const { files } = await bomOf(await aPluginWithDependencies(dir.path));
    expect(readSbom(files, claims)).toMatchObject({ state: 'bound', specVersion: '1.6', sources: 2, tools: [expect.stringMatching(/^esbuild \d/), expect.stringMatching(/^gatehouse \d/)], components: expect.arrayContaining([{ name: 'pad', version: '1.3.0-rc.1', license: '(MIT OR Apache 2)', purl: 'pkg:npm/pad@1.3.0-rc.1', files: 1 }]) });
  });

  it.each<[string, ReadonlyMap<string, Buffer>, object]>([
    ['of the bundle', filesWith(bound), { state: 'bound', components: [] }],
    ['of another script', filesWith(bound, 'other'), { state: 'unbound', expected: `sha256:${sha256('other')}`, found: `sha256:${sha256('code')}` }],
    ['of another version', filesWith({ ...bound, metadata: { component: { ...bound.metadata.component, version: '0.9.0' } } }), { state: 'unbound', expected: 'acme.x 1.0.0', found: 'acme.x 0.9.0' }],
    ['without a digest', filesWith({ ...bound, metadata: { component: { type: 'application', name: 'acme.x', version: '1.0.0' } } }), { state: 'unbound', found: 'no SHA-256 of the bundle' }],
    ['that is no JSON', filesWith('{'), { state: 'unreadable' }],
    ['of another kind', filesWith({ spdxVersion: 'SPDX-2.3' }), { state: 'unreadable' }],
    ['that is not there', new Map([['plugin.js', Buffer.from('code')]]), { state: 'missing' }],
  ])('%s is known as such', (_, files, expected) => {
    expect(readSbom(files, claims)).toMatchObject(expected);
  });
});
