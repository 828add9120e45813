// The receiver that the webhook's README shows, as it stands there: run by Node, given replies by a real host, and by somebody who has no secret.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { tempDir } from '../support/temp.ts';
import { signatureOf, webhookClient } from '../support/webhook.ts';

const README = resolve(import.meta.dirname, '../../plugins/webhook/README.md');

/** Runs the example on a free port. */
async function startExample() {
  const dir = await tempDir();
  const [, source = ''] = /```js example=receiver\n([\s\S]*?)```/.exec(await readFile(README, 'utf8')) ?? [];
  await writeFile(join(dir.path, 'receiver.mjs'), source);
  const child = spawn(process.execPath, ['receiver.mjs'], { cwd: dir.path, stdio: ['ignore', 'pipe', 'inherit'], env: { WEBHOOK_SECRET, PORT: '0' } });
  const ended = new Promise((done) => child.on('exit', done));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const port = await eventually(() => {
    expect(lines[0]).toMatch(/^listening on \d+$/);
    return Number(lines[0]?.split(' ').at(-1));
  });
  return {
    port,
    taken: () => lines.slice(1).map((line) => JSON.parse(line) as unknown),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await dir[Symbol.asyncDispose]();
    },
  };
}

describe('the receiver of the webhook’s README', () => {
  it('has the 20 lines it is said to have', async () => {
    const [, source = ''] = /```js example=receiver\n([\s\S]*?)```/.exec(await readFile(README, 'utf8')) ?? [];
    expect(source.trim().split('\n').filter((line) => line !== '' && !line.startsWith('//')).length).toBeLessThanOrEqual(20);
  });

  it('takes each reply once, in order, and nothing that is not signed', async () => {
    await using example = await startExample();
    const replyUrl = `http://127.0.0.1:${example.port}/`;
    await using home = await aHome([], { egress: { allow: [{ host: '127.0.0.1', scheme: 'http', port: example.port }] } });
    await addWebhook(home, { config: { replyUrl } });
    await addFirstParty(home, 'echo');
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    for (const text of ['one', 'two']) await client.post({ id: text, conversation: 'c', text: `echo ${text}` });
    const both = [{ conversation: 'c', inReplyTo: 'one', text: 'one' }, { conversation: 'c', inReplyTo: 'two', text: 'two' }];
    await eventually(() => expect(example.taken()).toEqual(both));

    const post = async (body: string, signature: string) => (await fetch(replyUrl, { method: 'POST', body, headers: { 'x-gatehouse-signature': signature } })).status;
    const [reply] = (await client.replies('c')).items;
    const again = JSON.stringify({ id: reply?.id, inReplyTo: 'one', conversation: 'c', text: 'one' });
    expect(await post(again, signatureOf(WEBHOOK_SECRET, again))).toBe(204);
    const forged = JSON.stringify({ id: 'x', inReplyTo: null, conversation: 'c', text: 'forged' });
    for (const signature of ['', 'sha256=', `sha256=${'0'.repeat(64)}`, signatureOf('another secret', forged), signatureOf(WEBHOOK_SECRET, `${forged} `)]) expect(await post(forged, signature)).toBe(401);
    expect(example.taken()).toEqual(both);
  });
});
