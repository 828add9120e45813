// A reviewer builds a stranger's source again. Whatever lies in that folder, nothing of it runs, nothing is written, nobody waits for ever, and no memory is filled with it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rebuild } from '../../host/authoring/rebuild.ts';
import { buildFiles } from '../../host/authoring/build.ts';
import { readRebuilds, rebuildFile, withAttempt } from '../../host/trust/rebuilds.ts';
import { tempDir } from '../support/temp.ts';

const MANIFEST = { manifestVersion: 1, id: 'acme.x', publisher: 'acme', version: '1.0.0', kind: 'skill', displayName: 'X', description: '', license: 'MIT', hostApi: '^1.0.0' };
const PLUGIN = `import { defineSkill } from '@gatehouse/plugin-sdk';\nimport pad from 'pad';\nexport default defineSkill({ respond: () => ({ replies: [{ text: pad('x') }] }) });\n`;

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

async function aSource(dir: string, sources: Readonly<Record<string, string>> = {}): Promise<string> {
  const all = { 'plugin.json': JSON.stringify(MANIFEST), 'src/plugin.ts': PLUGIN, 'node_modules/pad/package.json': '{"name":"pad","version":"1.0.0","main":"index.js"}', 'node_modules/pad/index.js': 'module.exports = (text) => text;\n', ...sources };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  return dir;
}

