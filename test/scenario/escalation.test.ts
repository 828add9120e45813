// What becomes of the host when a plugin is lost for good while it runs: which losses it mends, which it lives with, which end it with exit 3. Also that docs/operate.md shows the same table.
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EvidenceView } from '../../schemas/quarantine.ts';
import { digestOf } from '../../host/quarantine/evidence.ts';
import { LOSSES } from '../../host/registry/crash-classes.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { gatehouse, startProcess, type HostProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { webhookClient, type WebhookClient } from '../support/webhook.ts';

/** A gate that passes everything, and spins at the word. */
function spinningGate(enablement: TestPlugin['enablement'] = {}): TestPlugin {
  return {
    name: 'gate',
    kind: 'moderation',
    source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }) => { if (message.text === 'spin') for (;;); return { effect: 'pass' }; } } });`,
    manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } },
    enablement,
  };
}

const SKILL: TestPlugin = {
  name: 'helper',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => { if (message.text === 'crash') for (;;); return null; } } });`,
  manifest: { skill: {} },
};

/** A message that costs a skill its sandbox is tried twice: it takes two of them for three strikes. */
const CRASHING = ['c1', 'c2'];

async function aHomeWith(...plugins: TestPlugin[]): Promise<TestHome> {
  const home = await aHome(plugins);
  await addWebhook(home);
  await addFirstParty(home, 'echo');
  return home;
}

/** Three strikes: each spin is one, and each is delivered again until the gate is gone. */
async function spinToDeath(client: WebhookClient, isOver: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 20 && !(await isOver()); n += 1) await client.post({ id: `spin-${n}`, conversation: `spin-${n}`, text: 'spin' }).catch(() => undefined); // the host may be gone by now
}

const stoppingLine = (host: HostProcess) => host.lines.find(({ event }) => event === 'stopping');
const wasQuarantined = (host: HostProcess, instance: string) => host.lines.some((line) => line['event'] === 'plugin' && line['instance'] === instance && line['state'] === 'quarantined');

