// Values behind references while the host runs: read again within seconds of a change, never for every message.
import { writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SECRET_FRESH_MS, Secrets } from '../../host/registry/secrets.ts';
import { tempDir } from '../support/temp.ts';

describe('a secret', () => {
  async function aSecret() {
    const dir = await tempDir();
    let nowMs = 1000;
    const secrets = new Secrets({ home: dir.path, env: { TOKEN: 'from the environment' } }, { now: () => nowMs, monotonicMs: () => nowMs });
    const file = join(dir.path, 'key');
    await writeFile(file, 'the first value\n');
    return { dir, file, secrets, value: () => secrets.valueOf({ file: 'key' }), pass: (ms: number) => (nowMs += ms) };
  }

  it('that changes counts within five seconds', async () => {
    const { dir, file, value, pass } = await aSecret();
    await using _ = dir;
    expect(value()).toBe('the first value');
    await writeFile(file, 'the second value\n');
    pass(SECRET_FRESH_MS - 1);
    expect(value()).toBe('the first value');
    pass(1);
    expect(value()).toBe('the second value');
  });

  it('whose file is away for a moment keeps its value that long, and is gone when the file is', async () => {
    const { dir, file, value, pass } = await aSecret();
    await using _ = dir;
    value();
    await rm(file);
    pass(SECRET_FRESH_MS);
    expect(value()).toBe('the first value');
    await writeFile(file, 'the second value');
    pass(SECRET_FRESH_MS);
    expect(value()).toBe('the second value');
    await writeFile(file, 'two\nlines');
    pass(SECRET_FRESH_MS);
    expect(value()).toBe('the second value');
    pass(SECRET_FRESH_MS);
    expect(value()).toBeUndefined();
    await writeFile(file, 'the third value');
    pass(SECRET_FRESH_MS);
    expect(value()).toBe('the third value');
  });

  it('that was never there says why, to the operator', async () => {
    const { dir, secrets } = await aSecret();
    await using _ = dir;
    expect(secrets.read({ file: 'nowhere' })).toEqual({ ok: false, code: 'SECRET_MISSING', problem: 'the file nowhere cannot be read (ENOENT)' });
    expect(secrets.read(undefined)).toMatchObject({ ok: false });
    expect(secrets.valueOf({ env: 'TOKEN' })).toBe('from the environment');
  });
});
