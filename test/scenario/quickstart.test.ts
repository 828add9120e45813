// docs/quickstart.md, from top to bottom, as a newcomer follows it: a fresh checkout, the real commands, a real host, and what they print.
import { chmod, cp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChat, type Chat } from '../support/chat.ts';
import { copyOfCheckout } from '../support/checkout.ts';
import { tempDir, type TempDir } from '../support/temp.ts';
import { blocksOf, openReader, rewrite, type Reader } from '../support/walkthrough.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/quickstart.md');
const blocks = blocksOf(await readFile(PAGE, 'utf8'));

let checkout: TempDir;
let home: TempDir;
let reader: Reader;
let chat: Chat | undefined;
const shown: string[] = [];

beforeAll(async () => {
  checkout = await copyOfCheckout();
  home = await tempDir();
  await chmod(checkout.path, 0o755); // a folder that others may enter: where root runs this, sandboxes are users of their own
  // The commands of this checkout, not of the one it is a copy of.
  await rm(join(checkout.path, 'node_modules/.bin'));
  await cp(join(ROOT, 'node_modules/.bin'), join(checkout.path, 'node_modules/.bin'), { recursive: true, verbatimSymlinks: true });
  await cp(join(ROOT, 'manifests'), join(checkout.path, 'manifests'), { recursive: true });
  reader = openReader({
    cwd: checkout.path,
    home: home.path,
    // 4280 may be taken where this runs.
    env: { PATH: process.env['PATH'] ?? '', GATEHOUSE_LISTEN: '127.0.0.1:0', NO_COLOR: '1' },
    called: new Map([[checkout.path, '/home/ada/gatehouse'], [home.path, '/home/ada']]),
    async ask(address, text, isAnswered) {
      chat ??= await openChat(address);
      if (isAnswered) return `${await chat.ask(text)}\n`;
      await chat.ack(text);
      return '';
    },
  });
});

afterAll(async () => {
  await chat?.[Symbol.asyncDispose]();
  await reader[Symbol.asyncDispose]();
  if (process.env['GATEHOUSE_REWRITE'] === '1') await rewrite(PAGE, shown);
  await checkout[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

describe('docs/quickstart.md', { shuffle: false, concurrent: false }, () => {
  it.each(blocks.map((block, index) => [index + 1, block.steps[0]?.does, block] as const))('block %d, %s, shows what a reader sees', async (number, _first, block) => {
    const { expected, actual, raw } = await reader.follow(block);
    shown[number - 1] = raw;
    expect(actual).toBe(expected);
  });
});
