// The worst nights of an operator, each for real: what the host says, that nothing is lost, and that the remedy it names works.
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BackupView } from '../../schemas/backup.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aClockAhead } from '../support/hand-clock.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { gatehouse as command } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { mayFail, mayMount, mountFailingDisk, mountSmallDisk } from '../support/small-disk.ts';
import { webhookClient } from '../support/webhook.ts';

const DAY_MS = 24 * 3600 * 1000;

async function anEchoingHome(): Promise<TestHome> {
  const home = await aHome();
  await addWebhook(home);
  await addFirstParty(home, 'echo', { order: 1 });
  return home;
}

const clientOf = ({ address }: Gatehouse) => webhookClient(address, WEBHOOK_SECRET);
const post = (it: Gatehouse, id: string) => clientOf(it).post({ id, conversation: 'c', text: `echo ${id}` });
const answered = (it: Gatehouse, texts: readonly string[]) => eventually(async () => expect((await clientOf(it).replies('c')).items.map(({ text }) => text)).toEqual(texts));
const start = async (home: TestHome) => {
  const { code, stdout } = await command(['start', '--json', '--home', home.path, '--listen', '127.0.0.1:0']);
  return { exit: code, ...(JSON.parse(stdout) as { error: { code: string; message: string; fix: string } }).error };
};

describe('a store that a disk has damaged', () => {
  it('ends the start with 3, is left as it is, and the remedy that is named brings everything back', async () => {
    await using home = await anEchoingHome();
    const [data, aside] = [join(home.path, 'data'), join(home.path, 'damaged')];
    let backup = '';
    {
      await using it = await startGatehouse(home);
      expect((await post(it, 'one')).status).toBe(202);
      await answered(it, ['one']);
      backup = (await it.host.backups.begin('test')).name;
      await eventually(async () => expect(await it.host.backups.show(backup)).toMatchObject({ state: 'done' }));
    }
    const file = join(data, 'store/data.mdb');
    await truncate(file, Math.floor((await stat(file)).size / 2));
    const damaged = await readFile(file);
    for (const args of [['check', '--json', '--home', home.path], ['backup', 'create', '--json', '--home', home.path]]) expect((await runCommand(args)).json()).toMatchObject({ error: { code: 'STORE_DAMAGED' } });
    expect(await start(home)).toMatchObject({ exit: 3, code: 'STORE_DAMAGED', message: expect.stringContaining(`${file} is damaged: page`), fix: expect.stringContaining('gatehouse restore BACKUP --data-only') });
    expect((await readFile(file)).equals(damaged)).toBe(true);

    await rename(data, aside);
    expect(await runCommand(['restore', join(aside, 'backups', backup), '--data-only', '--home', home.path])).toMatchObject({ code: 0 });
    await cp(join(aside, 'trust'), join(data, 'trust'), { recursive: true });
    await using it = await startGatehouse(home);
    expect((await post(it, 'one')).body).toMatchObject({ status: 'duplicate' });
    await post(it, 'two');
    await answered(it, ['one', 'two']);
  });
});

describe.skipIf(!mayMount)('a full disk', () => {
  it('refuses messages by name, fails a backup without a trace, lets nobody start, and costs nothing that was accepted', async () => {
    await using home = await anEchoingHome();
    const data = join(home.path, 'data');
    const trust = await readFile(join(data, 'trust/publishers/gatehouse.json'));
    await using disk = mountSmallDisk(data, 64);
    await mkdir(join(data, 'trust/publishers'), { recursive: true });
    await writeFile(join(data, 'trust/publishers/gatehouse.json'), trust);
    {
      await using it = await startGatehouse(home);
      expect((await post(it, 'one')).status).toBe(202);
      await answered(it, ['one']);
      disk.fill();
      await eventually(async () => expect(await post(it, 'two')).toMatchObject({ status: 503, body: { code: 'STORE_FAILED' } }));
      expect((await it.fetch('/healthz')).status).toBe(200);
      // What an operator asks for goes to the audit log first, and that takes nothing now.
      expect((await it.api('/backups', { method: 'POST' })).status).toBe(503);
      const begun: BackupView = await it.host.backups.begin('test');
      await eventually(async () => expect(await it.host.backups.show(begun.name)).toMatchObject({ state: 'failed', problem: expect.stringMatching(/space|No space|disk/i) }));
      expect(existsSync(join(data, 'backups')) ? await readdir(join(data, 'backups')) : []).toEqual([]);
      disk.free();
      await eventually(async () => expect((await post(it, 'two')).status).toBe(202));
      await answered(it, ['one', 'two']);
      disk.fill();
    }
    expect(await start(home)).toMatchObject({ exit: 1, code: 'STORE_UNWRITABLE', message: expect.stringMatching(/left|no space/), fix: expect.stringContaining('Make room') });
    disk.free();
    await using it = await startGatehouse(home);
    expect((await post(it, 'two')).body).toMatchObject({ status: 'duplicate' });
    await answered(it, ['one', 'two']);
  });
});

describe.skipIf(!mayFail)('a disk that turns read-only', () => {
  it('refuses messages by name while the host stays up, ends with it in order, and lets nobody start', async () => {
    await using home = await anEchoingHome();
    const data = join(home.path, 'data');
    const trust = await readFile(join(data, 'trust/publishers/gatehouse.json'));
    await using disk = await mountFailingDisk(data, 128);
    await chmod(data, 0o700);
    await mkdir(join(data, 'trust/publishers'), { recursive: true });
    await writeFile(join(data, 'trust/publishers/gatehouse.json'), trust);
    {
      await using it = await startGatehouse(home);
      expect((await post(it, 'one')).status).toBe(202);
      await answered(it, ['one']);
      disk.turnReadOnly();
      expect(await post(it, 'two')).toMatchObject({ status: 503, body: { code: 'STORE_FAILED' } });
      expect(await post(it, 'three')).toMatchObject({ status: 503, body: { code: 'STORE_FAILED' } });
      expect((await it.fetch('/healthz')).status).toBe(200);
      await answered(it, ['one']); // what is there can be read
      expect((await it.api('/messages')).status).toBe(200);
    }
    expect(await start(home)).toMatchObject({ exit: 1, code: 'STORE_UNWRITABLE', message: expect.stringMatching(/read-only/i), fix: expect.stringContaining('dmesg') });
  });
});

