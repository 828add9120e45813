// What another system gets that has replies posted to it: signed, in order, each until it is taken, and what becomes of those that never are.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { runCommand } from '../support/run-command.ts';
import { startReceiver, type Answering, type Received } from '../support/receiver.ts';
import { signatureOf, webhookClient } from '../support/webhook.ts';

const textOf = ({ body }: Received) => (JSON.parse(body) as { text: string }).text;

interface Letter {
  readonly id: string;
  readonly code: string;
  readonly reason: string;
}

/** Webhook with replies to a receiver that answers so, and an echo behind it. */
async function aWorld(answer?: Answering, path = '/in?key=1') {
  const receiver = await startReceiver(answer);
  const home: TestHome = await aHome([], { egress: { allow: [receiver.exception] } });
  await addWebhook(home, { config: { replyUrl: `${receiver.origin}${path}` } });
  await addFirstParty(home, 'echo');
  const gatehouse = await startGatehouse(home);
  const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
  const letters = async () => (await gatehouse.api('/dead-letters')).json<{ items: Letter[] }>().items;
  const outcomes = async () => (await gatehouse.api('/messages?direction=outbound')).json<{ items: { id: string; outcome: string; stages?: { stage: string; decision: string; reason?: string }[] }[] }>().items;
  return {
    receiver, home, gatehouse, client, letters, outcomes,
    say: async (id: string, text = `echo ${id}`, conversation = 'c') => expect((await client.post({ id, conversation, text })).status).toBe(202),
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose](); // whoever it keeps waiting is let go
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

describe('a reply', () => {
  it('is posted under its own id, signed over the exact body', async () => {
    await using world = await aWorld();
    await world.say('m1', 'echo é "quoted"');
    const [posted] = await eventually(() => {
      expect(world.receiver.received).toHaveLength(1);
      return world.receiver.received;
    });
    const { id, ...rest } = JSON.parse(posted?.body ?? '') as Record<string, string>;
    expect(rest).toEqual({ inReplyTo: 'm1', conversation: 'c', text: 'é "quoted"', at: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(posted).toMatchObject({ method: 'POST', target: '/in?key=1', headers: { 'idempotency-key': id, 'content-type': 'application/json', 'x-gatehouse-signature': signatureOf(WEBHOOK_SECRET, posted?.body ?? '') } });
    await eventually(async () => expect(await world.outcomes()).toMatchObject([{ id, outcome: 'delivered' }]));
  });

  it('as long as a message may be is posted whole', async () => {
    await using world = await aWorld();
    const text = '\\'.repeat(60 * 1024);
    await world.say('long', `echo ${text}`);
    await eventually(() => expect(world.receiver.received.map((each) => textOf(each).length)).toEqual([text.length]));
  });

  it('that is not taken is posted again with the same id, before any later one of its conversation', async () => {
    await using world = await aWorld((_, index) => (index < 2 ? { status: index === 0 ? 503 : 429, headers: { 'retry-after': '1' }, body: 'not now' } : { status: 204 }));
    for (const id of ['1', '2', '3']) await world.say(id);
    await eventually(() => expect(world.receiver.received.map(textOf)).toEqual(['1', '1', '1', '2', '3']), 120_000);
    const [first, second, third] = world.receiver.received;
    expect([second?.body, third?.body, second?.headers['idempotency-key'], third?.headers['idempotency-key']]).toEqual([first?.body, first?.body, first?.headers['idempotency-key'], first?.headers['idempotency-key']]);
    await eventually(async () => expect((await world.outcomes()).map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered']));
    expect(await world.letters()).toEqual([]);
  });

  it('whose receiver breaks off may have arrived: it is recorded so, and posted again with the same id', async () => {
    await using world = await aWorld((_, index) => (index === 0 ? 'reset' : { status: 200 }));
    await world.say('1');
    await eventually(() => expect(world.receiver.received).toHaveLength(2));
    const [first, second] = world.receiver.received;
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
    const delivered = await eventually(async () => {
      const [message] = await world.outcomes();
      expect(message?.outcome).toBe('delivered');
      return (await world.gatehouse.api(`/messages/${message?.id}`)).json<{ stages: { stage: string; decision: string; reason?: string }[] }>();
    });
    expect(delivered.stages.filter(({ stage }) => stage === 'send')).toMatchObject([{ decision: 'unknown', reason: 'EGRESS_FAILED' }, { decision: 'sent' }]);
  });

  it('that is refused becomes a dead letter with the status and nothing of the answer, and is replayed with the same id', async () => {
    let refusing = true;
    await using world = await aWorld(() => (refusing ? { status: 422, body: 'the answer of a stranger' } : { status: 200 }));
    await world.say('1');
    const [letter] = await eventually(async () => {
      const letters = await world.letters();
      expect(letters).toHaveLength(1);
      return letters;
    });
    expect(letter).toMatchObject({ code: 'DELIVERY_REFUSED', reason: 'the remote answered 422' });
    expect((await world.gatehouse.api(`/dead-letters/${letter?.id}`)).text).not.toContain('stranger');
    await world.say('2');
    await eventually(async () => expect(await world.letters()).toHaveLength(2));

    refusing = false;
    expect((await world.gatehouse.api(`/dead-letters/${letter?.id}/replay`, { method: 'POST' })).status).toBe(202);
    await eventually(async () => expect(await world.letters()).toHaveLength(1));
    const second = (await world.letters())[0]?.id ?? '';
    writeRunFile(join(world.home.path, 'data'), { pid: process.pid, address: world.gatehouse.address, startedAt: new Date().toISOString() });
    expect(await runCommand(['dead-letters', 'replay', second, '--yes', '--home', world.home.path])).toMatchObject({ code: 0 });
    await eventually(() => expect(world.receiver.received).toHaveLength(4));
    const keys = world.receiver.received.map(({ headers }) => headers['idempotency-key']);
    expect([keys[2], keys[3]]).toEqual([keys[0], keys[1]]);
    expect(world.receiver.received.map(textOf)).toEqual(['1', '2', '1', '2']);
  });

  it('is taken when the answer is too much to read, or holds the secret', async () => {
    await using world = await aWorld((_, index) => (index === 0 ? { status: 200, body: 'x'.repeat(2 * 1024 * 1024) } : { status: 200, body: `you signed with ${WEBHOOK_SECRET}` }));
    await world.say('1');
    await world.say('2');
    await eventually(async () => expect((await world.outcomes()).map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered']));
    expect(world.receiver.received.map(textOf)).toEqual(['1', '2']);
  });

  it('goes on to where the receiver sends it within its origin, signed anew, and nowhere else', async () => {
    await using elsewhere = await startReceiver();
    await using world = await aWorld(({ target }) => (target === '/in' ? { status: 307, headers: { location: '/moved' } } : target === '/moved' ? { status: 200 } : { status: 500 }), '/in');
    await world.say('1');
    await eventually(() => expect(world.receiver.received.map(({ target }) => target)).toEqual(['/in', '/moved']));
    expect(world.receiver.received[1]?.headers['x-gatehouse-signature']).toBe(signatureOf(WEBHOOK_SECRET, world.receiver.received[1]?.body ?? ''));
    expect(elsewhere.received).toEqual([]);
  });

  it('to another origin than the configured one is refused, however the receiver redirects', async () => {
    await using elsewhere = await startReceiver();
    await using world = await aWorld(() => ({ status: 307, headers: { location: `${elsewhere.origin}/in` } }));
    await world.say('1');
    await eventually(async () => expect(await world.letters()).toMatchObject([{ code: 'EGRESS_DENIED' }]));
    expect(elsewhere.received).toEqual([]);
  });

  it('is signed with another secret seconds after its file has another one, and so must be what comes in', async () => {
    await using world = await aWorld();
    await world.say('1');
    await eventually(() => expect(world.receiver.received).toHaveLength(1));

    await world.home.write('webhook.secret', 'quite another secret\n');
    const renewed = webhookClient(world.gatehouse.address, 'quite another secret');
    await eventually(async () => expect((await renewed.post({ id: '2', conversation: 'c', text: 'echo 2' })).status).toBe(202), 120_000);
    expect((await world.client.post({ id: '3', conversation: 'c', text: 'echo 3' })).status).toBe(401);
    await eventually(() => expect(world.receiver.received).toHaveLength(2), 120_000);
    expect(world.receiver.received.map(({ headers }) => headers['x-gatehouse-signature'])).toEqual([
      signatureOf(WEBHOOK_SECRET, world.receiver.received[0]?.body ?? ''),
      signatureOf('quite another secret', world.receiver.received[1]?.body ?? ''),
    ]);

    // Lost, it is nobody's mistake who sends: they are told to come back.
    await rm(join(world.home.path, 'webhook.secret'));
    await eventually(async () => expect(await renewed.post({ id: '4', conversation: 'c', text: 'echo 4' })).toMatchObject({ status: 503, body: { code: 'INSTANCE_UNAVAILABLE' } }), 120_000);
    await world.home.write('webhook.secret', 'quite another secret\n');
    await eventually(async () => expect((await renewed.post({ id: '5', conversation: 'c', text: 'echo 5' })).status).toBe(202), 120_000);
  });

  it('of a conversation whose receiver hangs holds up no other conversation', async () => {
    await using world = await aWorld(({ body }) => (body.includes('"conversation":"stuck"') ? 'hang' : { status: 200 }));
    await world.say('s1', 'echo s1', 'stuck');
    await eventually(() => expect(world.receiver.received).toHaveLength(1));
    await world.say('s2', 'echo s2', 'stuck');
    for (let n = 0; n < 20; n++) await world.say(`f${n}`, `echo f${n}`, `free-${n % 5}`);
    await eventually(() => expect(world.receiver.received.map(textOf).filter((text) => text.startsWith('f'))).toHaveLength(20), 120_000);
    expect(world.receiver.received.map(textOf).filter((text) => text.startsWith('s'))).toEqual(['s1']);
  });
});
