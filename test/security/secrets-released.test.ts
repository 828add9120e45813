// What a quarantine takes back: no live object of the host's memory holds the value of a secret any more once nobody may use it, while a neighbour's is still there. Read from heap snapshots of a host in a process of its own.
import { open, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { startReceiver } from '../support/receiver.ts';
import { tempDir } from '../support/temp.ts';

const CANARIES = { suspect: 'canary-5e1f-of-the-suspect', neighbour: 'canary-77aa-of-the-neighbour' } as const;

const user = (name: keyof typeof CANARIES, url: string): TestPlugin => ({
  name,
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async (_, ctx) => { await ctx.http.fetch(ctx.config.url + '/${name}', { secrets: ['key'] }); return { replies: [{ text: 'done' }] }; } } });`,
  manifest: {
    skill: { triggers: { prefixes: [name] } },
    capabilities: [{ name: 'http.fetch', origins: [{ config: '/url' }], methods: ['GET'] }, { name: 'secret.use', handle: 'key', audience: { config: '/url' }, inject: { header: 'x-key' } }],
    config: { type: 'object', additionalProperties: false, properties: { url: { type: 'string' } } },
  },
  enablement: { config: { url }, secrets: { key: { file: `secret-of-${name}` } } },
});

const DOOR: TestPlugin = {
  name: 'door',
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { receive: async ({ body }) => ({ messages: [JSON.parse(body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
};

/** Which canaries live objects of the host hold; the engine collects garbage before it tells. */
async function heldBy(host: HostProcess, dir: string): Promise<string[]> {
  const before = new Set(await readdir(dir));
  process.kill(host.pid, 'SIGUSR2');
  const file = await eventually(async () => {
    const name = (await readdir(dir)).find((each) => each.endsWith('.heapsnapshot') && !before.has(each));
    if (name === undefined) throw new Error('it has not begun');
    await using snapshot = await open(join(dir, name));
    const { size } = await snapshot.stat();
    const { buffer } = await snapshot.read({ buffer: Buffer.alloc(8), position: Math.max(0, size - 8) });
    expect(buffer.toString()).toMatch(/\]\s*\}\s*$/); // whole
    return join(dir, name);
  }, 120_000);
  const bytes = await readFile(file);
  return Object.entries(CANARIES).filter(([, canary]) => bytes.includes(canary)).map(([instance]) => instance);
}

it('attack g198 secrets-after-quarantine: a plugin that is stopped leaves no value of its secrets in the host', async () => {
  await using dir = await tempDir();
  await using receiver = await startReceiver(() => ({ status: 200, body: 'ok' }));
  await using home = await aHome([DOOR], { egress: { allow: [receiver.exception] } });
  for (const [name, canary] of Object.entries(CANARIES)) {
    await home.write(`secret-of-${name}`, canary);
    await home.add(user(name as keyof typeof CANARIES, receiver.origin));
  }
  await using host = await startProcess(home.path, [], undefined, { nodeArgs: ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${dir.path}`] });
  for (const name of Object.keys(CANARIES)) {
    await fetch(`${host.address}/channels/door/in`, { method: 'POST', body: JSON.stringify({ id: name, conversation: name, sender: { id: 's' }, text: name }) });
  }
  await eventually(() => expect(receiver.received.map(({ headers }) => headers['x-key']).toSorted()).toEqual(Object.values(CANARIES).toSorted()));
  expect(await heldBy(host, dir.path)).toEqual(['suspect', 'neighbour']);

  const token = (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim();
  const asked = await fetch(`${host.address}/api/v1/plugins/suspect/quarantine`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ reason: 'caught' }) });
  expect(asked.status).toBe(200);
  expect(await heldBy(host, dir.path)).toEqual(['neighbour']);
});
