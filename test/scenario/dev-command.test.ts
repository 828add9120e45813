// An author's loop, `gatehouse dev` and `gatehouse test`, as an author runs them: real process, real host, real sandbox.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { newPlugin } from '../../host/authoring/new.ts';
import type { PluginKind } from '../../schemas/plugin-manifest.ts';
import { eventually } from '../support/eventually.ts';
import { LAUNCHER } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';

type Told = Record<string, unknown> & { readonly event: string };

/** `gatehouse dev --json` over a folder, with somebody at its keyboard. */
function startDev(dir: string, args: readonly string[] = []) {
  const child = spawn(process.execPath, [LAUNCHER, 'dev', dir, '--json', ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '' } });
  const told: Told[] = [];
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as Told));
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    told,
    exited,
    stderr: () => stderr,
    type: (line: string) => child.stdin.write(`${line}\n`),
    leave: () => child.stdin.end(),
    interrupt: () => child.kill('SIGINT'),
    hears: (event: string, fits: (each: Told) => boolean = () => true) => eventually(() => {
      const found = told.find((each) => each.event === event && fits(each));
      if (!found) throw new Error(`no ${event} in ${JSON.stringify(told)} ${stderr}`);
      return found;
    }, 120_000),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function aPlugin(dir: string, kind: PluginKind) {
  const path = join(dir, kind);
  await newPlugin(kind, path, `acme.${kind}`);
  return path;
}

describe('gatehouse dev', () => {
  it('answers what is typed, tells logs and what was denied, takes up what is saved, and leaves nothing behind', async () => {
    await using dir = await tempDir();
    const path = await aPlugin(dir.path, 'skill');
    const source = join(path, 'src/plugin.ts');
    await using dev = startDev(path);
    const { home } = await dev.hears('ready');
    dev.type('Hi there');
    await dev.hears('reply', ({ text }) => text === 'Hello visitor!');
    dev.type('nothing for you');
    await dev.hears('outcome', ({ outcome }) => outcome === 'unanswered');

    const original = await readFile(source, 'utf8');
    await writeFile(source, original.replace('respond({ message }) {', "async respond({ message }, ctx) {\n    ctx.log.info('asked', { length: message.text.length });\n    await ctx.kv.get('x').catch(() => null);").replace('Hello ', 'Good day '));
    const { ms } = await dev.hears('replaced', ({ state }) => state === 'active');
    expect(ms).toEqual(expect.any(Number));
    dev.type('Hi again');
    await dev.hears('reply', ({ text }) => text === 'Good day visitor!');
    await dev.hears('log', ({ text, fields }) => text === 'asked' && JSON.stringify(fields) === '{"length":8}');
    await dev.hears('log', ({ text, fields }) => text === 'capability denied' && String(Object(fields).capability).startsWith('kv'));

    await writeFile(source, 'export default (');
    await dev.hears('problem', ({ code }) => code === 'BUILD_FAILED');
    dev.type('hello still');
    await dev.hears('reply', ({ text, inReplyTo }) => text === 'Good day visitor!' && inReplyTo !== undefined && dev.told.filter(({ event }) => event === 'reply').length === 3);

    expect(existsSync(join(path, 'dist'))).toBe(false);
    dev.interrupt();
    expect(await dev.exited).toBe(0);
    expect(existsSync(String(home))).toBe(false);
  });

  it('calls a tool with what is typed, and ends with what is piped in once it is answered', async () => {
    await using dir = await tempDir();
    await using dev = startDev(await aPlugin(dir.path, 'tool'));
    dev.type('count {"text":"one two three"}');
    dev.type('count {"text":7}');
    dev.leave();
    expect(await dev.exited).toBe(0);
    const replies = dev.told.filter(({ event }) => event === 'reply').map(({ text }) => text);
    expect(replies).toEqual(['{\n  "words": 3\n}', expect.stringContaining('TOOL_ARGUMENT:')]);
  });

  it('says what is wrong with a plugin that does not build, and starts nothing', async () => {
    await using dir = await tempDir();
    const path = await aPlugin(dir.path, 'skill');
    await writeFile(join(path, 'src/plugin.ts'), "import 'node:fs';");
    const ran = await runCommand(['dev', path, '--json'], { env: {} });
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('BUILD_FAILED') });
  });
});

describe('gatehouse test', () => {
  it('builds in memory, runs the tests, loads it in a sandbox, and looks through it', async () => {
    await using dir = await tempDir();
    const path = await aPlugin(dir.path, 'moderation');
    const ran = await runCommand(['test', path, '--json']);
    expect(ran.json()).toMatchObject({ ok: true, plugin: 'acme.moderation', checks: [{ name: 'build', ok: true }, { name: 'tests', ok: true, detail: '2 passed' }, { name: 'sandbox', ok: true, detail: expect.stringContaining('handlers: evaluate') }, { name: 'scan', ok: true }] });
    expect(ran.code).toBe(0);
    expect(existsSync(join(path, 'dist'))).toBe(false);
  });

  it('ends with 1 and the output of the tests that failed, and of a plugin that does not load', async () => {
    await using dir = await tempDir();
    const path = await aPlugin(dir.path, 'skill');
    const source = join(path, 'src/plugin.ts');
    await writeFile(source, (await readFile(source, 'utf8')).replace('Hello', 'Hola'));
    const failed = await runCommand(['test', path, '--json']);
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.json()).toMatchObject({ ok: false, checks: [{}, { name: 'tests', ok: false, detail: '1 of 2 failed', output: expect.stringContaining('Hola ada!') }, { name: 'sandbox', ok: true }, {}] });
    await writeFile(source, 'throw new Error("not today");');
    const broken = await runCommand(['test', path, '--json']);
    expect(broken.json()).toMatchObject({ ok: false, checks: [{}, {}, { name: 'sandbox', ok: false, detail: expect.stringContaining('not today') }, {}] });
  });

  it('ends with 3 where the scanner would block it', async () => {
    await using dir = await tempDir();
    const path = await aPlugin(dir.path, 'skill');
    const manifest = JSON.parse(await readFile(join(path, 'plugin.json'), 'utf8')) as object;
    await writeFile(join(path, 'plugin.json'), JSON.stringify({ ...manifest, capabilities: [{ name: 'http.fetch', origins: ['https://metadata.google.internal'], methods: ['GET'], reason: 'To look around.' }] }));
    const ran = await runCommand(['test', path, '--json']);
    expect({ code: ran.code, scan: Object(ran.json()).checks[3] }).toMatchObject({ code: 3, scan: { name: 'scan', ok: false } });
  });
});
