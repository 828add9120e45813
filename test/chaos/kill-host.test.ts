// kill -9 at random moments under full-speed load, many times over one store: what was acknowledged is answered exactly once, in order; nothing else matters as much.
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { aHome } from '../support/home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { webhookClient } from '../support/webhook.ts';

const KILLS = Number(process.env['GATEHOUSE_CHAOS_KILLS'] ?? 20);
const CONVERSATIONS = 16;

describe('kill -9 under load', () => {
  it(`loses and doubles nothing over ${KILLS} kills`, { timeout: 60_000 + KILLS * 15_000 }, async () => {
    await using home = await aHome();
    await addWebhook(home, { required: true, admit: { senderPerSecond: 100_000 } });
    await addFirstParty(home, 'wordlist');
    await addFirstParty(home, 'echo');

    /** Per conversation: ids in the order they were acknowledged. */
    const acknowledged = Array.from({ length: CONVERSATIONS }, () => [] as string[]);
    const next = Array.from({ length: CONVERSATIONS }, () => 0);

    for (let round = 0; round < KILLS; round += 1) {
      const host = await startProcess(home.path);
      const client = webhookClient(host.address, WEBHOOK_SECRET);
      let down = false;
      const senders = acknowledged.map(async (done, lane) => {
        while (!down) {
          const number = next[lane] as number;
          const id = `${lane}-${number}`;
          try {
            const { status } = await client.post({ id, conversation: `lane-${lane}`, sender: `sender-${lane}`, text: `echo ${number}` });
            // A repeated id after a kill is a duplicate when its accept had survived: acknowledged either way.
            if (status === 202 || status === 200) {
              done.push(id);
              next[lane] = number + 1;
            }
          } catch (error) {
            if (!(error instanceof Error)) throw error;
            down = true; // The connection broke: the host is gone. The same id is sent again to the next one.
          }
        }
      });
      await new Promise((resolve) => setTimeout(resolve, randomInt(5, 700)));
      process.kill(host.pid, 'SIGKILL');
      await Promise.all(senders);
      await host.exited;
    }

    await using host: HostProcess = await startProcess(home.path);
    const client = webhookClient(host.address, WEBHOOK_SECRET);
    const total = acknowledged.reduce((sum, each) => sum + each.length, 0);
    expect(total).toBeGreaterThan(KILLS * CONVERSATIONS);
    for (const [lane, ids] of acknowledged.entries()) {
      const answers = await eventually(async () => {
        const all = await everyReply(client, `lane-${lane}`);
        expect(all.length).toBeGreaterThanOrEqual(ids.length);
        return all;
      }, 60_000);
      // At most one message a lane was accepted without its acknowledgement arriving: the one in the air at the last kill.
      expect(answers.map((each) => each.inReplyTo).slice(0, ids.length)).toEqual(ids);
      expect(answers.length - ids.length).toBeLessThanOrEqual(1);
      expect(answers.slice(0, ids.length).map((each) => each.text)).toEqual(ids.map((id) => id.split('-')[1]));
    }
    console.error(`chaos: ${KILLS} kills, ${total} messages acknowledged, all answered once and in order`);
  });
});

async function everyReply(client: ReturnType<typeof webhookClient>, conversation: string) {
  const all: { inReplyTo: string; text: string }[] = [];
  let cursor = '';
  for (;;) {
    const page = await client.replies(conversation, cursor);
    if (page.items.length === 0) return all;
    all.push(...page.items);
    cursor = page.cursor ?? '';
  }
}
