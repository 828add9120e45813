// A host is killed after it stored a message of an operator and before it answered; whoever sends it again with the same key sends nothing twice.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MessageView } from '../../schemas/control.ts';
import { eventually } from '../support/eventually.ts';
import { aHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';

/** Takes nothing, so that what is sent stays pending. */
const DOOR = `gatehouse.register({ kind: 'channel', handlers: { receive: async () => ({ messages: [] }), send: async () => { throw new Error('away'); } } });`;

describe('a message sent with a key', () => {
  it('is stored once over a kill -9 between the commit and the answer', async () => {
    await using home = await aHome([{ name: 'door', kind: 'channel', source: DOOR, manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'none' } }] } } }]);
    const token = async () => (await readFile(join(home.path, 'data', 'admin-token'), 'utf8')).trim();
    const call = async (address: string, path: string, init: { readonly method?: string; readonly body?: string; readonly headers?: Record<string, string> } = {}) => fetch(`${address}/api/v1${path}`, { ...init, headers: { authorization: `Bearer ${await token()}`, 'content-type': 'application/json', ...init.headers } });
    const send = (address: string) => call(address, '/messages', { method: 'POST', headers: { 'idempotency-key': 'order-17' }, body: JSON.stringify({ channel: 'door', to: 'ada', text: 'your order is on its way' }) });
    const outbound = async (address: string) => ((await (await call(address, '/messages?direction=outbound')).json()) as { items: MessageView[] }).items;

    let stored: string | undefined;
    {
      await using host = await startProcess(home.path);
      const answer = send(host.address).then(() => 'answered', () => 'cut off');
      await eventually(async () => {
        stored = (await outbound(host.address))[0]?.id;
        expect(stored).toBeDefined();
      });
      host.child.kill('SIGKILL');
      await host.exited;
      expect(await answer).toBe('cut off');
    }
    await using host = await startProcess(home.path);
    const again = await send(host.address);
    expect(again.status).toBe(200);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await again.json()).toMatchObject({ messageId: stored });
    expect(await outbound(host.address)).toHaveLength(1);
    const other = await call(host.address, '/messages', { method: 'POST', headers: { 'idempotency-key': 'order-17' }, body: JSON.stringify({ channel: 'door', to: 'ada', text: 'something else' }) });
    expect({ status: other.status, ...(await other.json() as object) }).toMatchObject({ status: 409, code: 'IDEMPOTENCY_REUSED' });
    host.child.kill('SIGKILL'); // nothing is left to drain for
  });
});
