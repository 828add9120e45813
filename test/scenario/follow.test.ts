// Lists that go on: what is there, then what comes, over a restart of the host, by the real command beside a real host.
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { gatehouse, LAUNCHER, startProcess, type HostProcess } from '../support/process.ts';
import { webhookClient } from '../support/webhook.ts';

const PARROT = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => { if (message.text.includes('break')) throw new Error('broken'); return { replies: [{ text: message.text }] }; } } });`;

let home: TestHome;
let host: HostProcess;
let posted = 0;
beforeAll(async () => {
  home = await aHome([{ name: 'parrot', kind: 'skill', source: PARROT, manifest: { skill: { triggers: { prefixes: ['say '] } } } }]);
  await addWebhook(home);
  host = await startProcess(home.path);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const post = async (conversation: string, text: string) => await webhookClient(host.address, WEBHOOK_SECRET).post({ id: String((posted += 1)), conversation, text });

interface Following extends AsyncDisposable {
  readonly lines: () => readonly string[];
  readonly stderr: () => string;
  /** By what it ended after Ctrl-C; a shell makes 130 of SIGINT. */
  interrupt(): Promise<NodeJS.Signals | null>;
}

function follow(...args: readonly string[]): Following {
  const child = spawn(process.execPath, [LAUNCHER, ...args, '--follow', '--home', home.path], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '' } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_code, signal) => resolve(signal)));
  const interrupt = async () => {
    child.kill('SIGINT');
    return await ended;
  };
  return { lines: () => stdout.split('\n').filter((line) => line !== ''), stderr: () => stderr, interrupt, [Symbol.asyncDispose]: async () => void (await interrupt()) };
}

describe('a list with --follow', () => {
  it('tells what failed as it fails, beside what fits its filters alone', async () => {
    await using letters = follow('dead-letters', 'list', '--instance', 'webhook');
    await using deliveries = follow('deliveries', 'list', '--conversation', 'heard', '--json');
    await post('unheard', 'say this too');
    await post('unheard', 'say break');
    await eventually(() => expect(letters.lines()).toEqual([expect.stringMatching(/^\S+ {2}\S+Z {2}webhook {2}respond {2}\S+ {2}\d/)]), 120_000);
    await post('heard', 'say this');
    await eventually(() => expect(deliveries.lines().map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ conversation: 'heard', state: 'delivered' })]), 120_000);
  });

  it('tells what is there, what comes, and after a restart that something may be missed', async () => {
    const first = (await post('c', 'say one')).body['messageId'];
    await using following = follow('messages', 'list', '--conversation', 'c', '--direction', 'inbound', '--json');
    const seen = () => following.lines().map((line) => JSON.parse(line) as { id: string; outcome: string; text?: string; costs?: unknown });
    await eventually(() => expect(seen().map(({ id }) => id)).toContain(first), 120_000);
    const second = (await post('c', 'say two')).body['messageId'];
    await eventually(() => expect(seen().filter(({ outcome }) => outcome === 'answered').map(({ id }) => id)).toEqual([first, second]), 120_000);

    await host[Symbol.asyncDispose]();
    await eventually(() => expect(following.stderr()).toContain('waiting for it'), 120_000);
    host = await startProcess(home.path);
    await eventually(() => expect(following.stderr()).toMatch(/missed \(restarted\): `gatehouse messages list`/), 120_000);
    const third = (await post('c', 'say three')).body['messageId'];
    await eventually(() => expect(seen().filter(({ outcome }) => outcome === 'answered').map(({ id }) => id)).toEqual([first, second, third]), 120_000);
    expect(new Set(seen().map(({ id, outcome }) => `${id} ${outcome}`)).size).toBe(seen().length);
    expect(seen().every(({ costs }) => costs === undefined)).toBe(true);
    expect(await following.interrupt()).toBe('SIGINT');
  });

  it('refuses an order and an end, which it cannot keep', async () => {
    for (const option of [['--sort', 'at'], ['--until', '2026-01-01'], ['--cursor', 'x']]) {
      expect(await gatehouse(['messages', 'list', '--follow', ...option, '--home', home.path])).toMatchObject({ code: 2, stderr: expect.stringContaining(`${option[0]} does not go with --follow`) });
    }
  });
});
