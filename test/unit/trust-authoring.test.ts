// From a new folder to a signed package: what the author's commands make, outside this repository.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildPlugin } from '../../host/authoring/build.ts';
import { buildFirstParty } from '../../host/authoring/first-party.ts';
import { newPlugin } from '../../host/authoring/new.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { readPackage } from '../../host/trust/package.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { PluginKind } from '../../schemas/plugin-manifest.ts';
import { newTestKey } from '../support/packages.ts';
import { tempDir } from '../support/temp.ts';

const KINDS = ['channel', 'skill', 'moderation', 'tool'] as const satisfies readonly PluginKind[];

/** A plugin folder with these sources and nothing else. */
async function aSource(dir: string, sources: Readonly<Record<string, string>>, manifest: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const base = { manifestVersion: 1, id: 'acme.x', publisher: 'acme', version: '1.0.0', kind: 'skill', displayName: 'X', description: '', license: 'MIT', hostApi: '^1.0.0', ...manifest };
  for (const [name, text] of Object.entries({ 'plugin.json': JSON.stringify(base), ...sources })) {
    await mkdir(join(dir, name, '..'), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  return dir;
}

const SKILL = `import { defineSkill } from '@gatehouse/plugin-sdk';\nexport default defineSkill({ respond: () => null });\n`;

describe('a new plugin', () => {
  it.each(KINDS)('of kind %s builds, and its own test passes, outside this repository', async (kind) => {
    await using dir = await tempDir();
    const made = await newPlugin(kind, join(dir.path, 'My plugin'));
    expect(made).toMatchObject({ id: 'example.my-plugin', kind });
    const built = await buildPlugin(made.path);
    expect(built).toMatchObject({ id: 'example.my-plugin', changed: true, warnings: [] });
    const report = execFileSync(process.execPath, ['--test', '--test-reporter=tap'], { cwd: made.path, encoding: 'utf8', env: { PATH: process.env['PATH'] } });
    expect(report).toMatch(/^# pass [1-9]/m);
    expect(report).toMatch(/^# fail 0/m);
  });

  it('type checks with the settings it comes with', async () => {
    await using dir = await tempDir();
    for (const kind of KINDS) await newPlugin(kind, join(dir.path, kind));
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    for (const kind of KINDS) expect(execFileSync(process.execPath, [tsc, '-p', join(dir.path, kind)], { encoding: 'utf8' })).toBe('');
  });

  it('is never written over something', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'file'), '');
    await expect(newPlugin('skill', dir.path)).rejects.toMatchObject({ code: 'FOLDER_NOT_EMPTY' });
    await expect(newPlugin('skill', join(dir.path, 'x'), 'Acme.X')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('a build', () => {
  it('is the same bytes from any folder, with the SDK installed or not', async () => {
    await using dir = await tempDir();
    const one = join(dir.path, 'one');
    const two = join(dir.path, 'far/away/two');
    await newPlugin('skill', one, 'acme.hello');
    await cp(one, two, { recursive: true });
    await rm(join(two, 'node_modules'), { recursive: true });
    await writeFile(join(dir.path, 'far/tsconfig.json'), '{"compilerOptions":{"target":"es5","paths":{"@gatehouse/plugin-sdk":["./impostor.ts"]}}}');
    await writeFile(join(dir.path, 'far/impostor.ts'), 'export const defineSkill = () => undefined;');
    const digests = [(await buildPlugin(one)).packageDigest, (await buildPlugin(two)).packageDigest];
    expect(digests[0]).toBe(digests[1]);
    const { files } = await readPackage(one);
    expect(files.get('plugin.js')?.toString()).not.toContain(dir.path);
  });

  it('carries nothing of the SDK that the plugin does not use, and no comments about paths', async () => {
    await using dir = await tempDir();
    await buildPlugin(await aSource(dir.path, { 'src/plugin.ts': SKILL }));
    const script = await readFile(join(dir.path, 'dist/plugin.js'), 'utf8');
    expect(script).toContain('gatehouse.register');
    expect(script).not.toContain('manifestBytes');
    expect(script).not.toMatch(/^\s*\/\//m);
  });

  it('holds manifest, script, README, assets and bill of materials, but no hidden files', async () => {
    await using dir = await tempDir();
    await buildPlugin(await aSource(dir.path, { 'src/plugin.ts': SKILL, 'README.md': '# X', 'assets/page/index.html': '<p>', 'assets/.DS_Store': 'x', 'notes.txt': 'x' }));
    expect([...(await readPackage(dir.path)).files.keys()]).toEqual(['README.md', 'assets/page/index.html', 'plugin.js', 'plugin.json', 'sbom.cdx.json']);
    expect((await readdir(dir.path)).filter((name) => name.startsWith('.dist'))).toEqual([]);
  });

  it('lists the packages whose code is in the bundle', async () => {
    await using dir = await tempDir();
    await aSource(dir.path, {
      'src/plugin.ts': `import pad from 'pad';\nimport { defineSkill } from '@gatehouse/plugin-sdk';\nexport default defineSkill({ respond: () => ({ replies: [{ text: pad('x') }] }) });\n`,
      'node_modules/pad/package.json': '{"name":"pad","version":"1.3.0","license":"WTFPL","main":"index.js"}',
      'node_modules/pad/index.js': 'module.exports = (text) => ` ${text}`;\n',
    });
    await buildPlugin(dir.path);
    const sbom: unknown = JSON.parse(await readFile(join(dir.path, 'dist/sbom.cdx.json'), 'utf8'));
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [{ group: '@gatehouse', name: 'plugin-sdk' }, { name: 'pad', version: '1.3.0', purl: 'pkg:npm/pad@1.3.0', licenses: [{ license: { id: 'WTFPL' } }] }] });
    expect(await readFile(join(dir.path, 'dist/plugin.js'), 'utf8')).not.toContain('node_modules');
  });

  it.each([
    ['a module of Node', `import { readFileSync } from 'node:fs';\nreadFileSync('/etc/passwd');`, "src/plugin.ts:1:30 'node:fs' is a module of Node.js"],
    ['a module of Node without its prefix', `import fs from 'fs';\nfs.readFileSync('/etc/passwd');`, "'fs' is a module of Node.js"],
    ['a package that is not there', `import x from 'not-there';\nx();`, 'Could not resolve "not-there"'],
    ['a syntax error', `export default {`, 'src/plugin.ts:1:17'],
    ['an import of something that is no code', `import x from '../assets/x.png';\nx();`, 'put other files into assets/'],
  ])('refuses %s and says where', async (_, source, problem) => {
    await using dir = await tempDir();
    await aSource(dir.path, { 'src/plugin.ts': source, 'assets/x.png': 'x' });
    await expect(buildPlugin(dir.path)).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining(problem) });
  });

  it('refuses a wrong manifest before it bundles anything', async () => {
    await using dir = await tempDir();
    await aSource(dir.path, {}, { kind: 'skil' });
    await expect(buildPlugin(dir.path)).rejects.toMatchObject({ code: 'MANIFEST_INVALID', message: expect.stringContaining("'skill'") });
  });

  it.each([
    ['nothing to build', {}, 'src/plugin.ts'],
    ['an asset with a name no system agrees on', { 'src/plugin.ts': SKILL, 'assets/My Icon.png': 'x' }, 'not plain'],
  ])('refuses %s', async (_, sources, problem) => {
    await using dir = await tempDir();
    await aSource(dir.path, sources);
    await expect(buildPlugin(dir.path)).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining(problem) });
  });

  it('refuses an asset that is a link', async () => {
    await using dir = await tempDir();
    await aSource(dir.path, { 'src/plugin.ts': SKILL, 'assets/a.txt': 'a' });
    await symlink('/etc/passwd', join(dir.path, 'assets/b.txt'));
    await expect(buildPlugin(dir.path)).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('regular file') });
  });

  it('leaves an unchanged package and its signature alone, and replaces a changed one whole', async () => {
    await using dir = await tempDir();
    await aSource(dir.path, { 'src/plugin.ts': SKILL, 'assets/a.txt': 'a' });
    const { packageDigest } = await buildPlugin(dir.path);
    const signed = await signPackage(dir.path, { key: newTestKey('acme'), now: Date.now() });
    expect(signed.packageDigest).toBe(packageDigest);
    expect(await buildPlugin(dir.path)).toMatchObject({ changed: false, packageDigest });
    expect((await readPackage(dir.path)).files.has('plugin.dsse.json')).toBe(true);
    await rm(join(dir.path, 'assets/a.txt'));
    expect(await buildPlugin(dir.path)).toMatchObject({ changed: true });
    expect([...(await readPackage(dir.path)).files.keys()]).toEqual(['plugin.js', 'plugin.json', 'sbom.cdx.json']);
  });

  it('keeps the old package when the new one fails', async () => {
    await using dir = await tempDir();
    await aSource(dir.path, { 'src/plugin.ts': SKILL });
    const { packageDigest } = await buildPlugin(dir.path);
    await writeFile(join(dir.path, 'src/plugin.ts'), 'export default {');
    await expect(buildPlugin(dir.path)).rejects.toMatchObject({ code: 'BUILD_FAILED' });
    await writeFile(join(dir.path, 'src/plugin.ts'), SKILL);
    expect(await buildPlugin(dir.path)).toMatchObject({ changed: false, packageDigest });
  });

  it('succeeds for everyone when several run at once', async () => {
    await using dir = await tempDir();
    await aSource(dir.path, { 'src/plugin.ts': SKILL });
    const digests = new Set((await Promise.all(Array.from({ length: 6 }, () => buildPlugin(dir.path)))).map(({ packageDigest }) => packageDigest));
    expect(digests.size).toBe(1);
    expect((await readdir(dir.path)).toSorted()).toEqual(['dist', 'plugin.json', 'src']);
  });
});

