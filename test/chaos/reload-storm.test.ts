// Files of a running home rewritten ten times a second, enablements and packages: whole, half-written, wrong, gone and back. Messages flow through it, and in the end the last valid state counts. `GATEHOUSE_RELOAD_STORM_MS=60000` for the long run.
import { readdirSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { startTraffic } from '../support/traffic.ts';
import { webhookClient } from '../support/webhook.ts';

const STORM_MS = Number(process.env['GATEHOUSE_RELOAD_STORM_MS'] ?? 15_000);
const EVERY_MS = 100;

const config = { type: 'object', properties: { mark: { type: 'integer' } }, additionalProperties: false };
const skill = (source: string): Omit<TestPlugin, 'name'> => ({ kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { ${source} } });`, manifest: { config }, enablement: { config: { mark: 0 } } });

describe('a storm of files', () => {
  it('loses no message and settles on the last valid state', { timeout: STORM_MS * 2 + 120_000 }, async () => {
    await using home = await aHome([]);
    await addWebhook(home);
    await home.add({ name: 'answering', ...skill("respond: async ({ message }, ctx) => ({ replies: [{ text: ctx.config.mark + ' ' + message.text }] })") });
    await home.add({ name: 'standby', ...skill('respond: async () => null') });
    await using gatehouse = await startGatehouse(home);
    const { host } = gatehouse;
    await eventually(async () => expect((await host.status()).reload.watching).toBe(true));

    const fileOf = (name: string) => join(home.path, `manifests/plugins/${name}.json`);
    const valid = Object.fromEntries(await Promise.all(['answering', 'standby'].map(async (name) => [name, JSON.parse(await readFile(fileOf(name), 'utf8'))] as const)));
    const marked = (name: string, mark: number) => JSON.stringify({ ...valid[name], config: { mark } }, null, 2);
    const script = join(home.path, 'plugins/test.standby-1.0.0/plugin.js');
    const code = await readFile(script);
    /** What somebody, or some tool, may do to the files of a home. */
    const deeds: ((mark: number) => Promise<void>)[] = [
      (mark) => writeFile(fileOf('answering'), marked('answering', mark)),
      (mark) => writeFile(`${fileOf('answering')}.new`, marked('answering', mark)).then(() => rename(`${fileOf('answering')}.new`, fileOf('answering'))),
      (mark) => writeFile(fileOf('answering'), marked('answering', mark).slice(0, 40)),
      (mark) => writeFile(fileOf('answering'), marked('answering', mark).replace('"config"', '"confg"')),
      (mark) => writeFile(fileOf('standby'), marked('standby', mark)),
      () => rm(fileOf('standby'), { force: true }),
      () => writeFile(fileOf('standby'), 'not JSON'),
      (mark) => writeFile(fileOf('standby'), marked('standby', mark)),
      () => writeFile(script, code.subarray(0, 40)),
      () => writeFile(script, code),
    ];

    const looks = { made: 0, refused: 0 };
    const ended = subscribe('reload.judged', ({ refused }) => {
      looks.made += 1;
      if (refused.length > 0) looks.refused += 1;
    });
    const traffic = startTraffic(gatehouse.address);
    await traffic.goesOn();
    const before = { openFiles: openFiles(), heapMb: heapMb() };

    const until = performance.now() + STORM_MS;
    let rewrites = 0;
    while (performance.now() < until) {
      await deeds[rewrites % deeds.length]?.(rewrites);
      rewrites += 1;
      await sleep(EVERY_MS);
    }
    await writeFile(script, code);
    await writeFile(fileOf('answering'), 'left like this');
    await eventually(() => expect(host.plugins.show('answering')).toMatchObject({ state: 'impaired', code: 'JSON_INVALID' }));
    await writeFile(fileOf('answering'), marked('answering', 1_000_001));
    await writeFile(fileOf('standby'), marked('standby', 1_000_002));
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    let probes = 0;
    await eventually(async () => {
      const id = `probe-${probes++}`;
      await client.post({ id, conversation: id, sender: 'probe', text: 'echo' });
      await eventually(async () => expect((await client.replies(id)).items.map(({ text }) => text)).toEqual(['1000001 echo']), 500);
    }, 120_000);
    await eventually(() => {
      for (const instance of ['answering', 'standby']) expect(host.plugins.show(instance)).toMatchObject({ state: 'active', strikes: 0 });
    }, 120_000);
    expect((await host.status()).reload.last?.refused).toEqual([]);
    await traffic.goesOn();
    const accepted = traffic.accepted();
    const lanes = await traffic.finish();
    ended();

    expect(traffic.refusals).toEqual([]);
    for (const lane of lanes) expect(lane.at(-1)?.text).toMatch(/^1000001 /);
    expect(looks.made).toBeGreaterThan(STORM_MS / 3000);
    const after = { openFiles: openFiles(), heapMb: heapMb() };
    expect(after.openFiles - before.openFiles).toBeLessThan(40);
    expect(after.heapMb - before.heapMb).toBeLessThan(32);
    console.error(`reload storm: ${JSON.stringify({ stormMs: STORM_MS, rewrites, looks, accepted, before, after })}`);
  });
});

/** What is still in use once everything else has been collected. */
function heapMb(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20);
}

const openFiles = () => readdirSync('/proc/self/fd').length;
