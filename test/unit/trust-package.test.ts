// Reading and packing packages: the same files from a folder and an archive, made by us or by any tar, and nothing else.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { list } from 'tar';
import { describe, expect, it } from 'vitest';
import { packPackage } from '../../host/authoring/pack.ts';
import { collisionProblem, nameProblem } from '../../host/trust/package-names.ts';
import { readPackage } from '../../host/trust/package.ts';
import { writeArchive } from '../../host/trust/tar.ts';
import { paxRecord, rawArchive, type RawEntry } from '../support/archives.ts';
import { aManifest, buildTestPackage } from '../support/packages.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const LONG_NAME = `assets/${'deep/'.repeat(20)}${'x'.repeat(80)}.txt`;
const TOO_WIDE_FOR_USTAR = `assets/${'y'.repeat(120)}.txt`;
const PLUGIN_JSON: RawEntry = { path: 'plugin.json', content: JSON.stringify(aManifest({ id: 'acme.x', kind: 'tool' })) };
const PLUGIN_JS: RawEntry = { path: 'plugin.js', content: 'gatehouse.register({})' };

async function aPackage(dir: TempDir) {
  return buildTestPackage({
    dir: join(dir.path, 'package'), id: 'acme.x', kind: 'tool', source: 'gatehouse.register({ kind: "tool", handlers: {} });',
    files: { 'README.md': '# X', 'assets/a/icon.svg': '<svg/>', 'assets/empty.txt': '', [LONG_NAME]: 'long', [TOO_WIDE_FOR_USTAR]: 'wide' },
  });
}

describe('packages', () => {
  it('hold the same files as a folder and packed', async () => {
    await using dir = await tempDir();
    const { path } = await aPackage(dir);
    const folder = await readPackage(path);
    await packPackage(path, join(dir.path, 'x.tgz'));
    const archive = await readPackage(join(dir.path, 'x.tgz'));
    expect(archive).toMatchObject({ form: 'archive' });
    expect([...archive.files]).toEqual([...folder.files]);
    expect([...folder.files.keys()]).toEqual([...folder.files.keys()].toSorted());
  });

  it('pack to the same bytes every time, wherever the folder lies', async () => {
    await using dir = await tempDir();
    const { path } = await aPackage(dir);
    await cp(path, join(dir.path, 'elsewhere'), { recursive: true });
    await packPackage(path, join(dir.path, '1.tgz'));
    await packPackage(join(dir.path, 'elsewhere'), join(dir.path, '2.tgz'));
    expect(await readFile(join(dir.path, '1.tgz'))).toEqual(await readFile(join(dir.path, '2.tgz')));
  });

  it('packed are read by other tars', async () => {
    await using dir = await tempDir();
    const { path } = await aPackage(dir);
    const file = join(dir.path, 'x.tgz');
    await packPackage(path, file);
    const names = [...(await readPackage(file)).files.keys()];
    const seen: string[] = [];
    await list({ file, strict: true, onReadEntry: (entry) => seen.push(entry.path) });
    expect(seen).toEqual(names);
    await mkdir(join(dir.path, 'out'));
    execFileSync('tar', ['-xzf', file, '-C', join(dir.path, 'out')]);
    expect([...(await readPackage(join(dir.path, 'out'))).files]).toEqual([...(await readPackage(file)).files]);
  });

  it.each([['ustar', []], ['pax', []], ['pax', ['--pax-option=delete=atime']], ['gnu', []]])('packed by tar in format %s %j are read', async (format, options) => {
    await using dir = await tempDir();
    const { path } = await buildTestPackage({ dir: join(dir.path, 'package'), id: 'acme.x', kind: 'tool', source: '1', files: { 'assets/a.txt': 'a' } });
    execFileSync('tar', [`--format=${format}`, ...options, '-czf', join(dir.path, 'x.tgz'), '-C', path, '.']);
    expect([...(await readPackage(join(dir.path, 'x.tgz'))).files]).toEqual([...(await readPackage(path)).files]);
  });

  it('stand for the dist folder of a source folder', async () => {
    await using dir = await tempDir();
    const { path } = await aPackage(dir);
    const source = join(dir.path, 'source');
    await mkdir(join(source, 'src'), { recursive: true });
    await writeFile(join(source, 'plugin.json'), '{}');
    await writeFile(join(source, 'src/plugin.ts'), '');
    await expect(readPackage(source)).rejects.toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining('gatehouse build') });
    await rename(path, join(source, 'dist'));
    expect(await readPackage(source)).toMatchObject({ path: join(source, 'dist'), form: 'folder' });
  });

  it('that are not there are not found', async () => {
    await using dir = await tempDir();
    await expect(readPackage(join(dir.path, 'nothing'))).rejects.toMatchObject({ code: 'PACKAGE_NOT_FOUND' });
  });

  it.each([['plugin.json'], ['plugin.js']])('without %s are refused', async (missing) => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'x.tgz'), rawArchive([PLUGIN_JSON, PLUGIN_JS].filter(({ path }) => path !== missing)));
    await expect(readPackage(join(dir.path, 'x.tgz'))).rejects.toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining(missing) });
  });

  it('whose script is no UTF-8 are refused', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'x.tgz'), rawArchive([PLUGIN_JSON, { path: 'plugin.js', content: Buffer.from([0x61, 0xff]) }]));
    await expect(readPackage(join(dir.path, 'x.tgz'))).rejects.toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining('UTF-8') });
  });
});

