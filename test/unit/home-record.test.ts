// What the transparency log is told of the files by which an operator decides, also where something else than a file stands among them.
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { HomeRecord } from '../../host/reload/home-record.ts';
import { OwnWrites } from '../../host/reload/own-writes.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { auditEntries } from '../../host/store/tables.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { readRegularFile } from '../../host/trust/regular-file.ts';
import { aHome } from '../support/home.ts';
import { configOf } from '../support/registry.ts';
import { writeTrust } from '../support/revocations.ts';

/** A home, and what its log is told of it. */
async function aRecordedHome() {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await aHome());
  const config = configOf(home.path);
  const store = stack.use(await openStore({ dir: join(home.path, 'data/store'), clock: systemClock }));
  const audit = stack.use(await openAuditLog({ config, store, clock: systemClock }));
  const record = new HomeRecord({ config, store, audit, ownWrites: new OwnWrites() });
  return {
    home: home.path,
    look: () => record.look(),
    told: async () => (await store.range(auditEntries, auditEntries.prefix())).map(({ value: { entry } }) => entry).filter(({ action }) => action.startsWith('file.')).map(({ resource, detail }) => [resource, detail?.['digest']] as const),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

it('a pipe, a device and a file without end are told as what they are, and keep nobody waiting', async () => {
  await using it = await aRecordedHome();
  const file = await writeTrust(it.home, 'revocations.json', {});
  execFileSync('mkfifo', [join(it.home, 'manifests/trust/pipe.json')]);
  await symlink('/dev/zero', join(it.home, 'manifests/trust/zero.json'));
  await symlink(file, join(it.home, 'manifests/trust/link.json'));
  await truncate(await writeTrust(it.home, 'long.json', ''), 2 ** 30);
  await it.look();
  expect(await it.told()).toEqual(expect.arrayContaining([
    ['manifests/trust/link.json', expect.stringMatching(/^sha256:/)],
    ['manifests/trust/long.json', '1073741824 bytes, not read'],
    ['manifests/trust/pipe.json', 'not a regular file'],
    ['manifests/trust/zero.json', 'not a regular file'],
  ]));
});

it('beyond five thousand files, approvals are left out before trust, and it is said how many', async () => {
  await using it = await aRecordedHome();
  const folder = join(it.home, 'manifests/approvals');
  await mkdir(folder);
  for (let at = 0; at < 5000; at += 1) await writeFile(join(folder, `${String(at).padStart(4, '0')}.dsse.json`), '');
  await writeTrust(it.home, 'revocations.json', {});
  await it.look();
  const told = new Map(await it.told());
  expect(told.get('files beyond the first 5000')).toMatch(/^\d of them$/);
  expect(told.has('manifests/trust/revocations.json')).toBe(true);
  expect(told.has('manifests/approvals/4999.dsse.json')).toBe(false);
});

it('a file is read no further than its bound, whatever its size is said to be', async () => {
  expect((await readRegularFile('/proc/self/status')).length).toBeGreaterThan(100); // says that it has no bytes
  await expect(readRegularFile('/proc/self/status', 100)).rejects.toMatchObject({ code: 'JSON_TOO_LARGE' });
  await using it = await aRecordedHome();
  const file = await writeTrust(it.home, 'x.json', 'x'.repeat(100));
  expect((await readRegularFile(file, 100)).toString()).toBe('x'.repeat(100));
  await expect(readRegularFile(file, 99)).rejects.toMatchObject({ code: 'JSON_TOO_LARGE', fields: { size: 100, limit: 99 } });
  await expect(readRegularFile(join(file, '..'))).rejects.toThrow('not a regular file');
});
