// Commands that work on the files of a home, with no host running: init, check, doctor, and the decisions about plugins.
import { chmod, cp, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Capability } from '../../schemas/capability.ts';
import type { Diagnostic, PluginView } from '../../schemas/control.ts';
import type { Enablement } from '../../schemas/enablement.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SKILL = `gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });`;
const KV = { name: 'kv', quotaBytes: 1024, reason: 'counts' } as const;

const enablementIn = async (home: string, name: string): Promise<Enablement> => JSON.parse(await readFile(join(home, 'manifests', 'plugins', `${name}.json`), 'utf8'));

/** What decides how a plugin runs; where its package lies is the home's business. */
const decisions = ({ plugin, instance, required = false, order = 100, grants = [] }: Enablement) => ({ plugin, instance, required, order, grants });

describe('init', () => {
  let made: TempDir;
  let home: string;

  // Building the first-party plugins takes longest here, and one home serves every look at it.
  beforeAll(async () => {
    made = await tempDir();
    home = join(made.path, 'home');
    await runCommand(['init', home]);
    return () => made[Symbol.asyncDispose]();
  });

  it('enables the first-party plugins as this repository does', async () => {
    const names = (await readdir(join(home, 'manifests', 'plugins'))).toSorted();
    expect(names).toEqual((await readdir(join(ROOT, 'manifests', 'plugins'))).toSorted());
    for (const name of names.map((file) => file.replace('.json', ''))) {
      expect(decisions(await enablementIn(home, name))).toEqual(decisions(await enablementIn(ROOT, name)));
    }
    expect(JSON.parse(await readFile(join(home, 'manifests', 'host.json'), 'utf8'))).toEqual({ ...JSON.parse(await readFile(join(ROOT, 'manifests', 'host.json'), 'utf8')), $schema: expect.any(String) });
  });

  it('pins what it copied, trusts its key, and keeps the private half away', async () => {
    const { digest, source } = await enablementIn(home, 'echo');
    expect(digest).toMatch(/^sha256:/);
    expect(await readdir(join(home, String(source)))).toContain('plugin.dsse.json');
    expect(await readdir(join(home, 'data'))).toEqual(['trust']);
    expect((await stat(join(home, 'data'))).mode & 0o777).toBe(0o700);
  });

  it('makes a home that would start', async () => {
    const checked = await runCommand(['check', '--json', '--home', home]);
    expect(checked.json()).toEqual({ ok: true, diagnostics: [] });
    expect(checked.code).toBe(0);
  });

  it('changes nothing that is there', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'notes.txt'), 'mine');
    expect(await runCommand(['init', dir.path])).toMatchObject({ code: 2, stderr: expect.stringContaining('not empty') });
    expect(await readdir(dir.path)).toEqual(['notes.txt']);
  });

  it('takes an empty directory, and with --empty enables nothing', async () => {
    await using dir = await tempDir();
    expect((await runCommand(['init', dir.path, '--empty', '--json'])).json()).toEqual({ home: dir.path, plugins: [] });
    expect(await readdir(join(dir.path, 'manifests', 'plugins'))).toEqual([]);
    expect((await runCommand(['check', '--json'], { cwd: dir.path })).json()).toEqual({ ok: true, diagnostics: [] });
  });

  it('has its webhook enabled by id, with a secret', async () => {
    await using dir = await tempDir();
    await cp(home, dir.path, { recursive: true });
    const refused = await runCommand(['plugins', 'enable', 'gatehouse.webhook', '--yes', '--json', '--home', dir.path]);
    expect(refused).toMatchObject({ code: 3 });
    expect(refused.json()).toMatchObject({ error: { code: 'SECRET_MISSING' } });
    const enabled = await runCommand(['plugins', 'enable', 'gatehouse.webhook', '--secret', 'signing=env:HOOK', '--config', '{"replyUrl":"https://example.org/in"}', '--required', '--yes', '--json', '--home', dir.path]);
    expect(enabled).toMatchObject({ code: 0 });
    expect(await enablementIn(dir.path, 'webhook')).toMatchObject({ plugin: 'gatehouse.webhook', required: true, secrets: { signing: { env: 'HOOK' } }, config: { replyUrl: 'https://example.org/in' } });
    expect((await runCommand(['check', '--home', dir.path])).code).toBe(3);
    expect((await runCommand(['check', '--home', dir.path], { env: { HOOK: 'a secret' } })).code).toBe(0);
  });

  it('knows which first-party plugins there are', async () => {
    expect((await runCommand(['plugins', 'enable', 'gatehouse.nothing', '--json', '--home', home])).json()).toMatchObject({ error: { code: 'FIRST_PARTY_UNKNOWN' } });
  });
});

