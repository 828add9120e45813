// The command line, whatever words it is given: an exit code that means something, and an answer that can be read.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEnvelope } from '../../host/trust/dsse.ts';
import { fuzzDoor } from '../support/fuzz.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { runCommand } from '../support/run-command.ts';
import { SKILL } from '../support/registry.ts';
import { AWKWARD_KEYS, AWKWARD_TEXTS, JSON_PIECES } from './arbitraries/json.ts';

const door = fuzzDoor('cli');
let home: TestHome;
beforeAll(async () => {
  home = await aHome();
  await home.add({ name: 'hello', kind: 'skill', source: SKILL });
  await home.write('work/a/b/c/broken.json', '{"a":1,');
  await home.write('work/a/b/c/record.json', { publisher: 'x', prefixes: ['x.'], keys: [] });
  await mkdir(join(home.path, 'work/a/b/c/folder'), { recursive: true });
  await writeFile(join(home.path, 'work/a/b/c/archive.tgz'), Buffer.from([0x1f, 0x8b, 8, 0]));
  await writeFile(join(home.path, 'work/a/b/c/envelope.json'), writeEnvelope({ payload: Buffer.from('{}'), keyid: `ed25519:${'0'.repeat(32)}`, signature: Buffer.alloc(64) }));
});
afterAll(() => home[Symbol.asyncDispose]());

/** Every command with its subcommands, but those that build what ships with Gatehouse into this checkout, or run for long. */
const COMMANDS = ['check', 'status', 'messages', 'messages list', 'messages show', 'plugins', 'plugins list', 'plugins show', 'plugins enable', 'plugins disable', 'plugins quarantine', 'plugins release', 'dead-letters', 'dead-letters list', 'dead-letters show', 'dead-letters replay', 'dead-letters drop', 'send', 'keys', 'keys show', 'keys generate', 'trust', 'trust add', 'trust list', 'verify', 'inspect', 'sign', 'pack', 'build', 'new', 'new skill', 'help', 'start', 'nonsense', 'plugin', ''];
/** Paths stay below the place where the commands run. */
const paths = fc.constantFrom('broken.json', 'record.json', 'folder', 'archive.tgz', 'envelope.json', 'missing', '.', 'folder/../folder', './folder//', 'a\u0000b', 'x'.repeat(300), '/dev/null', '/proc/self/mem', '../../../plugins/test.hello-1.0.0');
const words = fc.oneof({ weight: 3, arbitrary: paths }, { weight: 2, arbitrary: fc.constantFrom('hello', 'test.hello', 'skill', 'tool', 'acme.x', 'acme', '1', '-1', '0', '--', '-', '-x', '--x=y') }, { weight: 1, arbitrary: fc.constantFrom(...AWKWARD_KEYS, ...AWKWARD_TEXTS).filter((text) => !/[/\\]/.test(text)) }, { weight: 1, arbitrary: fc.constantFrom(...JSON_PIECES) });
const OPTIONS = ['--json', '--yes', '--help', '--version', '--reason', '--key', '--trust', '--out', '--publisher', '--instance', '--required', '--grants', '--config', '--secret', '--channel', '--to', '--text', '--limit', '--cursor', '--development', '--force', '--expires', '--id', '--nonsense', '--no-json', '--json=1', '--listen'];
const argv = fc.tuple(fc.constantFrom(...COMMANDS), fc.array(fc.oneof({ weight: 2, arbitrary: words.map((word) => [word]) }, { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...OPTIONS), words) }, { weight: 1, arbitrary: fc.constantFrom(...OPTIONS).map((option) => [option]) }), { maxLength: 4 }), fc.integer({ min: 0, max: 3 })).map(([command, rest, where]) => ({ args: [...command.split(' ').filter(Boolean), ...rest.flat()], atHome: where > 0 }));

describe('the command line, whatever it is told', () => {
  it('ends with a code that means something, in words and in JSON, and keeps to its place', async () => {
    const cwd = join(home.path, 'work/a/b/c');
    const outside = async () => (await readdir(home.path)).sort();
    const before = await outside();
    await door.holds({ runs: 250, given: argv }, async ({ args, atHome }) => {
      const { code, stdout, stderr } = await runCommand(atHome ? [...args.slice(0, 1), '--home', home.path, ...args.slice(1)] : args, { cwd });
      expect([0, 1, 2, 3, 4]).toContain(code);
      expect(code === 0 || stdout + stderr !== '').toBe(true);
      expect(stderr).not.toMatch(/\n {4}at |TypeError|RangeError|URIError|undefined|\[object/);
      expect(code === 1 ? stderr : '').not.toMatch(/unexpected error|defect in Gatehouse/);
      expect(stderr).not.toMatch(/(?![\n\t])\p{Cc}/u);
      const asked = args.includes('--json') && !args.includes('--help') && !args.includes('--version') && args[0] !== 'help' && stdout.trim() !== '';
      expect(() => (asked && /^[{[]/.test(stdout) ? JSON.parse(stdout) : undefined)).not.toThrow();
      expect(await outside()).toEqual(before);
    });
  });
});
