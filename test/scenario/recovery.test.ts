// A sandbox that somebody kills is back before anybody notices: messages in work wait or are tried again, what could not be taken is told to its source, and none is lost or answered twice.
import { describe, expect, it } from 'vitest';
import { watchComebacks } from '../support/comeback.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { paceNow } from '../support/pace.ts';
import { startProcess } from '../support/process.ts';
import { webhookClient } from '../support/webhook.ts';

/** What is promised; a test machine has work of its own, so that the best of some counts. */
const BACK_WITHIN_MS = 300;
const KILLS = 6;
const LANES = 8;

describe('a sandbox killed from outside', () => {
  it.each(['echo', 'webhook', 'wordlist'])('of %s is back at once, every time, without a strike, and every message is answered once', async (instance) => {
    using comebacks = watchComebacks();
    await using home = await aHome();
    await addWebhook(home, { admit: { senderPerSecond: 1_000_000 } });
    await addFirstParty(home, 'wordlist');
    await addFirstParty(home, 'echo');
    await using gatehouse = await startGatehouse(home);
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    const state = { over: false };
    const posting = Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        let sent = 0;
        for (; !state.over; sent += 1) {
          // A source sends again what was not taken; the host recognises what it took all the same.
          while (![200, 202].includes((await client.post({ id: `${lane}-${sent}`, conversation: `lane-${lane}`, text: `echo ${sent}` })).status));
        }
        return sent;
      }),
    );
    const took: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) took.push(await comebacks.kill(instance));
    state.over = true;
    for (const [lane, sent] of (await posting).entries()) {
      const expected = Array.from({ length: Math.min(sent, 100) }, (_, n) => String(n)); // the first page
      await eventually(async () => expect((await client.replies(`lane-${lane}`)).items.map(({ text }) => text)).toEqual(expected), 120_000);
    }
    expect(Math.min(...took)).toBeLessThan(BACK_WITHIN_MS * paceNow());
    expect(gatehouse.host.plugins.show(instance)).toMatchObject({ state: 'active', strikes: 0, restarts: KILLS });
  });
});

const ASKER = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  if (ctx.config.patient) await ctx.sleep(10000);
  const { iso } = await ctx.tool.call('gatehouse.clock/now', {});
  return { replies: [{ text: message.text + ' at ' + typeof iso }] };
} } });`;

describe('a host killed with messages in work', () => {
  it('waits, when it starts again, for plugins that start after the others: no try is spent on them', async () => {
    await using home = await aHome();
    await addWebhook(home);
    await addFirstParty(home, 'clock');
    const schema = { type: 'object', properties: { patient: { type: 'boolean' } }, additionalProperties: false };
    const patience = (patient: boolean) => home.add({ name: 'asker', kind: 'skill', source: ASKER, manifest: { capabilities: [{ name: 'tool.call', tools: ['gatehouse.clock/now'] }], config: schema }, enablement: { required: true, config: { patient } } });
    await patience(true);
    const first = await startProcess(home.path);
    const client = webhookClient(first.address, WEBHOOK_SECRET);
    for (const lane of ['a', 'b', 'c', 'd']) expect((await client.post({ id: '1', conversation: lane, text: lane })).status).toBe(202);
    first.child.kill('SIGKILL');
    await first.exited;

    await patience(false);
    await using gatehouse = await startGatehouse(home);
    const again = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    for (const lane of ['a', 'b', 'c', 'd']) {
      await eventually(async () => expect((await again.replies(lane)).items).toHaveLength(1));
      const { items } = await gatehouse.host.messages.list({ conversation: lane, direction: 'inbound' });
      expect(items[0]).toMatchObject({ outcome: 'answered' });
      expect(items[0]?.stages?.filter(({ decision }) => decision === 'failed' || decision === 'retry')).toEqual([]);
    }
  });
});