describe('a source that is built again', () => {
  it('attack g220 rebuild-runs: configurations, hooks, scripts, plugins of build tools and code at the top level do nothing', async () => {
    await using dir = await tempDir();
    await using plain = await tempDir();
    const trap = join(dir.path, 'trap');
    await mkdir(trap);
    const js = (name: string) => `require('node:fs').writeFileSync(${JSON.stringify(join(trap, name))}, '')`;
    const esm = (name: string) => `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(join(trap, name))}, ''); export default {};`;
    const command = (name: string) => `touch ${join(trap, name)}`;
    const source = await aSource(join(dir.path, 'source'), {
      'package.json': JSON.stringify({ name: 'x', version: '1.0.0', scripts: Object.fromEntries(['preinstall', 'install', 'postinstall', 'prepare', 'prebuild', 'build'].map((name) => [name, command(`script-${name}`)])) }),
      '.npmrc': `node-options=--require=${join(dir.path, 'source/require.cjs')}\nscript-shell=${join(dir.path, 'source/shell.sh')}\n`,
      'require.cjs': js('node-options'),
      'shell.sh': `#!/bin/sh\n${command('shell')}\n`,
      '.pnp.cjs': js('pnp'),
      '.pnp.loader.mjs': esm('pnp-loader'),
      'esbuild.config.js': js('esbuild-config'),
      'esbuild.config.mjs': esm('esbuild-config-mjs'),
      'tsconfig.json': JSON.stringify({ compilerOptions: { plugins: [{ name: 'pad' }], paths: { '@gatehouse/plugin-sdk': ['./impostor.ts'] } }, extends: './tsconfig.base.json' }),
      'tsconfig.base.json': '{"compilerOptions":{"jsxFactory":"evil"}}',
      'impostor.ts': `export const defineSkill = () => { throw new Error('impostor'); };`,
      'node_modules/esbuild/package.json': '{"name":"esbuild","version":"99.0.0","main":"index.js"}',
      'node_modules/esbuild/index.js': js('esbuild-impostor'),
      'node_modules/pad/binding.gyp': `{"targets":[{"target_name":"x","sources":["<!(${command('gyp')})"]}]}`,
      '.git/config': `[core]\n\tfsmonitor = "${command('fsmonitor')}"\n\thooksPath = hooks\n\tsshCommand = "${command('ssh')}"\n`,
      '.git/HEAD': 'ref: refs/heads/main\n',
      '.git/hooks/post-checkout': `#!/bin/sh\n${command('hook')}\n`,
    });
    for (const name of ['shell.sh', '.git/hooks/post-checkout']) await chmod(join(source, name), 0o755);
    const code = `${PLUGIN}\n(globalThis as any).process?.getBuiltinModule?.('fs').writeFileSync(${JSON.stringify(join(trap, 'top-level'))}, '');\n`;
    await writeFile(join(source, 'src/plugin.ts'), code);
    const { files } = await buildFiles(await aSource(plain.path, { 'src/plugin.ts': code }));
    const before = await readdir(source, { recursive: true });

    expect(await rebuild(source, files)).toMatchObject({ verdict: 'reproduced' });
    expect(await readdir(trap)).toEqual([]);
    expect(await readdir(source, { recursive: true })).toEqual(before);
  });

  it('attack g221 rebuild-waits: pipes and devices under the names of files are refused', async () => {
    await using dir = await tempDir();
    const places = ['plugin.json', 'README.md', 'src/pipe.txt', 'node_modules/pad/index.js'];
    for (const [index, place] of places.entries()) {
      for (const kind of ['pipe', 'device'] as const) {
        const source = await aSource(join(dir.path, `${index}-${kind}`), { 'src/plugin.ts': `${PLUGIN}import text from './pipe.txt';\nconsole.log(text);\n`, 'src/pipe.txt': 'x', 'README.md': '# X' });
        execFileSync('rm', [join(source, place)]);
        if (kind === 'pipe') execFileSync('mkfifo', [join(source, place)]);
        else await symlink('/dev/zero', join(source, place));
        expect(await rebuild(source, new Map())).toMatchObject({ verdict: 'could-not-build' });
      }
    }
    const head = await aSource(join(dir.path, 'head'));
    await mkdir(join(head, '.git'));
    execFileSync('mkfifo', [join(head, '.git/HEAD')]);
    expect(await rebuild(head, new Map())).not.toHaveProperty('commit');
  });

  it('attack g222 rebuild-reaches: a ref that leads out of .git is not followed', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'secret'), 'a'.repeat(40));
    const source = await aSource(join(dir.path, 'source'), { '.git/HEAD': 'ref: refs/../../../secret\n' });
    expect(existsSync(join(source, '.git/refs/../../../secret'))).toBe(true);
    expect(await rebuild(source, new Map())).not.toHaveProperty('commit');
  });

  it.each([
    ['one asset that no reader takes whole', ['assets/a.bin'], 3 * GIB, /a\.bin|bytes/],
    ['assets that are small alone and not together', Array.from({ length: 17 }, (_, index) => `assets/${index}.bin`), MIB, /have \d+ bytes; a package may have 16777216/],
    ['a README of a gigabyte', ['README.md'], GIB, /README\.md cannot be read \(.* has 1073741824 bytes/],
    ['a text that is imported', ['src/pipe.txt'], GIB, /pipe\.txt' the sources have more than/],
  ])('attack g223 rebuild-fills: %s is refused before it is read', async (_, names, bytes, problem) => {
    await using dir = await tempDir();
    const source = await aSource(join(dir.path, 'source'), { 'src/plugin.ts': `${PLUGIN}import text from './pipe.txt';\nconsole.log(text);\n`, 'src/pipe.txt': 'x', ...Object.fromEntries(names.map((name) => [name, ''])) });
    for (const name of names) await truncate(join(source, name), bytes); // sparse: it takes no room on the disk
    expect(await rebuild(source, new Map())).toMatchObject({ verdict: 'could-not-build', problem: expect.stringMatching(problem) });
  });

  it('attack g223 rebuild-fills: more files than a package may have are refused, and a record of many differences can be read again', async () => {
    await using dir = await tempDir();
    const many = await aSource(join(dir.path, 'many'), Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`assets/${index}`, ''])));
    expect(await rebuild(many, new Map())).toMatchObject({ verdict: 'could-not-build', problem: expect.stringContaining('more than 1000 files') });

    const about = { plugin: 'acme.x', version: '1.0.0', packageDigest: `sha256:${'a'.repeat(64)}` };
    const digest = `sha256:${'b'.repeat(64)}`;
    const differences = Array.from({ length: 1000 }, (_, index) => ({ name: `assets/${'x'.repeat(180)}${index}`, package: digest, rebuilt: digest }));
    const attempt = { at: '2026-11-21T08:00:00.000Z', verdict: 'differs' as const, files: 2000, tools: { gatehouse: '1' }, differences };
    await mkdir(join(dir.path, 'rebuilds'));
    for (let times = 0; times < 12; times += 1) await writeFile(rebuildFile(dir.path, about.packageDigest), withAttempt(about, attempt, (await readRebuilds(dir.path, about.packageDigest)).attempts));
    const kept = await readRebuilds(dir.path, about.packageDigest);
    expect(kept.problem).toBeUndefined();
    expect(kept.attempts.length).toBeGreaterThan(5);
    expect(() => withAttempt(about, { ...attempt, files: 2001 }, [])).toThrow('files');
  });
});
