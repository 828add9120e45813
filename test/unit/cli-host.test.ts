// Commands that talk to a running host: what they send, what they print, and how they end when the host says no or is not there.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { removeRunFile, writeRunFile } from '../../host/cli/run-file.ts';
import type { DeliveryView, MessageView } from '../../schemas/control.ts';
import { aPlugin, startTestControl } from '../support/control-plane.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

/** Beyond the highest pid of Linux (pid_max(5)). */
const NO_PROCESS = 2 ** 22 + 1;

const aMessage: MessageView = { id: 'm1', instance: 'hook', conversation: 'c', sender: { id: 'ann\u001b[2J' }, direction: 'inbound', outcome: 'answered', text: 'hello \u202eworld', at: '2026-11-21T00:00:00.000Z', stages: [{ stage: 'admit', decision: 'pass', durationMs: 0.25 }] };
const aDeadLetter = { id: 'd1', messageId: 'm1', instance: 'hook', conversation: 'c', direction: 'outbound', stage: 'deliver', code: 'DELIVERY_FAILED', reason: 'no', attempts: 3, at: '2026-11-21T00:00:00.000Z' } as const;

describe('with a running host', () => {
  it('status shows it, to people and to scripts', async () => {
    await using control = await startTestControl({ degraded: [{ instance: 'weather', state: 'rejected', code: 'PACKAGE_NOT_FOUND', message: 'not there' }] });
    const script = await runCommand(['status', '--json', '--home', control.home]);
    expect(script.code).toBe(0);
    expect(script.json()).toMatchObject({ address: control.control.address, ready: true, lanes: { waiting: 2 }, degraded: [{ instance: 'weather' }] });
    const human = await runCommand(['status'], { cwd: control.home });
    expect(human.stdout).toMatch(/lanes +2 waiting, 1 running/);
    expect(human.stdout).toMatch(/degraded weather +rejected: PACKAGE_NOT_FOUND/);
  });

  it('send tells the outcome, and a denial ends with 3', async () => {
    await using control = await startTestControl();
    const delivered = await runCommand(['send', '--channel', 'hook', '--to', 'c', '--text', '-5 °C', '--json', '--home', control.home]);
    expect(delivered).toMatchObject({ code: 0 });
    expect(delivered.json()).toEqual({ messageId: 'm1', outcome: 'delivered' });
    expect(control.asked).toEqual(['send hook c -5 °C']);
    await using strict = await startTestControl({ sent: { messageId: 'm2', outcome: 'denied', code: 'REPLY_DENIED', reason: 'a rule' } });
    const denied = await runCommand(['send', '--channel', 'hook', '--to', 'c', '--text', 'x', '--json', '--home', strict.home]);
    expect(denied.code).toBe(3);
    expect(denied.json()).toMatchObject({ messageId: 'm2', outcome: 'denied' });
  });

  it('messages are listed and shown, with foreign text made harmless for people and left whole for scripts', async () => {
    await using control = await startTestControl({ messages: [aMessage] });
    const listed = await runCommand(['messages', '--home', control.home]);
    expect(listed.stdout).toMatch(/^id +at +direction +outcome/);
    const shown = await runCommand(['messages', 'show', 'm1', '--home', control.home]);
    expect(shown.stdout).toMatch(/admit +pass +0\.3/);
    for (const { stdout } of [listed, shown]) expect(stdout).not.toMatch(/[\u001b\u202e]/); // oxlint-disable-line no-control-regex -- control characters are what it looks for
    expect((await runCommand(['messages', 'show', 'm1', '--json', '--home', control.home])).json()).toEqual({ ...aMessage, costs: [] });
    await runCommand(['messages', 'list', '--limit', '3', '--outcome', 'denied', '--home', control.home]);
    expect(control.asked.at(-1)).toBe('list {"limit":3,"outcome":"denied"}');
  });

  it('a message shows what gates did to it, labels made harmless', async () => {
    const provenance: MessageView['provenance'] = [{ gate: 'mask', effect: 'modify', before: 'a'.repeat(64), after: 'b'.repeat(64) }, { gate: 'nose', effect: 'flag', labels: ['odd', 'new\u001b[2J'] }];
    await using control = await startTestControl({ messages: [{ ...aMessage, provenance }] });
    const { stdout } = await runCommand(['messages', 'show', 'm1', '--home', control.home]);
    expect(stdout).toMatch(/^gate +effect +labels +before +after$/m);
    expect(stdout).toMatch(/^mask +modify +– +a{16} +b{16}$/m);
    expect(stdout).toMatch(/^nose +flag +odd, new\ufffd\[2J +– +–$/m);
  });

  it('a message shows what it carries, names made harmless', async () => {
    const media: MessageView['media'] = [
      { kind: 'image', id: `sha256:${'a'.repeat(64)}`, mimeType: 'image/png', sizeBytes: 70, name: 'cat\u001b[2J.png' },
      { kind: 'file', url: 'https://example.com/a' },
      { kind: 'location', latitude: 48.2, longitude: 16.4, name: 'Vienna' },
    ];
    await using control = await startTestControl({ messages: [{ ...aMessage, media }] });
    const { stdout } = await runCommand(['messages', 'show', 'm1', '--home', control.home]);
    expect(stdout).toMatch(/^kind +name +type +bytes +where$/m);
    expect(stdout).toMatch(/^image +cat\ufffd\[2J\.png +image\/png +70 +sha256:a{32}$/m);
    expect(stdout).toMatch(/^file +– +– +– +https:\/\/example\.com\/a$/m);
    expect(stdout).toMatch(/^location +Vienna +– +– +48\.2, 16\.4$/m);
  });

  it('deliveries are listed and shown, with what stands in their way made harmless', async () => {
    const waiting: DeliveryView = { id: 'm1', instance: 'hook', conversation: 'c', partition: 'hook:c', state: 'waiting', attempts: 2, pieces: { sent: 1, of: 3 }, class: 'rate-limited', problem: 'the remote\u001b[2J answered 429', nextTryAt: '2026-11-21T00:01:00.000Z', remoteIds: ['r-1'], at: '2026-11-21T00:00:00.000Z' };
    await using control = await startTestControl({ deliveries: [waiting] });
    const { stdout } = await runCommand(['deliveries', 'list', '--instance', 'hook', '--limit', '3', '--home', control.home]);
    expect(stdout).toMatch(/^id +at +instance +conversation +pieces +attempts +class +next try +problem$/m);
    expect(stdout).toMatch(/^m1 .* hook +c +1\/3 +2 +rate-limited +2026-11-21T00:01:00.000Z +the remote\ufffd\[2J answered 429$/m);
    expect(control.asked).toEqual(['list-deliveries {"instance":"hook","limit":3}']);
    const shown = await runCommand(['deliveries', 'show', 'm1', '--home', control.home]);
    expect(shown.stdout).toMatch(/^partition +hook:c$/m);
    expect(shown.stdout).toMatch(/^pieces +1 of 3 sent$/m);
    expect(shown.stdout).toMatch(/^remoteIds +r-1$/m);
    expect((await runCommand(['deliveries', 'show', 'm1', '--json', '--home', control.home])).json()).toEqual(waiting);
    expect((await runCommand(['deliveries', 'show', 'm9', '--home', control.home])).code).toBe(1);
    expect((await runCommand(['deliveries', '--json', '--home', control.home])).json()).toEqual({ items: [waiting], cursor: null });
  });

  it('dead letters are replayed, and dropped only after a yes', async () => {
    await using control = await startTestControl({ deadLetters: [aDeadLetter] });
    expect((await runCommand(['dead-letters', '--json', '--home', control.home])).json()).toEqual({ items: [aDeadLetter], cursor: null });
    expect((await runCommand(['dead-letters', 'replay', 'd1', '--json', '--home', control.home])).json()).toEqual({ id: 'd1', messageId: 'm1', status: 'replayed' });
    expect(await runCommand(['dead-letters', 'drop', 'd1', '--home', control.home])).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(control.asked.filter((each) => each.startsWith('drop'))).toEqual([]);
    expect((await runCommand(['dead-letters', 'drop', 'd1', '--yes', '--json', '--home', control.home])).json()).toEqual({ id: 'd1' });
    expect(control.asked.at(-1)).toMatch(/^drop d1 token:/);
  });

  it('plugins are shown and quarantined with a reason', async () => {
    await using control = await startTestControl({ plugins: [aPlugin({ grants: [{ name: 'kv', quotaBytes: 2048 }] })] });
    expect((await runCommand(['plugins', '--json', '--home', control.home])).json()).toMatchObject({ items: [{ instance: 'echo', state: 'active' }], cursor: null });
    expect((await runCommand(['plugins', 'show', 'echo', '--home', control.home])).stdout).toContain('may keep up to 2 KiB of its own data');
    expect((await runCommand(['plugins', 'quarantine', 'echo', '--home', control.home])).code).toBe(2);
    expect((await runCommand(['plugins', 'quarantine', 'echo', '--reason', 'odd', '--yes', '--home', control.home])).code).toBe(0);
    expect(control.asked.at(-1)).toMatch(/^quarantine echo token:\w+ odd$/);
  });

  it('what the host refuses is told with the host’s code', async () => {
    await using control = await startTestControl();
    const unknown = await runCommand(['plugins', 'show', 'nobody', '--json', '--home', control.home]);
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.json()).toMatchObject({ error: { code: 'PLUGIN_NOT_FOUND', fix: expect.stringContaining('plugins list') } });
    expect((await runCommand(['messages', 'list', '--limit', '9999', '--json', '--home', control.home])).json()).toMatchObject({ error: { code: 'REQUEST_INVALID' } });
  });
});

describe('without a host', () => {
  const COMMANDS = [['status'], ['send', '--channel', 'a', '--to', 'b', '--text', 'c'], ['messages'], ['dead-letters'], ['plugins', 'quarantine', 'a', '--reason', 'r', '--yes'], ['plugins', 'release', 'a', '--reason', 'r', '--yes']];

  it.each(COMMANDS)('%s ends with 4', async (...command) => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'manifests'));
    await writeFile(join(dir.path, 'manifests', 'host.json'), '{}');
    const result = await runCommand([...command, '--json', '--home', dir.path]);
    expect(result.code).toBe(4);
    expect(result.json()).toMatchObject({ error: { code: 'HOST_UNREACHABLE', fix: expect.stringContaining(`--home ${dir.path}`) } });
  });

  it('a command ends with 4 when the port it knows answers no more', async () => {
    await using control = await startTestControl();
    await control.control.close();
    expect((await runCommand(['status', '--home', control.home])).code).toBe(4);
  });

  it('the token is never shown to whoever took the port of a host that died', async () => {
    await using control = await startTestControl();
    const seen: (string | undefined)[] = [];
    const stranger = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const bound = stranger.address();
    writeRunFile(control.dataDir, { pid: NO_PROCESS, address: `http://127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`, startedAt: '2026-11-21T00:00:00.000Z' });
    expect((await runCommand(['status', '--home', control.home])).code).toBe(4);
    expect(seen).toEqual([]);
    stranger.close();
  });
});

describe('the run file', () => {
  it('is removed only by the host that wrote it, and nonsense counts as none', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'run.json');
    writeRunFile(dir.path, { pid: 7, address: 'http://127.0.0.1:1', startedAt: '2026-11-21T00:00:00.000Z' });
    removeRunFile(dir.path, 8);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: 7 });
    removeRunFile(dir.path, 7);
    expect(() => readFileSync(file)).toThrow(/ENOENT/);
    await writeFile(file, '{"pid":"x"}');
    removeRunFile(dir.path, 7);
    expect(readFileSync(file, 'utf8')).toBe('{"pid":"x"}');
    rmSync(file);
  });
});
