// Held messages are sealed: readable over restarts while they are held, and by nobody once the last of them is gone.
import { existsSync } from 'node:fs';
import { readFile, writeFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HeldSeal } from '../../host/pipeline/gating/held-seal.ts';
import type { MessageRow } from '../../host/store/tables.ts';
import { tempDir } from '../support/temp.ts';

const row = (text: string) => ({ id: 'm1', text }) as MessageRow;

describe('sealed messages', () => {
  it('hide their text, and open again after a restart', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'held.key');
    const sealed = await new HeldSeal(file).seal(row('not yet judged'));
    expect(Buffer.from(sealed, 'base64').includes('not yet judged')).toBe(false);
    expect(await new HeldSeal(file).open(sealed)).toEqual(row('not yet judged'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('are sealed under one key when many come at once', async () => {
    await using dir = await tempDir();
    const seal = new HeldSeal(join(dir.path, 'held.key'));
    const sealed = await Promise.all(Array.from({ length: 100 }, (_, n) => seal.seal(row(`${n}`))));
    expect(new Set(sealed).size).toBe(100);
    const again = new HeldSeal(join(dir.path, 'held.key'));
    expect((await Promise.all(sealed.map((each) => again.open(each)))).map((each) => each?.text)).toEqual(sealed.map((_, n) => `${n}`));
  });

  it('are gone for good once they are forgotten, also for who kept the file open; later ones get another key', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'held.key');
    const seal = new HeldSeal(file);
    const sealed = await seal.seal(row('denied'));
    const key = await readFile(file);
    const forgotten = seal.forget();
    const later = await seal.seal(row('later'));
    await forgotten;
    expect(await seal.open(sealed)).toBeUndefined();
    expect(await seal.open(later)).toEqual(row('later'));
    expect((await readFile(file)).equals(key)).toBe(false);
    await seal.forget();
    await seal.forget();
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['a key of another length', Buffer.from('short')],
    ['a key that was written over and not removed', Buffer.alloc(32)],
    ['another key', Buffer.alloc(32, 7)],
  ])('cannot be opened with %s', async (_, bytes) => {
    await using dir = await tempDir();
    const file = join(dir.path, 'held.key');
    const sealed = await new HeldSeal(file).seal(row('x'));
    await writeFile(file, bytes);
    expect(await new HeldSeal(file).open(sealed)).toBeUndefined();
  });

  it('is not opened when somebody changed it', async () => {
    await using dir = await tempDir();
    const seal = new HeldSeal(join(dir.path, 'held.key'));
    const bytes = Buffer.from(await seal.seal(row('x')), 'base64');
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    expect(await seal.open(bytes.toString('base64'))).toBeUndefined();
  });

  it('gets a key although a crash left half of one', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'held.key');
    await writeFile(`${file}.part`, 'half');
    const seal = new HeldSeal(file);
    expect(await seal.open(await seal.seal(row('x')))).toEqual(row('x'));
  });
});