describe('a clock that jumps', () => {
  it.each([['a year ahead', 365 * DAY_MS], ['a day back', -DAY_MS]])('%s while the host runs, and over its restart, loses and doubles nothing', async (_, jumpMs) => {
    await using home = await anEchoingHome();
    const clock = aClockAhead();
    const isAhead = jumpMs > 0;
    {
      await using it = await startGatehouse(home, { clock });
      expect((await post(it, 'one')).status).toBe(202);
      await answered(it, ['one']);
      const { token } = (await it.api('/tokens', { method: 'POST', body: { label: 'for a week', scopes: ['status:read'], expiresAt: new Date(clock.now() + 7 * DAY_MS).toISOString() } })).json<{ token: string }>();
      const asked = async () => (await it.fetch('/api/v1/status', { headers: { authorization: `Bearer ${token}` } })).status;
      expect(await asked()).toBe(200);
      clock.turn(jumpMs);
      expect((await post(it, 'two')).status).toBe(202);
      await answered(it, ['one', 'two']); // in order, though the second is older by the clock
      expect(await asked()).toBe(isAhead ? 401 : 200);
      expect((await post(it, 'one')).body).toMatchObject({ status: 'duplicate' });
    }
    await using it = await startGatehouse(home, { clock });
    expect((await post(it, 'two')).body).toMatchObject({ status: 'duplicate' });
    expect((await post(it, 'three')).status).toBe(202);
    await answered(it, ['one', 'two', 'three']);
    clock.turn(-jumpMs); // and somebody sets it right again
    expect((await post(it, 'four')).status).toBe(202);
    await answered(it, ['one', 'two', 'three', 'four']);
    expect((await it.api('/status')).json()).toMatchObject({ ready: true, deadLetters: 0 });
  });
});

describe('a half-written file of the home', () => {
  it('changes nothing of a host that runs, is named with its place, and refuses a start', async () => {
    await using home = await anEchoingHome();
    const paths = ['manifests/plugins/echo.json', 'manifests/host.json'].map((path) => join(home.path, path));
    const whole = await Promise.all(paths.map((path) => readFile(path)));
    {
      await using it = await startGatehouse(home);
      const [enablement = '', settings = ''] = paths;
      await truncate(enablement, 20);
      await it.host.reload();
      await eventually(async () => expect((await it.api('/plugins/echo')).json()).toMatchObject({ state: 'impaired', code: 'JSON_INVALID', message: expect.stringContaining('What ran before goes on.') }));
      await truncate(settings, 20);
      await it.host.reload();
      await post(it, 'one');
      await answered(it, ['one']);
      // A change through the API would be written over what is half there.
      expect((await it.api('/config', { method: 'PATCH', body: { patch: { hosts: ['example.org'] } } })).status).toBeGreaterThanOrEqual(400);
      expect((await readFile(paths[1] ?? '')).length).toBe(20);
    }
    expect(await start(home)).toMatchObject({ exit: 2, code: 'JSON_INVALID', message: expect.stringContaining('manifests/host.json is not valid JSON at line 2') });
    await writeFile(paths[1] ?? '', whole[1] ?? '');
    const refused = await command(['start', '--json', '--home', home.path, '--listen', '127.0.0.1:0']);
    expect([refused.code, refused.json()]).toMatchObject([3, { event: 'refused', diagnostics: [{ code: 'JSON_INVALID', severity: 'fatal', manifest: 'manifests/plugins/echo.json' }] }]);
  });
});

describe('lost keys', () => {
  it('are made anew where that is safe, and the log of decisions tells of it', async () => {
    await using home = await anEchoingHome();
    const data = join(home.path, 'data');
    {
      await using it = await startGatehouse(home);
      await post(it, 'one');
      await answered(it, ['one']);
    }
    const before = (await readFile(join(data, 'admin-token'), 'utf8')).trim();
    for (const file of ['admin-token', 'media.key', 'held.key', 'keys/log.key.json']) await rm(join(data, file), { force: true });
    await using it = await startGatehouse(home);
    await post(it, 'two');
    await answered(it, ['one', 'two']);
    expect((await it.fetch('/api/v1/status', { headers: { authorization: `Bearer ${before}` } })).status).toBe(401);
    const actions = (await it.api('/audit?limit=50')).json<{ items: { action: string }[] }>().items.map(({ action }) => action);
    expect(actions.filter((action) => action === 'log.key')).toHaveLength(2);
    expect(actions).toContain('token.revoke');
    expect(await runCommand(['audit', 'verify', '--json', '--home', home.path])).toMatchObject({ code: 4 }); // no host of another process runs
  });

  it('that are there by half refuse the start, and are not written over', async () => {
    await using home = await anEchoingHome();
    await (await startGatehouse(home))[Symbol.asyncDispose]();
    const path = join(home.path, 'data/keys/log.key.json');
    await writeFile(path, 'half of a k');
    const { exit, message } = await start(home);
    expect([exit, message.includes(path)]).toEqual([3, true]);
    expect(await readFile(path, 'utf8')).toBe('half of a k');
  });
});
