// A plugin that runs and becomes known to be harmful, in a running host beside an innocent one.
import { systemClock } from '../../host/clock.ts';
import { EventFeed } from '../../host/control/events/event-feed.ts';
import { compileSchema } from '../../host/schema.ts';
import { EVENTS } from '../../schemas/event.ts';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { ScanView } from '../../schemas/scan.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

const answering = (name: string): TestPlugin => ({
  name, kind: 'skill', manifest: { skill: { triggers: { prefixes: [`${name} `] } } },
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: '${name} heard ' + message.text }] }) } });`,
});

const hostJson = (home: TestHome, trust: unknown) => home.write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, trust });

describe('attack g233 known-bad', () => {
  it('what runs is quarantined with its findings within a look, its neighbour answers on, and nobody can approve it', async () => {
    await using home = await aHome([answering('suspect'), answering('neighbour')]);
    await addWebhook(home);
    await using it = await startGatehouse(home);
    const feed = new EventFeed(systemClock, 0);
    const client = webhookClient(it.address, WEBHOOK_SECRET);
    const ask = async (id: string, text: string) => {
      await client.post({ id, conversation: `c-${id}`, text });
      let answer = '';
      await eventually(async () => {
        answer = (await client.replies(`c-${id}`)).items.map(({ text: each }) => each).join();
        expect(answer).not.toBe('');
      });
      return answer;
    };
    expect(await ask('1', 'suspect hello')).toBe('suspect heard suspect hello');
    const { digest } = it.host.plugins.show('suspect');

    await hostJson(home, { scan: { knownBad: [digest] } });
    await eventually(() => expect(it.host.plugins.show('suspect')).toMatchObject({ state: 'quarantined', code: 'SCAN_BLOCKED', message: expect.stringContaining('known to be harmful') }));
    expect(await ask('2', 'neighbour hello')).toBe('neighbour heard neighbour hello');
    const { trigger, evidence } = (await it.api('/quarantine/suspect')).json<{ trigger: string; evidence: { file: string } }>();
    expect(trigger).toBe('scan');
    expect(JSON.parse(await readFile(evidence.file, 'utf8'))).toMatchObject({ code: 'SCAN_BLOCKED', history: expect.arrayContaining([expect.objectContaining({ event: 'scan.blocked', findings: [expect.objectContaining({ rule: 'known-bad', outcome: 'block', risk: 'critical' }), expect.anything(), expect.anything()] })]) });
    const { events } = feed.next(feed.cursorAt(''), { instance: 'suspect', types: new Set(['scan.blocked']) });
    feed.close();
    expect(events).toMatchObject([{ type: 'scan.blocked', data: { instance: 'suspect', packageDigest: digest } }]);
    expect(compileSchema(EVENTS['scan.blocked']).explain(events[0]?.data)).toBeUndefined();
    expect((await it.api(`/scans?digest=${digest}`)).json<{ items: ScanView[] }>().items).toMatchObject([{ outcome: 'block' }, { outcome: 'pass' }]);

    // A reviewer's release does not help while it is on the list.
    expect((await it.api('/plugins/suspect/release', { method: 'POST', body: { reason: 'looks fine to me' } })).status).toBe(200);
    expect(it.host.plugins.show('suspect')).toMatchObject({ state: 'rejected', code: 'SCAN_BLOCKED' });
    await hostJson(home, {});
    await eventually(() => expect(it.host.plugins.show('suspect').state).toBe('active'));
    expect(await ask('3', 'suspect hello')).toBe('suspect heard suspect hello');
  });
});