describe('check', () => {
  it('ends as a start would: 0 with degraded plugins, 3 with fatal findings, and lists all of them', async () => {
    await using home = await aHome([{ name: 'fine', kind: 'skill', source: SKILL, manifest: { skill: {} } }]);
    await home.write('manifests/plugins/absent.json', { plugin: 'test.absent' });
    const degraded = await runCommand(['check', '--json', '--home', home.path]);
    expect(degraded.json<{ diagnostics: Diagnostic[] }>()).toMatchObject({ ok: true, diagnostics: [{ code: 'PACKAGE_NOT_FOUND', severity: 'degraded', instance: 'absent' }] });
    expect(degraded.code).toBe(0);
    await home.write('manifests/plugins/needed.json', { plugin: 'test.needed', required: true });
    await home.write('manifests/plugins/typo.json', '{"plugin":"test.typo","requird":true}');
    const fatal = await runCommand(['check', '--json', '--home', home.path]);
    expect(fatal.json<{ diagnostics: Diagnostic[] }>().diagnostics.map(({ code }) => code).toSorted()).toEqual(['PACKAGE_NOT_FOUND', 'PACKAGE_NOT_FOUND', 'SCHEMA_UNKNOWN_KEY']);
    expect(fatal.code).toBe(3);
  });

  it.each([[{ boot: { deadlineMs: 'soon' } }, 2], [{ listen: '0.0.0.0:1' }, 3]])('ends with the code of a broken or unsafe host.json: %j', async (content, code) => {
    await using home = await aHome();
    await home.write('manifests/host.json', content);
    expect((await runCommand(['check', '--home', home.path])).code).toBe(code);
  });
});

