// A backup that is written while messages flow from all sides, judged by the checker that judges kills: what was acknowledged before it began is in it, and what is in it is answered once, in order, by the host that is started from it.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { WEBHOOK_SECRET } from '../support/first-party.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { tempDir } from '../support/temp.ts';
import { webhookClient } from '../support/webhook.ts';
import type { Ack, Delivery } from './records.ts';
import { check, exportMessages, underFire } from './under-fire.ts';

const linesOf = async <Line>(file: string): Promise<Line[]> => (await readFile(file, 'utf8')).split('\n').filter(Boolean).map((line) => JSON.parse(line) as Line);

describe('a backup under load', () => {
  it('holds everything that was acknowledged before it, and goes on without losing or doubling any of it', async () => {
    await using fire = await underFire({ hooks: 4, posts: 0, chats: 0 });
    await using dir = await tempDir();
    const [backup, restored, judged] = ['backup', 'restored', 'judged'].map((name) => join(dir.path, name)) as [string, string, string];
    const acks = () => linesOf<Ack>(join(fire.home.path, 'acks.jsonl'));
    await fire.host();
    const stop = new AbortController();
    const flowing = fire.traffic.flow(stop.signal);
    await eventually(async () => expect((await acks()).length).toBeGreaterThan(40));
    const before = await acks();
    expect(await runCommand(['backup', 'create', '--out', backup, '--home', fire.home.path])).toMatchObject({ code: 0 });
    const during = (await acks()).length - before.length;
    stop.abort();
    await fire.through(flowing);
    await fire.kill();
    expect(during).toBeGreaterThan(5); // it was under load

    expect(await runCommand(['restore', backup, restored])).toMatchObject({ code: 0 });
    for (const name of (await readdir(fire.home.path)).filter((each) => each.endsWith('.secret'))) await cp(join(fire.home.path, name), join(restored, name));
    await using host = await startProcess(restored);
    const exported = await exportMessages(host.address, restored);
    const stored = new Set(exported.map(({ id }) => id));
    const lost = before.filter(({ messageId }) => messageId !== undefined && !stored.has(messageId));
    expect(lost).toEqual([]);

    // Of what came later, as much as there is of it is judged like the rest.
    const known = (await acks()).filter(({ messageId }) => messageId === undefined || stored.has(messageId));
    const client = webhookClient(host.address, WEBHOOK_SECRET);
    const deliveries: Delivery[] = [];
    for (const conversation of new Set(known.map((ack) => ack.conversation))) {
      for (let after = ''; ; ) {
        const { items, cursor } = await client.replies(conversation, after);
        deliveries.push(...items.map(({ id, inReplyTo, text }) => ({ channel: 'webhook', conversation, id, inReplyTo, text, via: 'page' as const })));
        if (items.length === 0 || cursor === null) break;
        after = cursor;
      }
    }
    await mkdir(judged);
    for (const [name, lines] of Object.entries({ acks: known, deliveries, export: exported })) await writeFile(join(judged, `${name}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { faults, counts } = await check(judged);
    expect(faults).toEqual([]);
    expect(counts.acknowledged).toBeGreaterThanOrEqual(before.length);
    expect(counts.replies).toBeGreaterThan(20);
  });
});
