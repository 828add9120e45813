// `gatehouse start` as a process: what it announces, how it stops, and what it leaves behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as elapse } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { PluginView } from '../../schemas/control.ts';
import { eventually } from '../support/eventually.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { gatehouse, LAUNCHER, startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';

const SKILL = `gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });`;
/** Takes its time over each request: whoever stops the host meanwhile sees a drain. */
const SLOW_CHANNEL = `gatehouse.register({ kind: 'channel', handlers: { receive: async (request, ctx) => { await ctx.sleep(10000); return {}; }, send: async () => ({ actions: [] }) } });`;

const aSkill = (name = 'quiet') => ({ name, kind: 'skill', source: SKILL, manifest: { skill: {} } }) as const;
const runFile = (home: TestHome) => join(home.path, 'data', 'run.json');
const eventsOf = (lines: readonly Record<string, unknown>[]) => lines.map(({ event }) => event);

describe('start', () => {
  it('announces itself once every plugin has settled, and says where it runs', async () => {
    await using home = await aHome([aSkill()]);
    await using host = await startProcess(home.path);
    expect(host.lines[0]).toEqual({ event: 'ready', address: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), pid: expect.any(Number), plugins: { active: ['quiet'], degraded: [] } });
    expect(JSON.parse(await readFile(runFile(home), 'utf8'))).toEqual({ pid: host.pid, address: host.address, startedAt: expect.stringMatching(/Z$/) });
    expect((await stat(runFile(home))).mode & 0o777).toBe(0o600);
    expect((await stat(join(home.path, 'data', 'admin-token'))).mode & 0o777).toBe(0o600);
    expect((await fetch(`${host.address}/readyz`)).status).toBe(200);
  });

  it('tells people the same in a few calm lines', async () => {
    await using home = await aHome([aSkill()]);
    await home.write('manifests/plugins/absent.json', { plugin: 'test.absent' });
    const child = spawn(process.execPath, [LAUNCHER, 'start', '--home', home.path], { stdio: ['ignore', 'pipe', 'ignore'] });
    const said: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
    await eventually(() => expect(said.join('\n')).toContain('Ctrl-C'));
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    const text = said.join('\n');
    expect(text).toMatch(/^Gatehouse \d+\.\d+\.\d+ {2}http:\/\/127\.0\.0\.1:\d+$/m);
    expect(text).toMatch(/active +quiet/);
    expect(text).toMatch(/degraded +absent is rejected: .*\(PACKAGE_NOT_FOUND\)\n +Build or copy the package there/);
    expect(text).toMatch(/Stopping: SIGTERM\.\nStopped\.$/);
    expect(said.length).toBeLessThan(10);
  });

  it('follows the states of its plugins', async () => {
    await using home = await aHome([aSkill()]);
    await using host = await startProcess(home.path);
    const disabled = await runCommand(['plugins', 'disable', 'quiet', '--reason', 'a rest', '--json', '--home', home.path]);
    expect(disabled.json<PluginView>()).toMatchObject({ instance: 'quiet', state: 'disabled' });
    await eventually(() => expect(host.lines).toContainEqual(expect.objectContaining({ event: 'plugin', instance: 'quiet', state: 'disabled', reason: 'a rest' })));
    expect(JSON.parse(await readFile(join(home.path, 'manifests', 'plugins', 'quiet.json'), 'utf8'))).toMatchObject({ enabled: false });
    expect((await runCommand(['plugins', 'enable', 'quiet', '--home', home.path])).code).toBe(0);
    await eventually(() => expect(host.lines).toContainEqual(expect.objectContaining({ event: 'plugin', instance: 'quiet', state: 'active' })));
  });

  it('names the address it cannot have', async () => {
    await using home = await aHome();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const bound = taken.address();
    const listen = `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`;
    const refused = await gatehouse(['start', '--json', '--listen', listen, '--home', home.path]);
    expect(refused.code).toBe(1);
    expect(refused.json()).toMatchObject({ error: { code: 'LISTEN_FAILED', message: expect.stringContaining(listen) } });
    expect(existsSync(runFile(home))).toBe(false);
    taken.close();
  });

  it.each([
    [{ strcit: true }, 2, 'SCHEMA_UNKNOWN_KEY'],
    [{ listen: '0.0.0.0:0' }, 3, 'CONFIG_UNSAFE'],
  ])('does not begin with host.json %j', async (content, code, error) => {
    await using home = await aHome();
    await home.write('manifests/host.json', content);
    const refused = await gatehouse(['start', '--json', '--home', home.path]);
    expect(refused.json()).toMatchObject({ error: { code: error } });
    expect(refused.code).toBe(code);
    expect(existsSync(join(home.path, 'data'))).toBe(false);
  });
});

