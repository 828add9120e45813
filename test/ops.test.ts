// docs/ops against the programs it speaks of: every `gatehouse …` in it is a command with those options, the unit passes systemd's own judgement, what the image copies exists and its health check tells a host from none.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startGatehouse } from './support/gatehouse.ts';
import { aHome } from './support/home.ts';
import { runCommand } from './support/run-command.ts';
import { tempDir } from './support/temp.ts';

const ROOT = resolve(import.meta.dirname, '..');
const pages = globSync('docs/ops/**/*.md', { cwd: ROOT }).toSorted();
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('docs/ops', () => {
  it('has a runbook for each bad night that the index names', () => {
    const named = [...read('docs/ops/README.md').matchAll(/\]\((runbooks\/[a-z-]+\.md)\)/g)].map(([, path]) => `docs/ops/${path}`);
    expect([...new Set(named)].toSorted()).toEqual(pages.filter((page) => page.includes('/runbooks/')));
    for (const page of named) for (const heading of ['**You see**', '## First look', '## Afterwards']) expect([page, page.endsWith('lost-key.md') && heading === '**You see**' ? true : read(page).includes(heading)]).toEqual([page, true]);
  });

  it('tells in each runbook which alerts lead to it', () => {
    const alerts = [...read('docs/ops/alerts.yml').matchAll(/alert: (\w+)[\s\S]*?runbook: (docs\/ops\/runbooks\/[a-z-]+\.md)/g)].map(([, alert = '', page = '']) => ({ alert, page }));
    expect(alerts.length).toBeGreaterThan(20);
    expect(alerts.filter(({ alert, page }) => !read(page).includes(`\`${alert}\``))).toEqual([]);
    const named = pages.filter((page) => page.includes('/runbooks/')).flatMap((page) => [...read(page).matchAll(/`(Gatehouse[A-Z]\w+)`/g)].map(([, alert]) => alert));
    expect(named.filter((name) => !alerts.some(({ alert }) => alert === name))).toEqual([]);
  });

  it('names only commands that exist, with options they have', async () => {
    const help = new Map<string, Promise<string>>();
    const helpOf = (words: readonly string[]) => help.get(words.join(' ')) ?? help.set(words.join(' '), runCommand([...words, '--help']).then(({ stdout }) => stdout)).get(words.join(' '))!;
    const asked = pages.flatMap((page) => commandsIn(page).map((command) => ({ page, command })));
    expect(asked.length).toBeGreaterThan(60);
    const wrong: string[] = [];
    for (const { page, command } of asked) {
      const words = command.split(/\s+/).slice(1);
      const path: string[] = [];
      for (const word of words) {
        const known = subcommandsIn(await helpOf(path));
        if (known.length === 0) break;
        if (!known.includes(word)) {
          if (!word.startsWith('-')) wrong.push(`${page}: ${command} (no command '${[...path, word].join(' ')}')`);
          break;
        }
        path.push(word);
      }
      const text = await helpOf(path);
      for (const option of words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0] ?? '')) if (!new RegExp(`${option}(?![\\w-])`).test(text)) wrong.push(`${page}: ${command} (no option ${option})`);
    }
    expect(wrong).toEqual([]);
  });
});

