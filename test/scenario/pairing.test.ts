// Pairing through the public doors: strangers at the real webhook and the real webchat, codes, an operator's word, and what is left of it after a kill.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PairingView } from '../../schemas/pairing.ts';
import { subscribe } from '../../host/events.ts';
import { pairings } from '../../host/store/tables.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aClockAhead } from '../support/hand-clock.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { visitorOf } from '../../plugins/webchat/src/visitor.ts';
import { webhookClient } from '../support/webhook.ts';

/** Two conversations of the webchat whose visitors have one name: thirty-two bits are found in seconds. */
const SAME_NAME = ['visitor-of-the-webchat-f0cCAA', 'visitor-of-the-webchat-ZAADAA'] as const;

const CODE = /\b[A-HJ-NP-Z2-9]{8}\b/;

/** Each case has a door of its own: three may wait before one, and cases come in any order. */
const DOORS = ['first', 'approve', 'names', 'hashes', 'three', 'flood', 'revoke', 'listed', 'hour', 'forget'] as const;

const gate = (evaluate: string) => ({ kind: 'moderation' as const, source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }) => ${evaluate} } });`, manifest: { moderation: { mode: 'gate' as const, phase: 'policy' as const, directions: ['inbound' as const, 'outbound' as const] } } });

async function aGuardedHome(doors: readonly string[] = []): Promise<TestHome> {
  const home = await aHome();
  const guarded = { admit: { access: 'pairing' as const, allowSenders: ['colleague'], denySenders: ['mallory'] } };
  await addWebhook(home, guarded);
  const webhook: object = JSON.parse(await readFile(join(home.path, 'manifests/plugins/webhook.json'), 'utf8'));
  for (const instance of doors) await home.write(`manifests/plugins/${instance}.json`, { ...webhook, instance });
  // A name that nothing proves: it lets nobody in, listed or not.
  await addFirstParty(home, 'webchat', { admit: { access: 'pairing', allowSenders: [visitorOf(SAME_NAME[0])] } });
  await addFirstParty(home, 'echo');
  // Refuses whatever it is shown of this, in either direction.
  await home.add({ name: 'wall', ...gate("(/knock|host/.test(message.text) ? { effect: 'deny', reason: 'seen by a gate' } : { effect: 'pass' })") });
  return home;
}

describe('pairing', () => {
  const clock = aClockAhead();
  let home: TestHome;
  let host: Gatehouse;
  beforeAll(async () => {
    home = await aGuardedHome(DOORS);
    host = await startGatehouse(home, { clock });
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const post = async (path: string) => {
    const answer = await host.api(`/pairing/${path}`, { method: 'POST' });
    return { status: answer.status, ...answer.json<PairingView & { readonly code?: string }>() };
  };
  const list = async (query = '') => (await host.api(`/pairing${query}`)).json<{ items: PairingView[]; cursor: string | null }>();

  function at(instance: (typeof DOORS)[number]) {
    const client = webhookClient(host.address, WEBHOOK_SECRET, instance);
    let count = 0;
    const codes = async (sender: string) => (await client.replies(`with-${sender}`)).items.flatMap(({ text }) => CODE.exec(text)?.[0] ?? []);
    const idOf = async (sender: string) => (await list(`?instance=${instance}`)).items.find((each) => each.sender?.id === sender)?.id ?? '';
    return {
      client,
      codes,
      idOf,
      write: (sender: string, text = 'echo hello') => client.post({ id: `m${++count}`, conversation: `with-${sender}`, sender, text }),
      code: (sender: string, nth = 0) => eventually(async () => {
        const code = (await codes(sender))[nth];
        expect(code).toBeDefined();
        return code ?? '';
      }),
      async letIn(sender: string) {
        await this.write(sender);
        return await post(`${await this.code(sender)}/approve`);
      },
    };
  }

  it('answers a stranger once with a code, and shows the message to nobody but its channel', async () => {
    const door = at('first');
    const told: unknown[] = [];
    const stop = subscribe('pairing.requested', (event) => told.push(event));
    expect(await door.write('ada', 'knock knock')).toMatchObject({ status: 403, body: { code: 'PAIRING_REQUIRED', reason: 'it was given a code for the operator' } });
    await door.code('ada');
    expect(await door.write('ada', 'knock again')).toMatchObject({ status: 403, body: { code: 'PAIRING_REQUIRED', reason: 'an operator has not let it in yet' } });
    stop();
    expect(await door.codes('ada')).toHaveLength(1);
    expect((await host.api('/messages?direction=inbound&instance=first')).json()).toMatchObject({ items: [] });
    expect(told).toEqual([{ id: await door.idOf('ada'), instance: 'first' }]);
  });

  it('lets in whoever an operator approved, from the next message on, and tells stream and log', async () => {
    const door = at('approve');
    await door.write('ada');
    const code = await door.code('ada');
    const told: unknown[] = [];
    const stop = subscribe('pairing.decided', (event) => told.push(event));
    // As somebody types what was read out.
    const approved = await post(`${encodeURIComponent(`${code.slice(0, 4).toLowerCase()}-${code.slice(4)}`)}/approve`);
    stop();
    expect(approved).toMatchObject({ status: 200, state: 'approved', instance: 'approve', sender: { id: 'ada' }, via: 'code', decidedBy: expect.stringMatching(/^token:/) });
    expect(told).toMatchObject([{ id: approved.id, instance: 'approve', state: 'approved' }]);
    expect(await door.write('ada', 'knock')).toMatchObject({ status: 403, body: { code: 'MODERATION_DENIED', reason: 'seen by a gate' } });
    expect((await door.write('ada')).status).toBe(202);
    await eventually(async () => expect((await door.client.replies('with-ada')).items.map(({ text }) => text)).toContain('hello'));
    expect((await post(`${code}/approve`)).status).toBe(404);

    const log = (await host.api('/audit')).text;
    expect(log).toContain('api.pairing.approve');
    expect(log).toContain(approved.id);
    expect(log).not.toContain(code);
    expect(log).not.toContain(code.slice(4));
  });

  it('knows a sender everywhere on its channel, on no other channel, and nobody by a name like it', async () => {
    const door = at('names');
    await door.letIn('ada');
    expect((await door.client.post({ id: 'elsewhere', conversation: 'another-room', sender: 'ada', text: 'echo hi' })).status).toBe(202);
    expect(await door.client.post({ id: 'near', conversation: 'with-ada', sender: 'Ada', text: 'echo hi' })).toMatchObject({ status: 403, body: { code: 'PAIRING_REQUIRED' } });
    expect(await webhookClient(host.address, WEBHOOK_SECRET).post({ id: 'other', conversation: 'c', sender: 'ada', text: 'echo hi' })).toMatchObject({ status: 403, body: { code: 'PAIRING_REQUIRED' } });
  });

  it('asks neither the listed nor the denied', async () => {
    const door = at('listed');
    expect((await door.write('colleague')).status).toBe(202);
    expect(await door.write('mallory')).toMatchObject({ status: 403, body: { code: 'SENDER_DENIED' } });
    expect(await door.codes('mallory')).toEqual([]);
    expect((await list('?instance=listed')).items).toEqual([]);
  });

  it('keeps codes as hashes, and shows none in a list', async () => {
    const door = at('hashes');
    await door.write('hana');
    const code = await door.code('hana');
    const shown = await host.api('/pairing?instance=hashes');
    expect(shown.text).toContain('hana');
    expect(shown.text).not.toContain(code);
    const rows = JSON.stringify(await host.host.store.range(pairings, pairings.prefix()));
    expect(rows).toContain('hana');
    expect(rows).not.toContain(code);
  });

  it('lets three wait, and no more until an operator has decided', async () => {
    const door = at('three');
    const told = await Promise.all(['one', 'two', 'three', 'four', 'five'].map(async (sender) => (await door.write(sender)).body['reason']));
    expect(told.toSorted()).toEqual([...Array<string>(2).fill('as many as may wait do so already'), ...Array<string>(3).fill('it was given a code for the operator')]);
    expect((await list('?state=pending&instance=listed')).items).toEqual([]);
    const first = await list('?state=pending&instance=three&limit=2');
    expect(first.items).toHaveLength(2);
    expect((await list(`?state=pending&instance=three&limit=2&cursor=${first.cursor}`)).items).toHaveLength(1);
    const [waiting] = first.items;
    const sender = waiting?.sender?.id ?? '';
    expect(await post(`${waiting?.id}/approve`)).toMatchObject({ status: 409, code: 'PAIRING_STATE' });
    expect(await post(`${waiting?.id}/deny`)).toMatchObject({ status: 200, state: 'denied' });
    expect(await door.write(sender)).toMatchObject({ status: 403, body: { code: 'PAIRING_REQUIRED', reason: 'it was denied' } });
    expect(await door.write('six')).toMatchObject({ body: { reason: 'it was given a code for the operator' } });
  });

  it('tells a bounded number of codes within a minute, whatever strangers and operators do', async () => {
    const door = at('flood');
    const reasons: unknown[] = [];
    for (let n = 0; n < 12; n++) {
      reasons.push((await door.write(`flood${n}`)).body['reason']);
      const id = await door.idOf(`flood${n}`);
      if (id !== '') await post(`${id}/deny`);
    }
    expect(reasons.slice(0, 10)).toEqual(Array(10).fill('it was given a code for the operator'));
    expect(reasons).toContain('too many codes were given within a minute');
  });

  it('shuts out at once whoever is revoked, and lets them in again by their id', async () => {
    const door = at('revoke');
    const { id } = await door.letIn('ada');
    expect(await post(`${id}/revoke`)).toMatchObject({ status: 200, state: 'revoked' });
    expect(await door.write('ada')).toMatchObject({ status: 403, body: { code: 'PAIRING_REQUIRED', reason: 'it was revoked' } });
    expect(await door.codes('ada')).toHaveLength(1);
    expect(await post(`${id}/deny`)).toMatchObject({ status: 409, code: 'PAIRING_STATE' });
    expect(await post(`${id}/approve`)).toMatchObject({ status: 200, state: 'approved' });
    expect((await door.write('ada')).status).toBe(202);
  });

  it('is for whom a token permits it, and stops whoever guesses', async () => {
    const { token } = (await host.api('/tokens', { method: 'POST', body: { label: 'reader', scopes: ['pairing:read'] } })).json<{ token: string }>();
    const as = (bearer: string, path: string, method = 'GET') => host.fetch(`/api/v1/pairing${path}`, { method, headers: { authorization: `Bearer ${bearer}` } });
    expect((await as(token, '')).status).toBe(200);
    expect((await as(token, '/ABCDEFGH/approve', 'POST')).status).toBe(403);
    const guesser = (await host.api('/tokens', { method: 'POST', body: { label: 'guesser', scopes: ['pairing:write'] } })).json<{ token: string }>();
    const statuses: number[] = [];
    for (let n = 0; n < 11; n++) statuses.push((await as(guesser.token, '/ABCDEFGH/approve', 'POST')).status);
    expect(statuses).toEqual([...Array<number>(10).fill(404), 429]);
    expect((await as(token, '?state=what')).status).toBe(400);
    expect((await as(token, `/${'0'.repeat(32)}`)).json()).toMatchObject({ code: 'PAIRING_NOT_FOUND' });
  });

  it('pairs a visitor of the webchat by the secret of the conversation, not by a name that anybody may compute', async () => {
    const [mine, theirs] = SAME_NAME;
    await using chat = await openChat(host.address, { conversation: mine });
    expect(await chat.ack('echo hello')).toMatchObject({ status: 'denied', code: 'PAIRING_REQUIRED' });
    const { text = '' } = await chat.frame(({ type }) => type === 'message');
    const { id } = await post(`${CODE.exec(text)?.[0]}/approve`);
    expect(await chat.ask('echo hello')).toBe('hello');
    await using other = await openChat(host.address, { conversation: theirs });
    expect(await other.ack('echo hello')).toMatchObject({ code: 'PAIRING_REQUIRED' });
    await post(`${id}/revoke`);
    expect(await chat.closed).toMatchObject({ code: 1008 });
  });

  it('forgets a code after an hour: its sender gets another, and the old one opens nothing', async () => {
    const door = at('hour');
    await door.write('late');
    const old = await door.code('late');
    clock.turn(3_600_001);
    expect((await list('?state=expired&instance=hour')).items.map(({ sender }) => sender?.id)).toEqual(['late']);
    expect(await post(`${old}/approve`)).toMatchObject({ status: 404, code: 'PAIRING_CODE' });
    expect(await post(`${await door.idOf('late')}/approve`)).toMatchObject({ status: 409, code: 'PAIRING_STATE' });
    await door.write('late');
    expect(await post(`${await door.code('late', 1)}/approve`)).toMatchObject({ status: 200, state: 'approved' });
  });

  it('forgets requests and refusals in time, and never who was let in', async () => {
    const door = at('forget');
    await door.letIn('ada');
    for (const sender of ['passer-by', 'pest']) await door.write(sender);
    await post(`${await door.idOf('pest')}/deny`);
    clock.turn(31 * 24 * 3_600_000);
    await host.host.pairing.sweep(new AbortController().signal);
    expect((await list('?instance=forget')).items).toMatchObject([{ sender: { id: 'ada' }, state: 'approved' }]);
    expect(await door.write('pest')).toMatchObject({ body: { reason: 'it was given a code for the operator' } });
  });
});

describe('pairing over a kill', () => {
  it('has the same codes and the same guests afterwards, from the command line too', async () => {
    await using home = await aGuardedHome();
    const first = await startProcess(home.path);
    const before = webhookClient(first.address, WEBHOOK_SECRET);
    for (const sender of ['ada', 'bea']) await before.post({ id: sender, conversation: sender, sender, text: 'echo hi' });
    process.kill(first.pid, 'SIGKILL');
    await first.exited;

    await using second = await startProcess(home.path);
    const after = webhookClient(second.address, WEBHOOK_SECRET);
    const codeOf = (sender: string) => eventually(async () => {
      const code = CODE.exec((await after.replies(sender)).items[0]?.text ?? '')?.[0];
      expect(code).toBeDefined();
      return code ?? '';
    });
    const run = (...args: readonly string[]) => runCommand(['pairing', ...args, '--home', home.path]);
    expect((await run('approve', await codeOf('ada'))).stdout).toMatch(/^ada is approved at 'webhook' \([0-9a-f]{32}\)\.\n$/);
    expect((await run('deny', await codeOf('bea'))).code).toBe(0);
    expect((await run('approve', 'ABCDEFGH')).code).toBe(2);
    expect((await run('list')).stdout).toMatch(/webhook.*bea.*denied/);
    expect((await run('list', '--json', '--state', 'approved')).json()).toMatchObject({ items: [{ sender: { id: 'ada' } }] });
    expect((await after.post({ id: 'a2', conversation: 'ada', sender: 'ada', text: 'echo hi' })).status).toBe(202);
    expect(await after.post({ id: 'b2', conversation: 'bea', sender: 'bea', text: 'echo hi' })).toMatchObject({ status: 403 });
  });
});