describe('plugins', () => {
  const plugin: TestPlugin = { name: 'greeter', kind: 'skill', source: SKILL, manifest: { skill: {}, capabilities: [KV] } };

  /** A home that trusts a package which it has not enabled. */
  async function aPackage() {
    const home = await aHome([plugin]);
    const path = join(home.path, 'elsewhere', 'greeter');
    await mkdir(join(home.path, 'elsewhere'));
    await cp(join(home.path, 'plugins', 'test.greeter-1.0.0'), path, { recursive: true });
    await rm(join(home.path, 'plugins'), { recursive: true });
    await rm(join(home.path, 'manifests', 'plugins', 'greeter.json'));
    const run = (...args: readonly string[]) => runCommand(['plugins', ...args, '--home', home.path]);
    return { home: home.path, path, run, add: (each: TestPlugin) => home.add(each), [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
  }

  it('enable shows what is asked for, asks, copies, pins and writes', async () => {
    await using at = await aPackage();
    expect(await at.run('enable', at.path)).toMatchObject({ code: 2, stderr: expect.stringContaining('may keep up to 1 KiB of its own data') });
    expect(await readdir(join(at.home, 'manifests', 'plugins'))).toEqual([]);
    const enabled = await at.run('enable', at.path, '--yes', '--json');
    expect(enabled.json()).toMatchObject({ instance: 'greeter', plugin: 'test.greeter', version: '1.0.0', source: 'plugins/test.greeter-1.0.0', running: false });
    expect(await enablementIn(at.home, 'greeter')).toMatchObject({ plugin: 'test.greeter', digest: enabled.json()['digest'], grants: [{ name: 'kv', quotaBytes: 1024 }] });
    expect((await at.run('list', '--json')).json<{ items: PluginView[] }>().items).toMatchObject([{ instance: 'greeter', state: 'stopped', grants: [{ name: 'kv' }] }]);
  });

  it('enable gives a second instance another name, and none of the grants when told so', async () => {
    await using at = await aPackage();
    await at.run('enable', at.path, '--yes');
    expect((await at.run('enable', at.path, '--instance', 'other', '--grants', 'none', '--yes')).code).toBe(0);
    expect(await enablementIn(at.home, 'other')).toMatchObject({ instance: 'other', grants: [] });
    expect((await runCommand(['check', '--json', '--home', at.home])).json()).toMatchObject({ ok: true });
  });

  it('enable keeps what the operator set when a package is enabled again', async () => {
    await using at = await aPackage();
    await at.run('enable', at.path, '--grants', 'none', '--required', '--yes');
    await at.run('disable', 'greeter');
    await at.run('enable', at.path, '--yes');
    expect(await enablementIn(at.home, 'greeter')).toMatchObject({ required: true, grants: [] });
    expect(await enablementIn(at.home, 'greeter')).not.toHaveProperty('enabled');
  });

  it.each([
    [['--instance', 'Not A Name'], 2, 'USAGE'],
    [['--grants', 'some'], 2, 'USAGE'],
    [['--config', '[]'], 2, 'USAGE'],
    [['--config', '{"a":1,"a":2}'], 2, 'JSON_DUPLICATE_KEY'],
    [['--config', '{"colour":"red"}'], 3, 'PLUGIN_CONFIG_INVALID'],
    [['--secret', 'key'], 2, 'USAGE'],
    [['--secret', 'key=vault:x'], 2, 'USAGE'],
  ])('enable refuses %j and writes nothing', async (options, code, error) => {
    await using at = await aPackage();
    const refused = await at.run('enable', at.path, ...options, '--yes', '--json');
    expect(refused.json()).toMatchObject({ error: { code: error } });
    expect(refused.code).toBe(code);
    expect(await readdir(join(at.home, 'manifests', 'plugins'))).toEqual([]);
  });

  it('enable refuses what does not verify, what is not there, and a name that is another’s', async () => {
    await using at = await aPackage();
    await at.run('enable', at.path, '--instance', 'greeter', '--yes');
    await using other = await aHome([{ ...plugin, name: 'stranger' }]);
    const untrusted = await at.run('enable', join(other.path, 'plugins', 'test.stranger-1.0.0'), '--yes', '--json');
    expect(untrusted).toMatchObject({ code: 3 });
    expect(untrusted.json()).toMatchObject({ error: { code: 'KEY_UNTRUSTED' } });
    await writeFile(join(at.path, 'plugin.js'), '/* changed */');
    expect((await at.run('enable', at.path, '--yes', '--json')).json()).toMatchObject({ error: { code: 'RELEASE_FILES' } });
    expect(await at.run('enable', join(at.path, 'nothing'), '--yes')).toMatchObject({ code: 3 });
  });

  it('enable refuses another release of a version that is installed', async () => {
    await using at = await aPackage();
    await at.run('enable', at.path, '--yes');
    await at.add({ ...plugin, source: `${SKILL} // another` });
    expect((await at.run('enable', at.path, '--yes', '--json')).json()).toMatchObject({ error: { code: 'SAME_VERSION_CHANGED', message: expect.stringContaining('in plugins/test.greeter-1.0.0') } });
  });

  it.each([
    ['edited', (folder: string) => writeFile(join(folder, 'plugin.js'), 'evil()')],
    ['with a file added', (folder: string) => writeFile(join(folder, 'README.md'), 'more')],
    ['without its signature', (folder: string) => rm(join(folder, 'plugin.dsse.json'))],
    ['emptied', (folder: string) => rm(join(folder, 'plugin.json'))],
  ])('enable replaces an installed copy that was damaged: %s', async (_, damage) => {
    await using at = await aPackage();
    await at.run('enable', at.path, '--yes');
    await damage(join(at.home, 'plugins', 'test.greeter-1.0.0'));
    expect(await at.run('enable', at.path, '--yes')).toMatchObject({ code: 0, stderr: expect.stringContaining('was not what its publisher signed; it was replaced') });
    expect((await at.run('enable', at.path, '--yes')).stderr).not.toContain('replaced');
    expect((await runCommand(['check', '--json', '--home', at.home])).json()).toEqual({ ok: true, diagnostics: [] });
  });

  it('enable drops grants a new version no longer asks for, adds none, and says which are in force', async () => {
    const read = { name: 'message.read', conversations: 'own' } as const;
    await using home = await aHome([{ ...plugin, manifest: { skill: {}, capabilities: [KV, read] } }]);
    const run = (...args: readonly string[]) => runCommand(['plugins', 'enable', ...args, '--yes', '--home', home.path]);
    const upgrade = async (version: string, capabilities: readonly Capability[]) => {
      const kept = await enablementIn(home.path, 'greeter');
      const path = await home.add({ ...plugin, version, manifest: { skill: {}, capabilities: [...capabilities] } });
      await home.write('manifests/plugins/greeter.json', kept);
      return path;
    };
    await run(join(home.path, 'plugins', 'test.greeter-1.0.0'), '--grants', 'requested');
    const call = { name: 'tool.call', tools: ['a.b/c'] } satisfies Capability;
    const enabled = await run(await upgrade('2.0.0', [{ ...KV, quotaBytes: 4096 }, call]));
    expect(enabled.stderr).toContain('in force        keep up to 1 KiB of its own data');
    expect(enabled.stderr).toContain('dropped         read the conversations of its own instance');
    expect(enabled.stderr).toContain('not granted     call the tools a.b/c');
    expect(enabled.stderr).toContain('wider, not yet  keep up to 4 KiB of its own data');
    expect(enabled.stderr).toContain('--grants requested');
    expect(await enablementIn(home.path, 'greeter')).toMatchObject({ version: '2.0.0', grants: [{ name: 'kv', quotaBytes: 1024 }] });
    const less = await run(await upgrade('3.0.0', [{ ...KV, quotaBytes: 512 }]), '--json');
    expect(less.json()).toMatchObject({ grants: [{ name: 'kv', quotaBytes: 512 }], dropped: [{ name: 'kv', quotaBytes: 1024 }], missing: [], wider: [] });
    expect((await runCommand(['check', '--json', '--home', home.path])).json()).toEqual({ ok: true, diagnostics: [] });
  });

  it('enable refuses an older version than the instance ran, whether or not a host is running', async () => {
    await using at = await aPackage();
    const newer = await at.add({ ...plugin, version: '2.0.0' });
    const older = async () => {
      const result = await at.run('enable', at.path, '--yes', '--json');
      return { code: result.code, ...result.json() };
    };
    const refusal = { code: 3, error: { code: 'ROLLBACK', message: expect.stringContaining('2.0.0'), fix: expect.stringContaining('allowRollback') } };
    {
      await using host = await startProcess(at.home);
      expect(host.lines[0]).toMatchObject({ plugins: { active: ['greeter'] } });
      expect(await older()).toMatchObject(refusal);
      await at.run('disable', 'greeter');
      // It runs no version now: the host, which remembers, judges what it takes up.
      expect(await older()).toMatchObject({ state: 'rejected', code: 'ROLLBACK', message: expect.stringContaining('2.0.0') });
      expect(await at.run('enable', newer, '--yes')).toMatchObject({ code: 0, stderr: expect.not.stringContaining('cannot be told') });
    }
    expect(await older()).toMatchObject(refusal);
    expect(await enablementIn(at.home, 'greeter')).toMatchObject({ version: '2.0.0' });
    await writeFile(join(at.home, 'manifests/plugins/greeter.json'), JSON.stringify({ ...(await enablementIn(at.home, 'greeter')), allowRollback: true }));
    expect((await at.run('enable', at.path, '--yes')).code).toBe(0);
  });

  it('enable on a quarantined instance writes the new version, which waits for a release', async () => {
    await using at = await aPackage();
    await at.run('enable', at.path, '--yes');
    const mended = await at.add({ ...plugin, version: '1.0.1' });
    await at.run('enable', at.path, '--yes');
    await using _ = await startProcess(at.home);
    await at.run('quarantine', 'greeter', '--reason', 'looks odd', '--yes');
    const { code, stdout, stderr } = await at.run('enable', mended, '--yes');
    expect({ code, stdout: stdout.split('\n').slice(1) }).toEqual({ code: 3, stdout: ['greeter stays quarantined: looks odd (PLUGIN_QUARANTINED)', '1.0.1 waits: `gatehouse plugins release greeter --reason …`.', ''] });
    expect(stderr).not.toContain('cannot');
    expect(await enablementIn(at.home, 'greeter')).toMatchObject({ version: '1.0.1' });
    expect((await at.run('enable', mended, '--yes', '--json')).json()).toMatchObject({ version: '1.0.1', running: true, state: 'quarantined', code: 'PLUGIN_QUARANTINED' });
    expect((await at.run('release', 'greeter', '--reason', 'mended', '--yes')).code).toBe(0);
    expect((await at.run('show', 'greeter', '--json')).json()).toMatchObject({ version: '1.0.1', state: expect.stringMatching(/starting|active/) });
  });

  it('disable and enable switch an instance and leave the rest of its file alone', async () => {
    await using home = await aHome([{ ...plugin, enablement: { order: 7 } }]);
    expect((await runCommand(['plugins', 'disable', 'greeter', '--json', '--home', home.path])).json()).toMatchObject({ instance: 'greeter', enabled: false });
    expect(await enablementIn(home.path, 'greeter')).toMatchObject({ enabled: false, order: 7 });
    expect((await runCommand(['plugins', 'list', '--json', '--home', home.path])).json()).toMatchObject({ items: [{ instance: 'greeter', state: 'disabled' }] });
    expect((await runCommand(['plugins', 'enable', 'greeter', '--json', '--home', home.path])).json()).toMatchObject({ instance: 'greeter', enabled: true });
    expect(await enablementIn(home.path, 'greeter')).toMatchObject({ enabled: true, order: 7 });
  });

  it('know only instances that there are', async () => {
    await using home = await aHome();
    for (const verb of ['show', 'disable']) expect(await runCommand(['plugins', verb, 'nobody', '--home', home.path])).toMatchObject({ code: 1 });
  });
});

describe('doctor', () => {
  interface Report {
    readonly ok: boolean;
    readonly findings: readonly { check: string; state: string; detail: string; fix?: string }[];
    readonly config: { profile: string };
  }

  it('examines a healthy home and finds nothing that fails', async () => {
    await using home = await aHome();
    const report = await runCommand(['doctor', '--json', '--home', home.path]);
    const { ok, findings, config } = report.json<Report>();
    expect({ code: report.code, ok, profile: config.profile }).toEqual({ code: 0, ok: true, profile: 'local' });
    expect(new Set(findings.map(({ check }) => check))).toEqual(new Set([...findings.map(({ check }) => check), 'node', 'settings', 'address', 'plugins', 'trust', 'data', 'disk', 'confinement', 'host', 'clock', 'limits']));
    expect(findings.filter(({ state, fix }) => state !== 'ok' && fix === undefined)).toEqual([]);
  });

  it('names what is wrong and what to do about it', async () => {
    await using home = await aHome();
    await mkdir(join(home.path, 'data'));
    await writeFile(join(home.path, 'data', 'admin-token'), 'x');
    await chmod(join(home.path, 'data', 'admin-token'), 0o644);
    await chmod(join(home.path, 'data'), 0o755);
    await writeFile(join(home.path, 'data', 'run.json'), `{"pid":${2 ** 22 + 1},"address":"http://127.0.0.1:1","startedAt":"2026-11-21T00:00:00.000Z"}`, { mode: 0o600 });
    await home.write('manifests/plugins/needed.json', { plugin: 'test.needed', required: true });
    await home.write('manifests/trust/publishers/broken.json', '{}');
    const report = await runCommand(['doctor', '--json', '--home', home.path], { env: { GATEHOUSE_LOG_LEVEL: 'warn' } });
    const { findings } = report.json<Report>();
    expect(report.code).toBe(1);
    const said = findings.map(({ state, detail, fix = '' }) => `${state} ${detail} → ${fix}`).join('\n');
    expect(said).toMatch(/failure .*admin-token has mode 644.*→ chmod 600/);
    expect(said).toMatch(/failure .*data has mode 755.*→ chmod 700/);
    expect(said).toMatch(/failure PACKAGE_NOT_FOUND/);
    expect(said).toMatch(/failure .*broken\.json/);
    expect(said).toMatch(/warning process \d+ ended without a goodbye/);
    expect(said).toMatch(/GATEHOUSE_LOG_LEVEL/);
  });
});