describe('archives', () => {
  const good = [PLUGIN_JSON, PLUGIN_JS];

  it.each<[string, Buffer, string]>([
    ['bytes that are no archive', Buffer.from('hello'), 'gzip'],
    ['nothing', Buffer.alloc(0), 'gzip'],
    ['damaged compression', rawArchive(good).fill(0, 40, 60), 'damaged'],
    ['compression that is cut off', rawArchive(good).subarray(0, 100), 'damaged'],
    ['a missing end', rawArchive(good, Buffer.alloc(512)), 'end'],
    ['no end at all', rawArchive(good, Buffer.alloc(0)), 'cut off'],
    ['files after the end', rawArchive(good, Buffer.concat([Buffer.alloc(1024), Buffer.from('hidden')])), 'end'],
    ['a wrong checksum', rawArchive([...good, { path: 'README.md', damage: (header) => void header.writeUInt8(0x41, 5), keepChecksum: true }]), 'checksum'],
    ['a size in another base', rawArchive([...good, { path: 'README.md', damage: (header) => void header.writeUInt8(0x80, 124) }]), 'octal'],
    ['a size beyond the archive', rawArchive([...good, { path: 'README.md', size: 1_000_000 }]), 'cut off'],
    ['bytes behind a name', rawArchive([...good, { path: 'README.md', damage: (header) => void header.write('evil', 50) }]), 'hides'],
    ['an old format', rawArchive([{ ...PLUGIN_JSON, damage: (header) => void header.fill(0, 257, 265) }]), 'ustar'],
    ['a file twice', rawArchive([...good, PLUGIN_JS]), 'twice'],
    ['a folder with content', rawArchive([...good, { path: 'assets/', type: 'Directory', content: 'x', damage: (header) => void header.write('00000000001', 124) }]), 'folder'],
    ['a size by extension', rawArchive([{ path: 'x', type: 'ExtendedHeader', content: paxRecord('size', '3') }, ...good]), "'size'"],
    ['a link by extension', rawArchive([{ path: 'x', type: 'ExtendedHeader', content: paxRecord('linkpath', '/etc/passwd') }, ...good]), "'linkpath'"],
    ['a path for all files', rawArchive([{ path: 'x', type: 'GlobalExtendedHeader', content: paxRecord('path', 'plugin.js') }, ...good]), "'path'"],
    ['two names for a file', rawArchive([{ path: 'x', type: 'ExtendedHeader', content: paxRecord('path', 'assets/a') }, { path: 'x', type: 'ExtendedHeader', content: paxRecord('path', 'assets/b') }, ...good]), 'twice'],
    ['a damaged extension', rawArchive([{ path: 'x', type: 'ExtendedHeader', content: '99 path=assets/a\n' }, ...good]), 'damaged'],
    ['a GNU long name', rawArchive([{ path: '././@LongLink', type: 'NextFileHasLongPath', content: 'assets/a\0' }, ...good]), 'GNU long name'],
  ])('with %s are refused', async (_, bytes, problem) => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'x.tgz'), bytes);
    await expect(readPackage(join(dir.path, 'x.tgz'))).rejects.toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining(problem) });
  });

  it('take a path from an extended header', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'x.tgz'), rawArchive([...good, { path: 'x', type: 'ExtendedHeader', content: `${paxRecord('mtime', '1.5')}${paxRecord('path', 'assets/a.txt')}` }, { path: 'short', content: 'a' }]));
    expect((await readPackage(join(dir.path, 'x.tgz'))).files.get('assets/a.txt')?.toString()).toBe('a');
  });

  it('that unpack to more than a package may hold are refused while they unpack', async () => {
    await using dir = await tempDir();
    const bomb = rawArchive([...good, { path: 'assets/zeros.bin', content: Buffer.alloc(200 * 1024 * 1024) }]);
    expect(bomb.length).toBeLessThan(1024 * 1024);
    await writeFile(join(dir.path, 'x.tgz'), bomb);
    await expect(readPackage(join(dir.path, 'x.tgz'))).rejects.toMatchObject({ code: 'PACKAGE_TOO_LARGE', message: expect.stringContaining('it unpacks to more than') });
  });

  it('with too many files or entries are refused', async () => {
    await using dir = await tempDir();
    const files = Array.from({ length: 1000 }, (_, index) => ({ path: `assets/${index}.txt` }));
    await writeFile(join(dir.path, 'files.tgz'), rawArchive([...good, ...files]));
    const folders = Array.from({ length: 5000 }, (_, index): RawEntry => ({ path: `assets/${index}/`, type: 'Directory' }));
    await writeFile(join(dir.path, 'folders.tgz'), rawArchive([...good, ...folders]));
    for (const name of ['files.tgz', 'folders.tgz']) await expect(readPackage(join(dir.path, name))).rejects.toMatchObject({ code: 'PACKAGE_TOO_LARGE' });
  });
});