describe('a required plugin', () => {
  it('lost by strikes ends the host with exit 3, its evidence kept; the next start is refused until it is released, which needs no running host', async () => {
    await using home = await aHomeWith({ ...SKILL, enablement: { required: true, order: 1 } });
    {
      await using host = await startProcess(home.path);
      const client = webhookClient(host.address, WEBHOOK_SECRET);
      for (const conversation of CRASHING) expect(await client.post({ id: '1', conversation, text: 'crash' })).toMatchObject({ status: 202 });
      expect(await host.exited).toEqual({ code: 3, signal: null });
      expect(wasQuarantined(host, 'helper')).toBe(true);
      expect(stoppingLine(host)).toMatchObject({ reason: expect.stringMatching(/^'helper' is lost: three strikes/) as string });
      expect(host.lines.at(-1)).toEqual({ event: 'stopped' });
      const [evidence] = await readdir(join(home.path, 'data/evidence'));
      expect(JSON.parse(await readFile(join(home.path, 'data/evidence', String(evidence)), 'utf8'))).toMatchObject({ instance: 'helper', actor: 'host', code: 'PLUGIN_QUARANTINED', grants: [], counters: { strikes: 3 }, history: expect.arrayContaining([expect.objectContaining({ event: 'plugin.strike', cause: 'cpu' })]) as unknown });
    }
    const refused = await gatehouse(['start', '--json', '--home', home.path, '--listen', '127.0.0.1:0']);
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining('PLUGIN_QUARANTINED')]);

    // What a reviewer finds, although no host can run.
    const look = (...args: string[]) => runCommand(['quarantine', ...args, '--home', home.path, '--json']);
    expect((await look('list')).json()).toMatchObject({ items: [{ instance: 'helper', trigger: 'budget', required: true, evidence: { state: 'intact' } }], cursor: null });
    expect((await look('show', 'helper')).json()).toMatchObject({ state: 'quarantined', moves: expect.arrayContaining([expect.objectContaining({ to: 'quarantined' })]) as unknown });
    const copy = join(home.path, 'copy.json');
    const { digest, file } = (await look('evidence', 'helper', '--out', copy)).json() as EvidenceView;
    expect([digestOf(await readFile(copy)), digestOf(await readFile(file))]).toEqual([digest, digest]);
    expect(await look('evidence', 'helper', '--out', copy)).toMatchObject({ stderr: expect.stringContaining(copy) as unknown, code: 2 });
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    expect((await runCommand(['quarantine', 'evidence', 'helper', '--home', home.path])).stdout).toContain('the last: ');
    await writeFile(file, (await readFile(file, 'utf8')).replace('three strikes', 'no strikes'));
    expect(await look('evidence', 'helper')).toMatchObject({ code: 3, stderr: expect.stringContaining('is not what was written') as unknown });
    expect((await look('list')).json()).toMatchObject({ items: [{ evidence: { state: 'changed', digest } }] });
    await rm(file);
    expect(await look('evidence', 'helper')).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no evidence') as unknown });
    expect(await look('show', 'nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('no instance') as unknown });

    expect(await runCommand(['plugins', 'release', 'nobody', '--reason', 'x', '--yes', '--home', home.path])).toMatchObject({ code: 1, stderr: expect.stringContaining("There is no instance 'nobody'") as string });
    const released = await runCommand(['plugins', 'release', 'helper', '--reason', 'mended', '--yes', '--json', '--home', home.path]);
    expect([released.code, released.json()]).toEqual([0, expect.objectContaining({ instance: 'helper', state: 'approved', strikes: 0 })]);
    await using again = await startProcess(home.path);
    expect(again.lines.find(({ event }) => event === 'ready')).toMatchObject({ plugins: { active: expect.arrayContaining(['helper']) as unknown, degraded: [] } });
  });

  it('that an operator quarantines or disables leaves the host running, not ready', async () => {
    await using home = await aHomeWith({ ...SKILL, enablement: { required: true } }, { ...SKILL, name: 'other', enablement: { required: true } });
    await using running = await startGatehouse(home);
    let lost: string | undefined;
    void running.host.lost.then((reason) => (lost = reason));
    await running.api('/plugins/helper/quarantine', { method: 'POST', body: { reason: 'looks odd' } });
    await running.api('/plugins/other/disable', { method: 'POST', body: { reason: 'not needed' } });
    expect((await running.fetch('/readyz')).status).toBe(503);
    expect(await webhookClient(running.address, WEBHOOK_SECRET).post({ id: '1', conversation: 'c', text: 'echo on' })).toMatchObject({ status: 202 });
    expect(lost).toBeUndefined();
  });
});

describe('an optional plugin', () => {
  it('lost by strikes leaves the host running and degraded', async () => {
    await using home = await aHomeWith({ ...SKILL, enablement: { order: 1 } });
    await using running = await startGatehouse(home);
    let lost: string | undefined;
    void running.host.lost.then((reason) => (lost = reason));
    const client = webhookClient(running.address, WEBHOOK_SECRET);
    for (const conversation of CRASHING) await client.post({ id: '1', conversation, text: 'crash' });
    await eventually(() => expect(running.host.plugins.show('helper')).toMatchObject({ state: 'quarantined', strikes: 3 }), 120_000);
    expect(running.host.readiness()).toMatchObject({ ready: true, degraded: [{ instance: 'helper', code: 'PLUGIN_QUARANTINED' }] });
    await client.post({ id: '2', conversation: 'd', text: 'echo still here' });
    await eventually(async () => expect((await client.replies('d')).items.map(({ text }) => text)).toEqual(['still here']));
    expect(lost).toBeUndefined();
  });
});