describe('stop', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('on %s drains, removes its traces and ends with 0', async (signal) => {
    await using home = await aHome([aSkill()]);
    await using host = await startProcess(home.path);
    host.child.kill(signal);
    expect(await host.exited).toEqual({ code: 0, signal: null });
    expect(eventsOf(host.lines).slice(-2)).toEqual(['stopping', 'stopped']);
    expect(existsSync(runFile(home))).toBe(false);
  });

  it('takes signals that follow at once for the same request', async () => {
    await using home = await aHome([aSkill()]);
    await using host = await startProcess(home.path);
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) process.kill(host.pid, signal);
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });

  it.each([['SIGINT', 130], ['SIGTERM', 143]] as const)('ends a drain at once on a later %s', async (signal, code) => {
    await using home = await aHome([{ name: 'slow', kind: 'channel', source: SLOW_CHANNEL, manifest: { limits: { wallMsPerCall: 60_000 } } }]);
    await using host = await startProcess(home.path);
    const hanging = fetch(`${host.address}/channels/slow/messages`, { method: 'POST', body: 'x' }).catch((error: unknown) => error);
    await eventually(async () => expect((await fetch(`${host.address}/healthz`)).status).toBe(200));
    process.kill(host.pid, 'SIGTERM');
    await eventually(() => expect(eventsOf(host.lines)).toContain('stopping'));
    await elapse(600); // the time itself is what counts: within 500 ms a second signal is the first one again
    process.kill(host.pid, signal);
    expect(await host.exited).toEqual({ code, signal: null });
    expect(eventsOf(host.lines)).not.toContain('stopped');
    expect(existsSync(runFile(home))).toBe(false);
    await hanging;
  });

  it('comes when the launcher is killed', async () => {
    await using home = await aHome([aSkill()]);
    const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.0'}})`;
    const launcher = spawn(process.execPath, ['--import', old, LAUNCHER, 'start', '--json', '--home', home.path], { stdio: ['ignore', 'pipe', 'ignore'] });
    const lines: Record<string, unknown>[] = [];
    createInterface({ input: launcher.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
    await eventually(() => expect(eventsOf(lines)).toContain('ready'));
    const pid = Number(lines[0]?.['pid']);
    expect(pid).not.toBe(launcher.pid);
    launcher.kill('SIGKILL');
    await eventually(() => expect(lines.at(-1)).toEqual({ event: 'stopped' }));
    expect(lines).toContainEqual({ event: 'stopping', reason: 'its launcher ended' });
    await eventually(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/));
    expect(existsSync(runFile(home))).toBe(false);
  });

  it('is not needed by the next host: what one killed outright left behind is taken over', async () => {
    await using home = await aHome([aSkill()]);
    const first = await startProcess(home.path);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    expect((await runCommand(['status', '--home', home.path])).code).toBe(4);
    await using second = await startProcess(home.path);
    expect(JSON.parse(await readFile(runFile(home), 'utf8'))).toMatchObject({ pid: second.pid });
    expect((await runCommand(['status', '--home', home.path])).code).toBe(0);
  });
});