describe('names in packages', () => {
  it.each([['plugin.json'], ['plugin.js'], ['README.md'], ['sbom.cdx.json'], ['plugin.dsse.json'], ['assets/icon.svg'], ['assets/a/b-c_d@2x+1.PNG']])('may be %s', (name) => {
    expect(nameProblem(name)).toBeUndefined();
  });

  it.each([['plugin.json/x'], ['readme.md'], ['src/plugin.ts'], ['assets'], ['assets/'], ['assets//a'], ['package.json'], ['']])('may not be %j', (name) => {
    expect(nameProblem(name)).toBeDefined();
  });

  it('may not mean the same path on some systems', () => {
    expect(collisionProblem(['assets/a', 'assets/b/c', 'assets/b/d'])).toBeUndefined();
    expect(collisionProblem(['assets/A.txt', 'assets/a.txt'])).toContain('same path');
    expect(collisionProblem(['assets/A/x', 'assets/a/y'])).toContain('same path');
    expect(collisionProblem(['assets/a', 'assets/A/x'])).toContain('same path');
    expect(collisionProblem(['assets/a', 'assets/a/x'])).toContain('same path');
  });
});

it('archives of the same files are the same bytes on every system', () => {
  const bytes = writeArchive(new Map([['plugin.js', Buffer.from('1')]]));
  expect([bytes[3], bytes.readUInt32LE(4), bytes[9]]).toEqual([0, 0, 255]);
});
