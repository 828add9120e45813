// A backup that is written under load, brought back elsewhere, and gone on with: nothing from before it is lost, nothing is answered twice; and one in which anything was changed is refused.
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BackupIndex, BackupView } from '../../schemas/backup.ts';
import type { MessageView } from '../../schemas/control.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { gatehouse, startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { startTraffic } from '../support/traffic.ts';

async function anEchoingHome(): Promise<TestHome> {
  const home = await aHome();
  await addWebhook(home);
  await addFirstParty(home, 'echo', { order: 1 });
  return home;
}

async function everyMessage(api: (path: string) => Promise<{ json<T>(): T }>): Promise<MessageView[]> {
  const all: MessageView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { items: MessageView[]; cursor: string | null } = (await api(`/messages?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`)).json();
    all.push(...page.items);
    cursor = page.cursor;
  }
  return all;
}

describe('a backup', () => {
  it('is written while messages flow, and brought back whole', async () => {
    await using home = await anEchoingHome();
    await using dir = await tempDir();
    const [out, restored] = [join(dir.path, 'monday'), join(dir.path, 'restored')];
    let before = 0;
    {
      await using host = await startProcess(home.path);
      const traffic = startTraffic(host.address, { pauseMs: 1 });
      await traffic.goesOn();
      before = traffic.accepted();
      expect(before).toBeGreaterThan(0);
      const made = await runCommand(['backup', 'create', '--out', out, '--json', '--home', home.path]);
      expect(made).toMatchObject({ code: 0 });
      expect(made.json()).toMatchObject({ state: 'done', path: out });
      await traffic.goesOn();
      expect(traffic.refusals).toEqual([]);
      await traffic.finish();
      expect((await runCommand(['backup', 'list', '--json', '--home', home.path])).json()).toEqual({ items: [], cursor: null }); // it went where it was wanted
    }
    expect((await stat(out)).mode & 0o077).toBe(0);
    expect(await runCommand(['backup', 'check', out])).toMatchObject({ code: 0 });

    const back = await runCommand(['restore', out, restored, '--json']);
    expect(back).toMatchObject({ code: 0 });
    expect(back.json()).toMatchObject({ home: restored, dataDir: join(restored, 'data') });
    await cp(join(home.path, 'webhook.secret'), join(restored, 'webhook.secret')); // secrets are references; their values are in no backup
    await using host = await startGatehouse({ path: restored });
    const messages = await eventually(async () => {
      const all = await everyMessage((path) => host.api(path));
      expect(all.filter(({ outcome }) => outcome === 'accepted' || outcome === 'pending')).toEqual([]);
      return all;
    });
    const inbound = messages.filter(({ direction }) => direction === 'inbound');
    const replies = messages.filter(({ direction }) => direction === 'outbound');
    expect(inbound.length).toBeGreaterThanOrEqual(before);
    expect(inbound.map(({ outcome }) => outcome).filter((outcome) => outcome !== 'answered')).toEqual([]);
    const answered = replies.map(({ inReplyTo, conversation }) => `${conversation} ${inReplyTo}`);
    expect(new Set(answered).size).toBe(answered.length);
    expect(answered.toSorted()).toEqual(inbound.map(({ senderMessageId, conversation }) => `${conversation} ${senderMessageId}`).toSorted());
    // What is there of a conversation is its beginning, without a gap.
    for (const [conversation, mine] of Map.groupBy(inbound, (message) => message.conversation)) {
      const numbers = mine.map(({ senderMessageId = '' }) => Number(senderMessageId.split('-')[1])).toSorted((a, b) => a - b);
      expect([conversation, numbers]).toEqual([conversation, Array.from(numbers, (_, index) => index)]);
    }
  });

  it('holds keys, decisions and settings, and is refused where anything was changed', async () => {
    await using home = await anEchoingHome();
    await using dir = await tempDir();
    {
      await using host = await startGatehouse(home);
      await host.api('/plugins/echo/quarantine', { method: 'POST', body: { reason: 'for its evidence' } });
    }
    const whole = join(dir.path, 'whole');
    expect(await runCommand(['backup', '--out', whole, '--home', home.path])).toMatchObject({ code: 0 }); // with no host running
    const index = JSON.parse(await readFile(join(whole, 'backup.json'), 'utf8')) as BackupIndex;
    const paths = index.files.map(({ path }) => path);
    for (const wanted of ['data/store/data.mdb', 'data/admin-token', 'data/keys/log.key.json', 'home/manifests/host.json', 'home/manifests/plugins/echo.json']) expect(paths).toContain(wanted);
    expect(paths.some((path) => path.startsWith('data/evidence/echo-'))).toBe(true);
    expect(paths.filter((path) => /run\.json|owner-|webhook\.secret/.test(path))).toEqual([]);

    const changed = async (what: (copy: string) => Promise<unknown>) => {
      const copy = join(dir.path, `copy-${Math.random().toString(36).slice(2)}`);
      await cp(whole, copy, { recursive: true });
      await what(copy);
      const target = join(dir.path, 'target');
      const { code, stdout } = await runCommand(['restore', copy, target, '--json']);
      expect(existsSync(target)).toBe(false);
      return [code, (JSON.parse(stdout) as { error: { code: string; message: string } }).error] as const;
    };
    const flip = (file: string) => async (copy: string) => {
      const bytes = await readFile(join(copy, file));
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await writeFile(join(copy, file), bytes);
    };
    const edit = (change: (from: BackupIndex) => unknown) => (copy: string) => writeFile(join(copy, 'backup.json'), JSON.stringify(change(structuredClone(index))));
    const damaged = { code: 'BACKUP_DAMAGED' };
    expect(await changed(flip('data/store/data.mdb'))).toMatchObject([3, { ...damaged, message: expect.stringContaining('data.mdb: its sha256 is') }]);
    expect(await changed(flip('home/manifests/host.json'))).toMatchObject([3, damaged]);
    expect(await changed((copy) => rm(join(copy, 'data/admin-token')))).toMatchObject([3, { ...damaged, message: expect.stringContaining('admin-token') }]);
    expect(await changed((copy) => writeFile(join(copy, 'home/manifests/plugins/evil.json'), '{}'))).toMatchObject([3, { ...damaged, message: expect.stringContaining('is not in the index') }]);
    expect(await changed(edit((from) => ({ ...from, files: [...from.files, { ...from.files[0], path: 'data/../../escaped' }] })))).toMatchObject([3, { ...damaged, message: expect.stringContaining('leads elsewhere') }]);
    expect(await changed(edit((from) => ({ ...from, backupVersion: 2 })))).toMatchObject([3, damaged]);
    expect(existsSync(join(dir.path, 'escaped'))).toBe(false);

    // A backup is whole and says where to write: elsewhere than it was told to.
    const leading = join(dir.path, 'leading');
    await cp(whole, leading, { recursive: true });
    const settings = JSON.stringify({ listen: '127.0.0.1:0', dataDir: '../../elsewhere' });
    await writeFile(join(leading, 'home/manifests/host.json'), settings);
    const files = index.files.map((file) => (file.path === 'home/manifests/host.json' ? { ...file, bytes: settings.length, sha256: createHash('sha256').update(settings).digest('hex') } : file));
    await writeFile(join(leading, 'backup.json'), JSON.stringify({ ...index, files }));
    expect((await runCommand(['restore', leading, join(dir.path, 'a/b/home'), '--json'])).json()).toMatchObject({ error: { code: 'RESTORE_OUTSIDE' } });
    expect(existsSync(join(dir.path, 'elsewhere'))).toBe(false);

    await mkdir(join(dir.path, 'taken'));
    await writeFile(join(dir.path, 'taken/mine'), 'mine');
    expect((await runCommand(['restore', whole, join(dir.path, 'taken'), '--json'])).json()).toMatchObject({ error: { code: 'RESTORE_NOT_EMPTY' } });
    expect(await readFile(join(dir.path, 'taken/mine'), 'utf8')).toBe('mine');
  });

  it('brings the data directory alone back into a home that is there, quarantine and all', async () => {
    await using home = await anEchoingHome();
    await using dir = await tempDir();
    const out = join(dir.path, 'out');
    {
      await using host = await startGatehouse(home);
      await host.api('/plugins/echo/quarantine', { method: 'POST', body: { reason: 'for its evidence' } });
      const started = await host.api('/backups', { method: 'POST' });
      expect(started.status).toBe(202);
      const { name } = started.json<BackupView>();
      await eventually(async () => expect((await host.api(`/backups/${name}`)).json()).toMatchObject({ state: 'done' }));
      await cp(join(home.path, 'data/backups', name), out, { recursive: true });
      expect((await host.api(`/backups/${name}`, { method: 'DELETE' })).status).toBe(200);
      expect((await host.api(`/backups/${name}`)).json()).toMatchObject({ code: 'BACKUP_NOT_FOUND' });
    }
    const restore = ['restore', out, '--data-only', '--json', '--home', home.path];
    expect((await gatehouse(restore)).json()).toMatchObject({ error: { code: 'RESTORE_NOT_EMPTY' } });
    await rm(join(home.path, 'data'), { recursive: true });
    expect(await gatehouse(restore)).toMatchObject({ code: 0 });
    await using host = await startGatehouse(home);
    expect((await host.api('/plugins/echo')).json()).toMatchObject({ state: 'quarantined' });
  });
});