const systemd = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('gatehouse.service', () => {
  const unit = read('docs/ops/gatehouse.service');

  it('leaves sandboxes the namespaces they are made of, and restarts what a restart can mend', () => {
    for (const space of ['user', 'net', 'ipc', 'pid', 'uts', 'cgroup', 'mnt']) expect(unit).toMatch(new RegExp(`^RestrictNamespaces=.*\\b${space}\\b`, 'm'));
    expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|PrivateUsers|PrivateNetwork)=/m);
    expect(unit).toMatch(/^RestartPreventExitStatus=2 3$/m);
  });

  it('passes systemd-analyze, with an exposure of 3.0 at most', async (context) => {
    if (!systemd) context.skip('not run: systemd');
    await using dir = await tempDir();
    const program = join(dir.path, 'gatehouse');
    await writeFile(program, '#!/bin/sh\n');
    await chmod(program, 0o755);
    const file = join(dir.path, 'gatehouse.service');
    // Whether the program stands in /opt is for whoever installs it.
    await writeFile(file, unit.replace('/opt/gatehouse/node_modules/.bin/gatehouse', program).replace(/^Documentation=.*$/m, ''));
    const verified = await promisify(execFile)('systemd-analyze', ['verify', '--man=no', file]);
    expect(verified.stderr.split('\n').filter((line) => line.includes('gatehouse'))).toEqual([]);
    const { stdout } = await promisify(execFile)('systemd-analyze', ['security', '--offline=yes', '--threshold=30', '--no-pager', file]); // rejects above it
    expect(stdout).toContain('Overall exposure level');
  });
});

describe('the image', () => {
  const lines = read('docs/ops/Dockerfile').split('\n');

  it('is built by steps that this repository has, on a Node that it runs on, for nobody in particular', async () => {
    const from = lines.filter((line) => line.startsWith('FROM ')).map((line) => Number(/node:(\d+)/.exec(line)?.[1]));
    expect(new Set(from)).toEqual(new Set([Number(/>=(\d+)/.exec(read('host/package.json'))?.[1])]));
    expect(lines.filter((line) => line.startsWith('USER ')).at(-1)).toMatch(/^USER [1-9]\d+:/);
    const run = lines.filter((line) => line.startsWith('RUN ')).join('\n');
    for (const [, name] of run.matchAll(/-w (\S+)/g)) expect(existsSync(join(ROOT, String(name), 'package.json'))).toBe(true);
    expect(existsSync(join(ROOT, 'package-lock.json'))).toBe(true); // `npm ci`
    // The launcher is what the image begins with, and its words are a command.
    expect(lines).toContain('ENTRYPOINT ["gatehouse"]');
    expect(Object.keys((JSON.parse(read('host/package.json')) as { bin: object }).bin)).toEqual(['gatehouse']);
  });

  it('is healthy while a host answers in it, and not when none does', async () => {
    const [, words = '[]'] = /^HEALTHCHECK .*? CMD (\[.*\])$/m.exec(read('docs/ops/Dockerfile')) ?? [];
    const [program = '', ...args] = JSON.parse(words) as string[];
    expect(program).toBe('node');
    const check = (address: string) => promisify(execFile)(process.execPath, args, { env: { HEALTH_PORT: new URL(address).port } }).then(() => 'healthy', () => 'not healthy');
    await using home = await aHome();
    await mkdir(join(home.path, 'plugins'), { recursive: true });
    let address = '';
    {
      await using host = await startGatehouse(home);
      address = host.address;
      expect(await check(address)).toBe('healthy');
    }
    expect(await check(address)).toBe('not healthy');
  });
});

/** Of code spans and of fenced blocks; `# …` and what a shell does with the output are not its words. */
function commandsIn(page: string): string[] {
  const text = read(page);
  const fences = [...text.matchAll(/^```(?:sh|console)\n([\s\S]*?)^```/gm)].flatMap(([, block]) => String(block).split('\n'));
  const spans = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`(gatehouse [^`]+)`/g)].map(([, span]) => String(span));
  const inFences = fences.flatMap((line) => /(?:^|\$ |sudo npx |exec gatehouse |-d .* gatehouse )(gatehouse .*)$/.exec(line.trim())?.[1] ?? []);
  return [...spans, ...inFences].map((command) => command.replace(/\s+#.*$/, '').replaceAll(/"[^"]*"/g, 'TEXT').trim());
}

function subcommandsIn(help: string): string[] {
  const section = /^Commands:\n((?: +.*\n?)+)/m.exec(help)?.[1] ?? '';
  return [...section.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => String(name));
}