describe('a signature', () => {
  it('by a key of another publisher is refused, unless forced, and then no host accepts it', async () => {
    await using dir = await tempDir();
    await buildPlugin(await aSource(dir.path, { 'src/plugin.ts': SKILL }));
    const key = newTestKey('beta');
    await expect(signPackage(dir.path, { key, now: Date.now() })).rejects.toMatchObject({ code: 'SIGN_PUBLISHER', row: { exitCode: 3 } });
    await expect(signPackage(dir.path, { key, now: Date.now(), force: true })).resolves.toMatchObject({ keyid: key.keyid });
  });

  it('replaces an earlier one', async () => {
    await using dir = await tempDir();
    await buildPlugin(await aSource(dir.path, { 'src/plugin.ts': SKILL }));
    const first = await signPackage(dir.path, { key: newTestKey('acme'), now: Date.now() });
    const second = await signPackage(dir.path, { key: newTestKey('acme'), now: Date.now() });
    expect(second.packageDigest).toBe(first.packageDigest);
    expect((await readPackage(dir.path)).files.get('plugin.dsse.json')?.toString()).toContain(second.keyid);
  });
});

describe('first-party plugins', () => {
  it('are built and signed with a key of their own checkout, once', async () => {
    await using dir = await tempDir();
    const pluginsDir = join(dir.path, 'plugins');
    await aSource(join(pluginsDir, 'hello'), { 'src/plugin.ts': SKILL }, { id: 'gatehouse.hello', publisher: 'gatehouse' });
    const options = { now: Date.now(), dataDir: join(dir.path, 'data'), pluginsDir };
    const first = await buildFirstParty(options);
    expect(first.plugins).toMatchObject([{ name: 'hello', id: 'gatehouse.hello', changed: true }]);
    expect(first.record).toMatchObject({ publisher: 'gatehouse', prefixes: ['gatehouse.'], keys: [{ development: true }] });
    expect((await stat(join(dir.path, 'data/keys/gatehouse.key.json'))).mode & 0o777).toBe(0o600);

    const envelope = await readFile(join(pluginsDir, 'hello/dist/plugin.dsse.json'), 'utf8');
    expect((await buildFirstParty(options)).plugins).toMatchObject([{ changed: false }]);
    expect(await readFile(join(pluginsDir, 'hello/dist/plugin.dsse.json'), 'utf8')).toBe(envelope);

    const { store, diagnostics } = await loadTrust([join(dir.path, 'data/trust/publishers')]);
    expect(diagnostics).toEqual([]);
    const verdict = await verifyPackage(join(pluginsDir, 'hello'), { trust: store, revocations: null, now: Date.now(), secondOpinion: 'always', profile: 'local', strict: false });
    expect(verdict).toMatchObject({ ok: true, release: { development: true } });
  });

  it('signed by another checkout are signed again', async () => {
    await using dir = await tempDir();
    const pluginsDir = join(dir.path, 'plugins');
    await aSource(join(pluginsDir, 'hello'), { 'src/plugin.ts': SKILL }, { id: 'gatehouse.hello', publisher: 'gatehouse' });
    await buildFirstParty({ now: Date.now(), dataDir: join(dir.path, 'data'), pluginsDir });
    const other = await buildFirstParty({ now: Date.now(), dataDir: join(dir.path, 'other'), pluginsDir });
    expect(other.plugins).toMatchObject([{ changed: true }]);
  });

  it('share one key however many builds begin at once', async () => {
    await using dir = await tempDir();
    const pluginsDir = join(dir.path, 'plugins');
    await mkdir(pluginsDir);
    const keys = await Promise.all(Array.from({ length: 5 }, async () => (await buildFirstParty({ now: Date.now(), dataDir: join(dir.path, 'data'), pluginsDir })).record.keys[0]?.keyid));
    expect(new Set(keys).size).toBe(1);
  });

  it('that do not exist are named as such', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'plugins'));
    await expect(buildFirstParty({ now: Date.now(), dataDir: dir.path, pluginsDir: join(dir.path, 'plugins'), only: ['gatehouse.nothing'] })).rejects.toMatchObject({ code: 'FIRST_PARTY_UNKNOWN' });
  });
});
