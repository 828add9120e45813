// Trust is taken back from what runs, by file, by signed list, by API and by time: within two seconds, calls in flight cancelled, evidence written, and not undone by anything but an operator's word.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signPackage } from '../../host/authoring/sign.ts';
import { HostRefused } from '../../host/host.ts';
import { subscribe, type Events } from '../../host/events.ts';
import { generateKey } from '../../host/trust/keys.ts';
import type { RevocationResult, RevocationView } from '../../schemas/revocation.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { paceNow } from '../support/pace.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { aList, aSuccession, HOUR_MS, writeRevoker, writeTrust } from '../support/revocations.ts';
import { webhookClient } from '../support/webhook.ts';

/** Answers, but for `wait`, which it says it does and never ends. */
const SOURCE = `gatehouse.register({ kind: 'skill', handlers: { respond: ({ message }, ctx) => { if (message.text !== 'wait') return { replies: [{ text: 'reply to ' + message.text }] }; ctx.log.info('waiting'); return new Promise(() => {}); } } });`;
const skill: TestPlugin = { name: 'skill', kind: 'skill', source: SOURCE, manifest: { limits: { wallMsPerCall: 60_000 } } };
const WITHIN_MS = 2000;

/** A host with the times an operator has. */
async function running(plugins: readonly TestPlugin[] = [skill], prepare: (home: TestHome) => Promise<unknown> = async () => undefined) {
  const home = await aHome(plugins);
  await prepare(home);
  const gatehouse = await startGatehouse(home);
  await eventually(async () => expect((await gatehouse.host.status()).reload.watching).toBe(true));
  return {
    home,
    gatehouse,
    show: (instance: string) => gatehouse.host.plugins.show(instance),
    post: async (path: string, body: unknown) => gatehouse.api(path, { method: 'POST', body }),
    async [Symbol.asyncDispose]() {
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

type Running = Awaited<ReturnType<typeof running>>;

/** How long until the instance is out, from the word that takes it out. */
async function msUntil(gatehouse: Gatehouse, instance: string, state: string, word: () => Promise<unknown>): Promise<number> {
  const out = Promise.withResolvers<number>();
  const end = subscribe('plugin.state', (event) => void (event.instance === instance && event.to === state && out.resolve(performance.now())));
  const from = performance.now();
  await word();
  const at = await out.promise;
  end();
  return at - from;
}

describe('what is about to run', () => {
  it.each<readonly [string, (it: Running) => Promise<unknown>]>([
    ['revoked', (it) => it.post('/revocations', { plugin: 'test.skill', range: '1.1.0', reason: 'it steals' })],
    ['not what the files ask for any more', async (it) => {
      await it.home.write('manifests/plugins/skill.json', { plugin: 'test.skill', instance: 'skill', source: 'plugins/test.skill-1.0.0' });
      await it.gatehouse.host.reload();
    }],
  ])('and is %s by the time it is up does not take over; what ran before goes on', async (_, strike) => {
    await using it = await running();
    // It hangs as soon as it has loaded, and is struck before its first turn.
    const up = Promise.withResolvers<number>();
    const end = subscribe('sandbox.started', ({ instance, pid }) => void (instance === 'skill' && process.kill(pid, 'SIGSTOP') && up.resolve(pid)));
    await it.home.add({ ...skill, version: '1.1.0' });
    const looking = it.gatehouse.host.reload();
    const pid = await up.promise;
    end();
    await strike(it);
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // it has ended already
    }
    await looking;
    await it.gatehouse.host.reload();
    expect(it.show('skill')).toMatchObject({ version: '1.0.0', state: expect.stringMatching(/active|impaired/) });
  });
});

describe('what runs', () => {
  it('is stopped by a file within two seconds: the call in flight is cancelled, and evidence written', async () => {
    await using it = await running([skill], (home) => addWebhook(home));
    const client = webhookClient(it.gatehouse.address, WEBHOOK_SECRET);
    const called = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<Events['plugin.call']>();
    const ends = [
      subscribe('plugin.log', ({ instance }) => instance === 'skill' && called.resolve()),
      subscribe('plugin.call', (call) => call.instance === 'skill' && ended.resolve(call)),
    ];
    expect((await client.post({ id: '1', conversation: 'c', text: 'wait' })).status).toBe(202);
    await called.promise;
    const { digest } = it.show('skill');
    const tookMs = await msUntil(it.gatehouse, 'skill', 'revoked', () => writeTrust(it.home.path, 'revocations.json', { digests: [digest] }));
    expect(tookMs).toBeLessThan(WITHIN_MS * paceNow());
    expect(await ended.promise).toMatchObject({ ok: false });
    for (const end of ends) end();
    expect(it.show('skill')).toMatchObject({ state: 'revoked', code: 'REVOKED' });
    const [bundle, ...others] = await readdir(join(it.home.path, 'data/evidence'));
    expect(others).toEqual([]);
    expect(JSON.parse(await readFile(join(it.home.path, 'data/evidence', String(bundle)), 'utf8'))).toMatchObject({ instance: 'skill', code: 'REVOKED', packageDigest: digest });
  });

  it('is stopped by the API before it answers, for good: not by an emptied list, another signature or another version of the range', async () => {
    await using it = await running();
    const { digest } = it.show('skill');
    const body = { plugin: 'test.skill', range: '<2', reason: 'it steals' };
    let answer: Awaited<ReturnType<Gatehouse['api']>> | undefined;
    const tookMs = await msUntil(it.gatehouse, 'skill', 'revoked', async () => (answer = await it.post('/revocations', body)));
    expect(tookMs).toBeLessThan(WITHIN_MS * paceNow());
    expect(answer?.status).toBe(201);
    expect(answer?.json<RevocationResult>()).toEqual({
      revocation: { id: 'plugin test.skill <2', kind: 'plugin', plugin: 'test.skill', range: '<2', reason: 'it steals', at: expect.any(String), by: expect.stringMatching(/^token:/), listed: 'file' },
      written: true, stopped: ['skill'], started: [],
    });
    expect(it.show('skill')).toMatchObject({ state: 'revoked', message: expect.stringContaining('it steals') });
    const file = join(it.home.path, 'manifests/trust/revocations.json');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ plugins: [{ id: 'test.skill', range: '<2', reason: 'it steals', at: expect.any(String) }] });

    await it.post('/revocations', { digest, reason: 'the bytes as well' });
    await writeFile(file, '{}');
    await it.home.add({ ...skill, version: '1.9.0' });
    await signPackage(join(it.home.path, 'plugins/test.skill-1.9.0'), { key: newTestKey('test'), now: Date.now(), force: true });
    await it.gatehouse.host.reload();
    expect(it.show('skill')).toMatchObject({ state: expect.stringMatching(/revoked|rejected/) });
    expect(await it.gatehouse.api('/plugins/skill/enable', { method: 'POST' })).not.toMatchObject({ state: 'active' });
    const list = (await it.gatehouse.api('/revocations')).json<{ items: RevocationView[]; cursor: null }>();
    expect(list.items.map(({ id, listed }) => [id, listed])).toEqual([[`digest ${digest}`, null], ['plugin test.skill <2', null]]);
    expect((await it.gatehouse.host.status()).reload.last?.refused.map(({ code }) => code)).not.toContain('REVOCATION_VANISHED'); // a warning, and no trouble
  });

  it('comes back by an operator’s explicit word alone', async () => {
    await using it = await running();
    await it.post('/revocations', { plugin: 'test.skill', range: '*', reason: 'by mistake' });
    expect(it.show('skill').state).toBe('revoked');
    expect((await it.post('/revocations/lift', { plugin: 'test.skill', range: '<9', reason: 'never revoked' })).json()).toMatchObject({ code: 'REVOCATION_NOT_FOUND' });
    const { token } = (await it.post('/tokens', { label: 'reviewer', scopes: ['plugins:read', 'review'] })).json<{ token: string }>();
    const byReviewer = await it.gatehouse.fetch('/api/v1/revocations/lift', { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ plugin: 'test.skill', range: '*', reason: 'I want it to run' }) });
    expect(byReviewer.status).toBe(403);
    expect(it.show('skill').state).toBe('revoked');
    const lifted = await it.post('/revocations/lift', { plugin: 'test.skill', range: '*', reason: 'it was another one' });
    expect(lifted.json()).toMatchObject({ revocation: { id: 'plugin test.skill *', listed: null }, started: ['skill'] });
    expect(it.show('skill').state).toBe('active');
    expect(JSON.parse(await readFile(join(it.home.path, 'manifests/trust/revocations.json'), 'utf8'))).toEqual({ plugins: [] });
  });

  it('is stopped by a signed list, which no API call undoes', async () => {
    const sec = generateKey('sec');
    const now = Date.now();
    await using it = await running([skill], (home) => Promise.all([writeRevoker(home.path, sec), writeTrust(home.path, 'revocations.dsse.json', aList(sec, 1, now))]));
    const tookMs = await msUntil(it.gatehouse, 'skill', 'revoked', () => writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 2, now, { plugins: [{ id: 'test.skill', range: '*', reason: 'it steals' }] })));
    expect(tookMs).toBeLessThan(WITHIN_MS * paceNow());
    const refused = await it.post('/revocations/lift', { plugin: 'test.skill', range: '*', reason: 'we need it' });
    expect(refused.json()).toMatchObject({ status: 409, code: 'REVOCATION_SIGNED', detail: expect.stringContaining("'sec'") });
    await writeTrust(it.home.path, 'revocations.dsse.json', aList(sec, 1, now)); // an older one is put back
    await eventually(async () => expect((await it.gatehouse.host.status()).reload.last?.refused.map(({ code }) => code)).toEqual(['REVOCATION_LIST', 'REVOKED']));
    expect(it.show('skill').state).toBe('revoked');
  });

  it('by a key that its predecessor introduced is stopped when that one is revoked', async () => {
    const [old, heir] = [newTestKey('acme'), newTestKey('acme')];
    await using it = await running([], async (home) => {
      await writeTrustRecord(home.path, old);
      await buildTestPackage({ dir: join(home.path, 'plugins/acme.x-1.0.0'), id: 'acme.x', kind: 'skill', source: SOURCE, key: heir });
      await home.write('manifests/plugins/x.json', { plugin: 'acme.x', instance: 'x' });
      await writeTrust(home.path, 'successions/acme.dsse.json', aSuccession(old, heir, Date.now() - HOUR_MS));
    });
    expect(it.show('x').state).toBe('active');
    await it.post('/revocations', { keyid: old.keyid, reason: 'stolen' });
    expect(it.show('x')).toMatchObject({ state: 'rejected', code: 'KEY_UNTRUSTED' });
  });

  it('stops when its key ends, without anybody touching a file then', async () => {
    await using it = await running();
    const record = join(it.home.path, 'manifests/trust/publishers/test.json');
    const { keys: [key], ...rest } = JSON.parse(await readFile(record, 'utf8'));
    await writeFile(record, JSON.stringify({ ...rest, keys: [{ ...key, notAfter: new Date(Date.now() + 2500).toISOString() }] }));
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'rejected', code: 'KEY_EXPIRED' })); // the round of every minute would be too late
  });
});

describe('a strict host', () => {
  it('does not start without a current list of each of its revokers', async () => {
    const sec = generateKey('sec');
    await using home = await aHome([], { strict: true });
    await writeRevoker(home.path, sec);
    const refused: unknown = await startGatehouse(home).catch((error: unknown) => error);
    expect.assert(refused instanceof HostRefused);
    expect(refused.diagnostics).toMatchObject([{ code: 'REVOCATIONS_STALE', severity: 'fatal' }]);
  });
});
