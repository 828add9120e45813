// Package folders, whatever lies in them: names that mean one place, regular files only, within the bounds.
import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameProblem } from '../../host/trust/package-names.ts';
import { readPackage, type PackageFiles } from '../../host/trust/package.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';

const door = fuzzDoor('package-folder');

const NAMES = ['plugin.json', 'plugin.js', 'README.md', 'sbom.cdx.json', 'plugin.dsse.json', 'assets/a.txt', 'assets/b/c.js', 'assets/A.txt', 'Plugin.js', 'plugin.js ', 'plugin.js.', ' plugin.js', '.env', 'assets/.git/config', 'assets/a b', 'assets/a\\b', 'assets/a:b', 'assets/\u202egpj.exe', 'assets/\u200b', 'assets/é', 'assets/e\u0301', 'assets/\n', 'assets/\u001b[2J', 'assets/con', 'assets/LPT1.txt', 'other', 'src/plugin.ts', 'dist/plugin.json', 'node_modules/x/index.js', `assets/${'x'.repeat(200)}`, 'assets/-rf', 'assets/~', 'assets/%2e%2e', 'plugin.json/x'];
const KINDS = ['file', 'file', 'file', 'file', 'file', 'file', 'folder', 'link', 'outward', 'hard', 'fifo', 'binary'] as const;

describe('package folders, whatever lies in them', () => {
  it('are read whole with plain names, or refused by name', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'outside'), 'secret');
    const things = fc.uniqueArray(fc.record({ name: fc.constantFrom(...NAMES), kind: fc.constantFrom(...KINDS) }), { maxLength: 4, selector: ({ name }) => name });
    let accepted = 0;
    await door.holds({ runs: 200, given: fc.tuple(things, fc.integer({ min: 0, max: 5 })) }, async ([extra, bare]) => {
      const root = await mkdtemp(join(dir.path, 'p-'));
      const basics = bare === 0 ? [] : (['plugin.json', 'plugin.js'] as const).map((name) => ({ name, kind: 'file' as const }));
      for (const { name, kind } of [...extra, ...basics]) await put(root, name, kind, join(dir.path, 'outside'));
      let read: PackageFiles | undefined;
      const refusal = await refusalOf(async () => (read = await readPackage(root)));
      await rm(root, { recursive: true });
      expect(refusal?.code ?? 'accepted').toMatch(/^(PACKAGE_INVALID|PACKAGE_TOO_LARGE|PACKAGE_NOT_FOUND|accepted)$/);
      expect(refusal?.message ?? '').toMatch(/^[\x20-\x7e]*$/);
      if (!read) return;
      accepted += 1;
      expect([...read.files.keys()].filter((name) => nameProblem(name) !== undefined)).toEqual([]);
      expect([...read.files.values()].some((content) => content.includes('secret'))).toBe(false);
    });
    expect(accepted).toBeGreaterThan(10);
  });
});

/** What cannot be made on this file system is left out. */
async function put(root: string, name: string, kind: (typeof KINDS)[number], outside: string): Promise<void> {
  const path = join(root, name);
  try {
    await mkdir(dirname(path), { recursive: true });
    if (kind === 'file') await writeFile(path, name === 'plugin.json' ? '{}' : 'x', { flag: 'wx' });
    else if (kind === 'binary') await writeFile(path, Buffer.from([0xff, 0x00, 0xfe]), { flag: 'wx' });
    else if (kind === 'folder') await mkdir(path);
    else if (kind === 'link') await symlink('plugin.js', path);
    else if (kind === 'outward') await symlink(outside, path);
    else if (kind === 'hard') await link(outside, path);
    else execFileSync('mkfifo', [path], { stdio: 'ignore' });
  } catch (thrown) {
    if (!(thrown instanceof Error && ('code' in thrown || 'status' in thrown))) throw thrown;
  }
}