describe('a plugin that reaches for what it was not given', () => {
  const reaching: TestPlugin = {
    ...SKILL,
    name: 'reaching',
    source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { const [, times] = message.text.split(' '); for (let n = 0; n < Number(times); n += 1) await ctx.kv.get('k').catch(() => {}); return { replies: [{ text: 'asked ' + times }] }; } } });`,
    manifest: { skill: { triggers: { prefixes: ['reach'] } } },
    enablement: { order: 1 },
  };

  it('may look a few times, and is quarantined when it does not stop, with nothing it answered meanwhile', async () => {
    await using home = await aHomeWith(reaching);
    await using running = await startGatehouse(home);
    const client = webhookClient(running.address, WEBHOOK_SECRET);
    for (const n of [1, 2, 3]) await client.post({ id: `few-${n}`, conversation: 'few', text: 'reach 10' });
    await eventually(async () => expect((await client.replies('few')).items).toHaveLength(3));
    expect(running.host.plugins.show('reaching').state).toBe('active');

    await client.post({ id: 'many', conversation: 'many', text: 'reach 100' });
    await eventually(() => expect(running.host.plugins.show('reaching')).toMatchObject({ state: 'quarantined', message: expect.stringMatching(/^100 refusals within a minute/) as string, strikes: 0 }));
    await eventually(async () => expect((await running.host.messages.list({ conversation: 'many' })).items).toMatchObject([{ outcome: 'unanswered' }]));
    const [evidence] = await readdir(join(home.path, 'data/evidence'));
    expect(await readFile(join(home.path, 'data/evidence', String(evidence)), 'utf8')).toContain('CAPABILITY_DENIED');
  });
});

describe('a gate lost by strikes', () => {
  it('with nothing said, required or not, lets nothing pass; required, the host ends', async () => {
    await using home = await aHomeWith(spinningGate({ required: true }));
    await using host = await startProcess(home.path);
    await spinToDeath(webhookClient(host.address, WEBHOOK_SECRET), () => host.child.exitCode !== null);
    expect(await host.exited).toEqual({ code: 3, signal: null });
    expect(stoppingLine(host)).toMatchObject({ reason: expect.stringMatching(/^'gate' is lost/) as string });
  });

  it('with hold keeps messages, although it is required; the held ones outlive a restart and are answered after its release', async () => {
    await using home = await aHomeWith(spinningGate({ required: true, onQuarantine: 'hold' }));
    {
      await using running = await startGatehouse(home);
      const client = webhookClient(running.address, WEBHOOK_SECRET);
      await spinToDeath(client, () => running.host.plugins.show('gate').state === 'quarantined');
      expect(await client.post({ id: 'h1', conversation: 'c', text: 'echo one' })).toMatchObject({ status: 202, body: { status: 'held' } });
    }
    await using running = await startGatehouse(home);
    expect(running.host.diagnostics()).toMatchObject([{ code: 'PLUGIN_QUARANTINED', severity: 'degraded' }]);
    const client = webhookClient(running.address, WEBHOOK_SECRET);
    expect(await client.post({ id: 'h2', conversation: 'c', text: 'echo two' })).toMatchObject({ status: 202, body: { status: 'held' } });
    await running.api('/plugins/gate/release', { method: 'POST', body: { reason: 'was fine' } });
    await eventually(async () => expect((await client.replies('c')).items.map(({ text }) => text)).toEqual(['one', 'two']));
  });

  it('with bypass lets messages pass with a flag', async () => {
    await using home = await aHomeWith(spinningGate({ required: true, onQuarantine: 'bypass' }));
    await using running = await startGatehouse(home);
    const client = webhookClient(running.address, WEBHOOK_SECRET);
    await spinToDeath(client, () => running.host.plugins.show('gate').state === 'quarantined');
    const { status, body } = await client.post({ id: 'b1', conversation: 'c', text: 'echo through' });
    expect(status).toBe(202);
    await eventually(async () => expect((await client.replies('c')).items.map(({ text }) => text)).toEqual(['through']));
    expect(await running.host.messages.show(String(body['messageId']))).toMatchObject({ flags: ['bypassed:gate'] });
  });

  it('with exit ends the host at once, required or not', async () => {
    await using home = await aHomeWith(spinningGate({ onQuarantine: 'exit' }));
    await using host = await startProcess(home.path);
    await spinToDeath(webhookClient(host.address, WEBHOOK_SECRET), () => host.child.exitCode !== null || wasQuarantined(host, 'gate'));
    expect(await host.exited).toEqual({ code: 3, signal: null });
  });
});

describe('the table of crash classes', () => {
  it('is in docs/operate.md as the code has it', async () => {
    const page = await readFile(resolve(import.meta.dirname, '../../docs/operate.md'), 'utf8');
    const rows = Object.values(LOSSES).map(({ class: crashClass, what, follows }) => `| ${what} | ${crashClass} | ${follows} |`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
  });
});
