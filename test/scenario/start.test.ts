// How a start goes right and wrong: required plugins end it with every diagnostic, optional ones degrade it, tampering is refused, work survives restarts.
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { gatehouse, startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';

const SKILL = `gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });`;

interface Diagnostic {
  readonly code: string;
  readonly severity: string;
  readonly instance?: string;
}

const refusalOf = (stdout: string) => stdout.trim().split('\n').map((line) => JSON.parse(line) as { event: string; diagnostics: Diagnostic[] }).find((each) => each.event === 'refused');

describe('a start', () => {
  it('with broken required plugins exits 3 and names every problem at once', async () => {
    await using home = await aHome();
    const tampered = await home.add({ name: 'tampered', kind: 'skill', source: SKILL, manifest: { skill: {} }, enablement: { required: true } });
    await appendFile(join(tampered, 'plugin.js'), '\n// one byte more');
    await home.write('manifests/plugins/absent.json', { plugin: 'test.absent', required: true });
    await home.add({ name: 'greedy', kind: 'skill', source: SKILL, manifest: { skill: {} }, enablement: { required: true, grants: [{ name: 'kv', quotaBytes: 10 }] } });
    await home.write('manifests/plugins/misspelt.json', { plugin: 'test.misspelt', requird: true });

    const started = await gatehouse(['start', '--json', '--home', home.path, '--listen', '127.0.0.1:0']);
    expect(started.code).toBe(3);
    const codes = refusalOf(started.stdout)?.diagnostics.filter((each) => each.severity === 'fatal').map((each) => each.code) ?? [];
    expect(codes).toEqual(expect.arrayContaining(['RELEASE_FILES', 'PACKAGE_NOT_FOUND', 'GRANT_NOT_REQUESTED', 'SCHEMA_UNKNOWN_KEY']));

    const checked = await runCommand(['check', '--json', '--home', home.path]);
    expect(checked.code).toBe(3);
    expect(checked.json<{ ok: boolean; diagnostics: Diagnostic[] }>().diagnostics.map((each) => each.code)).toEqual(expect.arrayContaining(codes));
    const human = await runCommand(['check', '--home', home.path]);
    expect(human.stdout + human.stderr).toMatch(/requird.*required/s);
  });

  it('with a required plugin that does not load exits 3', async () => {
    await using home = await aHome();
    await home.add({ name: 'broken', kind: 'skill', source: `throw new Error('not today');`, manifest: { skill: {} }, enablement: { required: true } });
    const started = await gatehouse(['start', '--json', '--home', home.path, '--listen', '127.0.0.1:0']);
    expect(started.code).toBe(3);
    expect(refusalOf(started.stdout)?.diagnostics).toEqual(expect.arrayContaining([expect.objectContaining({ code: 'PLUGIN_LOAD_FAILED', severity: 'fatal', instance: 'broken' })]));
  });

  it('with broken optional plugins runs degraded and says so everywhere', async () => {
    await using home = await aHome();
    await addFirstParty(home, 'webchat', { required: true });
    const tampered = await home.add({ name: 'tampered', kind: 'skill', source: SKILL, manifest: { skill: {} } });
    await writeFile(join(tampered, 'plugin.js'), 'gatehouse.register({})');
    await home.add({ name: 'broken', kind: 'skill', source: `throw new Error('not today');`, manifest: { skill: {} } });
    await using host = await startProcess(home.path);
    const ready = host.lines.find((each) => each['event'] === 'ready') as { plugins: { active: string[]; degraded: Diagnostic[] } };
    expect(ready.plugins.active).toEqual(['webchat']);
    expect(ready.plugins.degraded.map((each) => [each.instance, each.code]).sort()).toEqual([['broken', 'PLUGIN_LOAD_FAILED'], ['tampered', 'RELEASE_FILES']]);

    const readyz = await fetch(`${host.address}/readyz`);
    expect(readyz.status).toBe(200);
    expect((await readyz.json()) as object).toMatchObject({ ready: true, degraded: expect.arrayContaining([expect.objectContaining({ instance: 'tampered' })]) });
    const metrics = await (await fetch(`${host.address}/metrics`)).text();
    expect(metrics).toMatch(/gatehouse_[a-z_]*degraded[^\n]* 2/);
    const status = await runCommand(['status', '--json', '--home', home.path]);
    expect(status.json<{ degraded: Diagnostic[] }>().degraded.map((each) => each.instance).sort()).toEqual(['broken', 'tampered']);
  });

  it('refuses both sides of a collision, naming both files', async () => {
    await using home = await aHome();
    await home.add({ name: 'twin', kind: 'skill', source: SKILL, manifest: { skill: {} } });
    await home.write('manifests/plugins/other.json', { plugin: 'test.twin', instance: 'twin', source: 'plugins/test.twin-1.0.0' });
    const checked = await runCommand(['check', '--json', '--home', home.path]);
    const collision = checked.json<{ diagnostics: (Diagnostic & { message: string })[] }>().diagnostics.find((each) => each.code === 'INSTANCE_COLLISION');
    expect(collision?.message).toMatch(/other\.json/);
    expect(collision?.message).toMatch(/twin\.json/);
    await using host = await startGatehouse(home);
    expect(host.host.readiness().degraded.map((each) => each.instance)).toEqual(['twin']);
  });

  it('runs one host for a data directory', async () => {
    await using home = await aHome();
    await using first = await startProcess(home.path);
    const second = await gatehouse(['start', '--json', '--home', home.path, '--listen', '127.0.0.1:0']);
    expect(second.code).toBe(1);
    expect(second.stderr + second.stdout).toMatch(/STORE_LOCKED|in use by process/);
    expect(second.stderr + second.stdout).toContain(String(first.pid));
  });

  it('with --data elsewhere runs the same plugins on a store of its own', async () => {
    await using home = await aHome();
    await addFirstParty(home, 'webchat', { required: true });
    await using elsewhere = await tempDir();
    await using host = await startProcess(home.path, ['--data', elsewhere.path]);
    expect(host.lines.find((each) => each['event'] === 'ready')).toMatchObject({ plugins: { active: ['webchat'], degraded: [] } });
    expect(await readdir(elsewhere.path)).toEqual(expect.arrayContaining(['admin-token', 'store']));
    expect(await readdir(join(home.path, 'data'))).toEqual(['trust']);
  });

  it('runs only the version that was seen, and no older one', async () => {
    await using home = await aHome();
    await home.add({ name: 'aging', kind: 'skill', version: '2.0.0', source: SKILL, manifest: { skill: {} } });
    {
      await using host = await startGatehouse(home);
      expect(host.host.plugins.show('aging').version).toBe('2.0.0');
    }
    await home.add({ name: 'aging', kind: 'skill', version: '1.0.0', source: SKILL, manifest: { skill: {} } });
    {
      await using host = await startGatehouse(home);
      expect(host.host.readiness().degraded).toMatchObject([{ instance: 'aging', code: 'ROLLBACK' }]);
    }
    await home.add({ name: 'aging', kind: 'skill', version: '1.0.0', source: SKILL, manifest: { skill: {} }, enablement: { allowRollback: true } });
    await using host = await startGatehouse(home);
    expect(host.host.plugins.show('aging')).toMatchObject({ version: '1.0.0', state: 'active' });
  });
});

describe('a restart in the middle', () => {
  it('answers what was accepted before the kill, exactly once', async () => {
    await using home = await aHome();
    await addWebhook(home, { required: true });
    await addFirstParty(home, 'echo');
    const accepted: string[] = [];
    {
      const host = await startProcess(home.path);
      const client = webhookClient(host.address, WEBHOOK_SECRET);
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const { status } = await client.post({ id: `r${n}`, conversation: `c${n % 4}`, text: `echo ${n}` });
          if (status === 202) accepted.push(`r${n}`);
        }),
      );
      process.kill(host.pid, 'SIGKILL');
      await host.exited;
    }
    expect(accepted).toHaveLength(40);
    await using host = await startProcess(home.path);
    const client = webhookClient(host.address, WEBHOOK_SECRET);
    await eventually(async () => {
      const answered = (await Promise.all([0, 1, 2, 3].map((n) => client.replies(`c${n}`)))).flatMap((page) => page.items.map((each) => each.inReplyTo));
      expect(answered.sort()).toEqual(accepted.slice().sort());
    });
    expect((await client.post({ id: 'r0', conversation: 'c0', text: 'echo again' })).status).toBe(200);
  });

  it('leaves no sandbox behind when the host is killed', async () => {
    await using home = await aHome();
    await home.add({ name: 'idle', kind: 'skill', source: SKILL, manifest: { skill: {} } });
    const host = await startProcess(home.path);
    const children = await childrenOf(host.pid);
    expect(children.length).toBeGreaterThan(0);
    process.kill(host.pid, 'SIGKILL');
    await host.exited;
    await eventually(async () => {
      for (const pid of children) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    });
  });
});

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').filter(Boolean).map(Number);
}

