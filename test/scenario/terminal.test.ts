// The command line in a real terminal: `script` of util-linux gives each command a pseudo-terminal of its own.
import { spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHome, type TestHome } from '../support/home.ts';
import { LAUNCHER, startProcess, type HostProcess } from '../support/process.ts';
import { SKILL } from '../support/registry.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;
const ESCAPE = String.fromCharCode(27);
const COLOURS = new RegExp(`${ESCAPE}\\[\\d+m`, 'g');

let home: TestHome;
let host: HostProcess;
beforeAll(async () => {
  home = await aHome([{ name: 'greeter', kind: 'skill', source: SKILL }]);
  host = await startProcess(home.path);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

interface OnTerminal {
  readonly columns?: number;
  readonly env?: Record<string, string>;
  /** Typed once this has been printed. */
  readonly type?: { readonly after: string; readonly keys: string };
}

/** Everything the terminal showed, and the exit code. */
async function onTerminal(command: string, { columns = 80, env = {}, type }: OnTerminal = {}): Promise<{ readonly code: number | null; readonly shown: string }> {
  const line = `stty cols ${columns} rows 24; ${command.replaceAll('gatehouse', `"${process.execPath}" "${LAUNCHER}"`)}`;
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], cwd: home.path, env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', SHELL: '/bin/bash', ...env } });
  let shown = '';
  let isTyped = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (type === undefined || isTyped || !shown.includes(type.after)) return;
    isTyped = true;
    child.stdin.write(type.keys);
  });
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, shown: shown.replaceAll('\r\n', '\n') };
}

describe.skipIf(!hasScript)(`in a terminal${hasScript ? '' : ' (not run: util-linux)'}`, () => {
  it('colours what people read, and not for NO_COLOR, nor for scripts', async () => {
    expect((await onTerminal('gatehouse plugins list')).shown).toContain(`${ESCAPE}[`);
    expect((await onTerminal('gatehouse plugins list', { env: { NO_COLOR: '1' } })).shown).not.toContain(ESCAPE);
    const { shown } = await onTerminal('gatehouse plugins list --json');
    expect(shown).not.toContain(ESCAPE);
    expect(JSON.parse(shown)).toMatchObject({ items: [{ instance: 'greeter' }] });
  });

  it.each([80, 40])('breaks what it says into lines that fit %d columns', async (columns) => {
    const { code, shown } = await onTerminal('gatehouse help', { columns, env: { NO_COLOR: '1' } });
    expect(code).toBe(0);
    expect(shown.split('\n').filter((line) => line.length > columns && line.trim().includes(' ') && !line.startsWith('  gatehouse '))).toEqual([]);
  });

  it.each([80, 40])('cuts tables to lines that fit %d columns, and no id before everything else', async (columns) => {
    const made = await onTerminal(`gatehouse tokens create --label "${'for the people of the night shift '.repeat(2)}" --scope status:read --scope messages:read --json`);
    const { id }: { id: string } = JSON.parse(made.shown);
    for (const list of ['audit list', 'plugins list', 'packages list', 'config history']) {
      const { code, shown } = await onTerminal(`gatehouse ${list}`, { columns });
      const lines = shown.replace(COLOURS, '').trimEnd().split('\n');
      expect({ list, code, tooLong: lines.filter((line) => line.length > columns) }).toEqual({ list, code: 0, tooLong: [] });
    }
    const tokens = (await onTerminal('gatehouse tokens list', { columns, env: { NO_COLOR: '1' } })).shown.trimEnd().split('\n');
    expect(tokens).toEqual(expect.arrayContaining([expect.stringMatching(new RegExp(`^${id}.*…`)), 'Cut to fit: --json shows all.']));
    const { shown } = await onTerminal('gatehouse tokens list 2>&1 | cat', { columns });
    expect(shown).toContain('night shift for the people of the night shift');
    expect(shown).not.toMatch(/…|Cut to fit/);
  });

  it('asks before it acts, does nothing for no, and acts for yes', async () => {
    const command = 'gatehouse plugins quarantine greeter --reason "a look"';
    const no = await onTerminal(command, { type: { after: '[y/N]', keys: 'n\r' } });
    expect(no).toMatchObject({ code: expect.not.toBeOneOf([0]), shown: expect.stringContaining("Quarantine 'greeter'? [y/N]") });
    expect((await onTerminal('gatehouse plugins show greeter --json')).shown).toContain('"state":"active"');
    const yes = await onTerminal(command, { type: { after: '[y/N]', keys: 'y\r' } });
    expect(yes).toMatchObject({ code: 0, shown: expect.stringContaining('greeter is quarantined') });
  });

  const LONG_WORK = ['backup create --out kept', 'backup check kept', 'restore kept elsewhere', 'audit verify', 'audit export --out audit.jsonl', 'audit verify audit.jsonl', 'export --out all.ndjson', 'import all.ndjson --home elsewhere'];
  const PROGRESS = /(?:Writing|Copying and checking|Checking|Checking and restoring|Verifying|Exporting|Taking in): [\d.]+ (?:bytes|kB|MB)/;

  it('says how far long work has come in one line, and takes it back', async () => {
    for (const work of LONG_WORK) {
      const { code, shown } = await onTerminal(`gatehouse ${work}`, { columns: 40 });
      expect({ work, code, shown }).toEqual({ work, code: 0, shown: expect.stringMatching(PROGRESS) });
      const left = shown.replace(COLOURS, '').split('\n').map((line) => line.split(`\r${ESCAPE}[K`).at(-1) ?? '');
      const lines = shown.split('\n').flatMap((each) => each.split(`\r${ESCAPE}[K`)).filter((each) => PROGRESS.test(each));
      expect({ work, left: left.filter((line) => PROGRESS.test(line) || line.includes(ESCAPE)), tooLong: lines.filter((line) => line.length >= 40) }).toEqual({ work, left: [], tooLong: [] });
    }
  });

  it.each([['NO_COLOR', 'a', { NO_COLOR: '1' }, ''], ['a dumb terminal', 'b', { TERM: 'dumb' }, ''], ['--json', 'c', {}, ' --json'], ['a pipe', 'd', {}, ' 2>&1 | cat']])('says nothing of that for %s', async (_who, name, env, ending) => {
    const { code, shown } = await onTerminal(`gatehouse backup create --out quiet-${name}${ending}`, { env });
    expect({ code, shown }).toEqual({ code: 0, shown: expect.not.stringMatching(PROGRESS) });
  });

  it('leaves off following events at Ctrl-C, with 130 and without a complaint', async () => {
    const { code, shown } = await onTerminal('gatehouse events --follow --after ""', { type: { after: 'plugin.state', keys: '\u0003' } });
    expect(code).toBe(130);
    expect(shown).not.toMatch(/Error|at .*\.ts:/);
  });

  it('does not mind a reader that has seen enough', async () => {
    const { code, shown } = await onTerminal('set -o pipefail; gatehouse help | head -1');
    expect({ code, lines: shown.trim().split('\n').length }).toEqual({ code: 0, lines: 1 });
  });
});
