// Every byte of the data directory, free pages and all, is searched for what was denied, masked or refused: it is nowhere, over kills too, while what was accepted is found by the same search.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Watch } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, WEBHOOK_SECRET } from '../support/first-party.ts';
import { webhookClient } from '../support/webhook.ts';
import { newCanary } from './messages.ts';
import { exportMessages, underFire, type StruckHost, type UnderFire } from './under-fire.ts';

/** Looks through the data directory and everything the host printed. */
function searched(fire: UnderFire, values: Readonly<Record<string, string>>): { readonly watch: Watch; readonly found: readonly string[] } {
  const watch = new Watch(values);
  watch.lookInto(join(fire.home.path, 'data'));
  watch.look('output all', fire.output());
  return { watch, found: [...new Set(watch.sightings.map(({ value }) => value))].toSorted() };
}

async function api(fire: UnderFire, { address }: StruckHost, path: string, body?: unknown): Promise<unknown> {
  const token = (await readFile(join(fire.home.path, 'data/admin-token'), 'utf8')).trim();
  const response = await fetch(`${address}/api/v1${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return await response.json();
}

describe('the data directory', () => {
  it('holds nothing of what was denied on the way in or out, or masked, however the host and its plugins ended', async () => {
    await using fire = await underFire({ hooks: 6, chats: 4, logLevel: 'debug' });
    for (const boundary of ['moderate', 'accept', 'screen', 'conclude'] as const) {
      const host = await fire.host();
      const struck = host.strike(boundary === 'screen' ? 'sandboxes killed' : 'host killed', boundary, 20);
      await fire.through(fire.traffic.send(16));
      await struck;
    }
    const host = await fire.host();
    await api(fire, host, '/messages', { channel: 'webhook', to: 'hook-0', text: `a trojan horse ${fire.canaries.denied}` });
    await api(fire, host, '/plugins/wordlist/quarantine', { reason: 'for its evidence' });
    await fire.kill();

    const { watch, found } = searched(fire, { ...fire.canaries });
    expect(watch.sightings.filter(({ value }) => value !== 'control')).toEqual([]);
    expect(found).toEqual(['control']);
    expect(watch.looked.get('file')).toBeGreaterThan(500_000);
    expect(watch.looked.get('output')).toBeGreaterThan(1000);
  });

  it('holds nothing of a message that was held, and denied once its gate was back; not while it was held either', async () => {
    await using fire = await underFire({ logLevel: 'debug' });
    await addFirstParty(fire.home, 'wordlist', { required: true, onQuarantine: 'hold', config: { rules: [{ match: 'phrase', text: 'trojan horse', effect: 'deny', reason: 'No.' }] } });
    let host = await fire.host();
    const values = { denied: newCanary('held'), control: newCanary('kept') };
    const post = async (id: string, text: string) => (await webhookClient(host.address, WEBHOOK_SECRET).post({ id, conversation: 'held', text })).status;

    await api(fire, host, '/plugins/wordlist/quarantine', { reason: 'a look at what it holds' });
    for (let n = 0; n < 40; n += 1) expect(await post(`${n}`, n % 2 === 0 ? `a trojan horse ${values.denied} ${n}` : `echo ${values.control} ${n}`)).toBe(202);
    expect(searched(fire, values).found).toEqual([]);

    // Held messages outlive a kill, and are judged by the gate that comes back.
    await fire.kill();
    host = await fire.host();
    await api(fire, host, '/plugins/wordlist/release', { reason: 'looked at' });
    const answered = await eventually(async () => {
      const rows = (await exportMessages(host.address, fire.home.path)).filter(({ direction }) => direction === 'outbound');
      expect(rows.length).toBe(20);
      return rows;
    }, 120_000);
    expect(answered.map(({ text }) => text).toSorted()).toEqual(Array.from({ length: 20 }, (_, n) => `${values.control} ${2 * n + 1}`).toSorted());
    for (let n = 0; n < 40; n += 2) expect(await eventually(() => post(`${n}`, 'whatever'))).toBe(403);
    expect(searched(fire, values).found).toEqual(['control']);
    await fire.kill();
    expect(searched(fire, values).found).toEqual(['control']);
  });
});
