// Enablement files: what is read, what is refused with its place, and how one is switched on and off.
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { discover } from '../../host/registry/discover.ts';
import { writeEnabled } from '../../host/registry/enablement-file.ts';
import { aHome } from '../support/home.ts';

const discoverIn = (home: string) => discover({ home, manifestsDir: join(home, 'manifests') });

describe('discover', () => {
  it('applies every default to an enablement that only names its plugin', async () => {
    await using home = await aHome();
    await home.write('manifests/plugins/a.json', { plugin: 'acme.team.faq' });
    const { enablements, diagnostics } = await discoverIn(home.path);
    expect(diagnostics).toEqual([]);
    expect(enablements).toEqual([
      {
        path: join(home.path, 'manifests/plugins/a.json'),
        file: 'manifests/plugins/a.json',
        enablement: {
          plugin: 'acme.team.faq', instance: 'faq', version: '*', required: false, enabled: true, order: 100, allowRollback: false,
          grants: [], config: {}, secrets: {}, limits: {}, admit: {}, commands: {}, gates: {}, onTimeout: 'refuse', rooms: {}, approvals: 0, hibernate: true,
        },
      },
    ]);
  });

  it('reads files in the order of their names, and neither drafts nor other kinds', async () => {
    await using home = await aHome();
    for (const name of ['b', 'a', 'C']) await home.write(`manifests/plugins/${name}.json`, { plugin: `acme.${name.toLowerCase()}` });
    await home.write('manifests/plugins/.d.json', 'not json');
    await home.write('manifests/plugins/readme.txt', 'not json');
    expect((await discoverIn(home.path)).enablements.map(({ enablement }) => enablement.instance)).toEqual(['c', 'a', 'b']);
  });

  it('finds nothing in a home without the folder', async () => {
    await using home = await aHome();
    expect(await discover({ home: home.path, manifestsDir: join(home.path, 'elsewhere') })).toEqual({ enablements: [], diagnostics: [] });
  });

  it.each([
    ['JSON_INVALID', '{ "plugin": "acme.a", }', 'line 1, column 23'],
    ['JSON_DUPLICATE_KEY', '{ "plugin": "acme.a",\n  "plugin": "acme.b" }', 'line 2, column 3'],
    ['JSON_FORBIDDEN_KEY', '{ "plugin": "acme.a", "config": { "__proto__": {} } }', 'line 1, column 35'],
    ['SCHEMA_UNKNOWN_KEY', '{ "plugin": "acme.a",\n  "requird": true }', "Did you mean 'required'?"],
    ['SCHEMA_INVALID', '{ "plugin": "acme.a",\n  "required": "yes" }', 'line 2, column 15'],
    ['SCHEMA_INVALID', '{ "plugin": "acme.a", "version": "newest" }', 'line 1, column 34'],
    ['SCHEMA_INVALID', '{ "instance": "a" }', 'manifests/plugins/bad.json'],
    ['JSON_ENCODING', '\ufeff{ "plugin": "acme.a" }', 'byte order mark'],
    ['JSON_TOO_LARGE', `{ "plugin": "acme.a", "config": { "x": "${'x'.repeat(70_000)}" } }`, 'manifests/plugins/bad.json'],
    ['JSON_TOO_DEEP', `{ "plugin": "acme.a", "config": { "x": ${'['.repeat(10)}${']'.repeat(10)} } }`, 'line 1'],
  ])('reports %s as fatal, with its place, and reads the other files', async (code, text, place) => {
    await using home = await aHome();
    await home.write('manifests/plugins/bad.json', text);
    await home.write('manifests/plugins/good.json', { plugin: 'acme.good' });
    const { enablements, diagnostics } = await discoverIn(home.path);
    expect(diagnostics).toMatchObject([{ code, severity: 'fatal', manifest: 'manifests/plugins/bad.json', stage: 'discover' }]);
    expect(diagnostics[0]?.message).toContain(place);
    expect(enablements.map(({ enablement }) => enablement.instance)).toEqual(['good']);
  });

  it('reports every bad file, and one that is no file at all', async () => {
    await using home = await aHome();
    await home.write('manifests/plugins/one.json', '[]');
    await home.write('manifests/plugins/two.json', '');
    await mkdir(join(home.path, 'manifests/plugins/three.json'));
    await symlink('nowhere', join(home.path, 'manifests/plugins/four.json'));
    expect((await discoverIn(home.path)).diagnostics.map(({ manifest, severity }) => `${manifest} ${severity}`)).toEqual(['four', 'one', 'three', 'two'].map((name) => `manifests/plugins/${name}.json fatal`));
  });
});

describe('switching an enablement', () => {
  it('changes that key alone, keeps the others in their order, and leaves no draft', async () => {
    await using home = await aHome();
    const file = join(home.path, 'manifests/plugins/a.json');
    await writeFile(file, '{"plugin":"acme.a","enabled":true,"config":{"z":1,"a":[1,2]},\n"order":5}');
    await chmod(file, 0o640);
    await writeEnabled(file, false);
    expect(await readFile(file, 'utf8')).toBe('{\n  "plugin": "acme.a",\n  "enabled": false,\n  "config": {\n    "z": 1,\n    "a": [\n      1,\n      2\n    ]\n  },\n  "order": 5\n}\n');
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    await writeEnabled(file, true);
    expect((await discoverIn(home.path)).enablements[0]?.enablement.enabled).toBe(true);
    expect(await readdir(join(home.path, 'manifests/plugins'))).toEqual(['a.json']);
  });

  it('writes through a link to the file behind it', async () => {
    await using home = await aHome();
    const real = join(home.path, 'elsewhere.json');
    const link = join(home.path, 'manifests/plugins/a.json');
    await writeFile(real, '{ "plugin": "acme.a" }');
    await symlink(real, link);
    await writeEnabled(link, false);
    expect(JSON.parse(await readFile(real, 'utf8'))).toEqual({ plugin: 'acme.a', enabled: false });
  });

  it('refuses a file it does not understand, and leaves it as it is', async () => {
    await using home = await aHome();
    const file = join(home.path, 'manifests/plugins/a.json');
    await writeFile(file, '{ "plugin": "acme.a", "enabled": true, "enabled": true }');
    await expect(writeEnabled(file, false)).rejects.toMatchObject({ code: 'JSON_DUPLICATE_KEY' });
    expect(await readFile(file, 'utf8')).toContain('true, "enabled"');
  });
});
