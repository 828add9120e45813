// A client that a generator not of ours makes of /openapi.json: its types hold under a strict compiler, and it works against a running host.
import { execFile } from 'node:child_process';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { generateApi } from 'swagger-typescript-api';
import { describe, expect, it } from 'vitest';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { tempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');

/** What somebody writes who has nothing but the generated file. A wrong name or type in it does not compile. */
const PROGRAM = `
import { Api, type MessageDetail, type PluginView, type Problem } from './gatehouse-client.ts';

const [baseUrl = '', token = '', messageId = ''] = process.argv.slice(2);
const clientOf = (token: string) => new Api({ baseUrl, baseApiParams: { format: 'json', headers: { authorization: 'Bearer ' + token } } }).api;
const api = clientOf(token);

const plugins: PluginView[] = (await api.listPlugins()).data.items;
const { data: sent } = await api.sendMessage({ channel: 'webhook', to: 'c', text: 'written by a client' });
const { data: walk }: { data: MessageDetail } = await api.getMessage(messageId);
const { data: made } = await api.createToken({ label: 'a client of its own', scopes: ['status:read'] });
const own = clientOf(made.token);
const { data: status } = await own.getStatus();
const refusal = await own.listPlugins().then(() => undefined, (response: { error: Problem }) => response.error);
await api.revokeToken(made.id);
const over = await own.getStatus().then(() => undefined, (response: { error: Problem }) => response.error);
const missing = await api.getPlugin('nobody').then(() => undefined, (response: { error: Problem }) => response.error);
const page = (await api.listMessages({ direction: 'inbound', limit: 1 })).data;

console.log(JSON.stringify({
  plugins: plugins.map(({ instance, state }) => [instance, state]), outcome: sent.outcome, stages: walk.stages?.map(({ stage }) => stage), replies: walk.replies?.map(({ text }) => text),
  ready: status.ready, refused: refusal?.code, over: over?.code, missing: [missing?.code, missing?.status], page: page.items.map(({ id }) => id === messageId),
}));
`;

describe('a client generated from /openapi.json', () => {
  it('compiles strictly, lists, sends, reads a walk, makes and revokes a token, and meets refusals as typed problems', async () => {
    await using home = await aHome([{ name: 'parrot', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: message.text }] }) } });`, manifest: { skill: {} } }]);
    await addWebhook(home);
    await using gatehouse = await startGatehouse(home);
    await using folder = await tempDir('gatehouse-client-');
    const { files } = await generateApi({ spec: (await gatehouse.fetch('/openapi.json')).json(), output: false, httpClientType: 'fetch', generateUnionEnums: true, fileName: 'gatehouse-client.ts', silent: true });
    await writeFile(join(folder.path, 'gatehouse-client.ts'), files[0]?.fileContent ?? '');
    await writeFile(join(folder.path, 'program.ts'), PROGRAM);
    await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }');
    await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'));

    const compile = () => run(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024,dom', '--types', 'node', '--allowImportingTsExtensions', '--skipLibCheck', 'program.ts'], { cwd: folder.path }).catch((error: { readonly stdout: string }) => error);
    expect((await compile()).stdout).toBe('');
    await writeFile(join(folder.path, 'program.ts'), PROGRAM.replace('({ instance, state })', '({ instance, mood })'));
    expect((await compile()).stdout).toMatch(/'mood' does not exist/);
    await writeFile(join(folder.path, 'program.ts'), PROGRAM);

    const { body: { messageId } } = await webhookClient(gatehouse.address, WEBHOOK_SECRET).post({ id: '1', conversation: 'c', text: 'hello' });
    await expect.poll(async () => (await gatehouse.api(`/messages/${String(messageId)}`)).json()['outcome'], { timeout: 120_000 }).toBe('answered');
    const token = (await readFile(join(gatehouse.host.config.dataDir, 'admin-token'), 'utf8')).trim();
    const { stdout } = await run(process.execPath, ['program.ts', gatehouse.address, token, String(messageId)], { cwd: folder.path });
    expect(JSON.parse(stdout)).toEqual({
      plugins: [['parrot', 'active'], ['webhook', 'active']], outcome: 'delivered', stages: expect.arrayContaining(['respond']), replies: ['hello'],
      ready: true, refused: 'FORBIDDEN', over: 'UNAUTHENTICATED', missing: ['PLUGIN_NOT_FOUND', 404], page: [true],
    });
  });
});
