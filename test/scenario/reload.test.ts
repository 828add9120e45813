// The files of a running home change while messages flow: upgrades, rollbacks, settings, grants, drift, revocation, arrivals and departures, and the ways in which editors save.
import { appendFile, chmod, cp, readFile, readdir, rename, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { subscribe, type Events } from '../../host/events.ts';
import { openChat } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { paceNow } from '../support/pace.ts';
import { buildTestPackage } from '../support/packages.ts';
import { startProcess } from '../support/process.ts';
import { runCommand } from '../support/run-command.ts';
import { startTraffic } from '../support/traffic.ts';
import { webhookClient } from '../support/webhook.ts';

const register = (kind: string, handlers: string) => `gatehouse.register({ kind: '${kind}', handlers: { ${handlers} } });`;
/** Answers every message with a mark of its version. */
const answering = (mark: string): Pick<TestPlugin, 'kind' | 'source'> => ({ kind: 'skill', source: register('skill', `respond: async ({ message }) => ({ replies: [{ text: '${mark} ' + message.text }] })`) });
const marking = (mark: string): Pick<TestPlugin, 'kind' | 'source' | 'manifest'> => ({
  kind: 'moderation',
  source: register('moderation', `evaluate: async ({ message }) => ({ effect: 'modify', text: message.text + ' ${mark}', reason: 'marked' })`),
  manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } },
});

/** Looks as they are made, while the test runs. */
function looks() {
  const seen: Events['reload.judged'][] = [];
  const end = subscribe('reload.judged', (look) => void seen.push(look));
  return {
    seen,
    /** What took effect so far, as `kind instance`. */
    changes: () => seen.flatMap(({ changes }) => changes.map(({ kind, instance }) => `${kind} ${instance}`)),
    [Symbol.dispose]: end,
  };
}

/** A host that looks soon, with a webhook and whatever else. */
async function running(plugins: readonly TestPlugin[] = [], reload: { quietMs?: number; mostMs?: number; watch?: boolean } = { quietMs: 100, mostMs: 400 }) {
  const home = await aHome([], { reload });
  await addWebhook(home);
  for (const plugin of plugins) await home.add(plugin);
  const gatehouse = await startGatehouse(home);
  await eventually(async () => expect((await gatehouse.host.status()).reload).toMatchObject({ watching: reload.watch ?? true }));
  return {
    home,
    gatehouse,
    host: gatehouse.host,
    show: (instance: string) => gatehouse.host.plugins.show(instance),
    client: webhookClient(gatehouse.address, WEBHOOK_SECRET),
    async [Symbol.asyncDispose]() {
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

const enablementOf = (home: TestHome, name: string) => join(home.path, `manifests/plugins/${name}.json`);

/** Writes an enablement with some keys changed, as an editor that truncates and writes. */
async function edit(home: TestHome, name: string, changes: Record<string, unknown>): Promise<void> {
  const file = enablementOf(home, name);
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...changes }, null, 2));
}

const readyz = async (gatehouse: Gatehouse) => (await gatehouse.fetch('/readyz')).json<{ ready: boolean; degraded: { instance: string }[] }>();

describe('while messages flow', () => {
  it('another version takes over: nothing is lost, refused or answered twice, and order is kept', async () => {
    await using it = await running([{ name: 'skill', ...answering('one') }]);
    const traffic = startTraffic(it.gatehouse.address);
    await traffic.goesOn();
    for (const [version, mark] of [['1.1.0', 'two'], ['1.2.0', 'three']] as const) {
      await it.home.add({ name: 'skill', version, ...answering(mark) });
      await eventually(() => expect(it.show('skill').version).toBe(version));
      await traffic.goesOn();
    }
    const replies = await traffic.finish();
    expect(traffic.refusals).toEqual([]);
    for (const lane of replies) expect([...new Set(lane.map(({ text }) => text.split(' ')[0]))]).toEqual(['one', 'two', 'three']);
    expect(it.show('skill')).toMatchObject({ state: 'active', restarts: 0, strikes: 0 });
  });

  it('a gate is replaced without letting a message pass unjudged, or refusing one', async () => {
    await using it = await running([{ name: 'skill', ...answering('') }, { name: 'gate', ...marking('[1]') }]);
    const traffic = startTraffic(it.gatehouse.address, { pauseMs: 2 });
    await traffic.goesOn();
    await it.home.add({ name: 'gate', version: '1.1.0', ...marking('[2]') });
    await eventually(() => expect(it.show('gate').version).toBe('1.1.0'));
    await traffic.goesOn();
    await edit(it.home, 'gate', { limits: { heapMb: 48 } });
    await eventually(async () => expect((await it.host.status()).reload.last?.changes).toMatchObject([{ kind: 'reconfigured', instance: 'gate', what: ['limits'] }]));
    await traffic.goesOn();
    const marks = (await traffic.finish()).flat().map(({ text }) => /\[.*/.exec(text)?.[0]);
    expect(traffic.refusals).toEqual([]);
    expect(new Set(marks)).toEqual(new Set(['[1]', '[2]']));
  });

  it('config and limits are taken up by another sandbox, everything else at once', async () => {
    const source = register('skill', 'respond: async (_, ctx) => ({ replies: [{ text: String(ctx.config.mark) }] })');
    const config = { type: 'object', properties: { mark: { type: 'string' } }, additionalProperties: false };
    await using it = await running([{ name: 'skill', kind: 'skill', source, manifest: { config }, enablement: { config: { mark: 'a' } } }]);
    using watched = looks();
    const traffic = startTraffic(it.gatehouse.address);
    await traffic.goesOn();
    await edit(it.home, 'skill', { config: { mark: 'b' } });
    await eventually(() => expect(watched.changes()).toContain('reconfigured skill'));
    await traffic.goesOn();
    await edit(it.home, 'skill', { order: 5, required: true, config: { mark: 'b' } });
    await eventually(() => expect(it.show('skill').required).toBe(true));
    await edit(it.home, 'webhook', { admit: { denySenders: ['s0'] } });
    await eventually(() => expect(traffic.refusals).toContain('403 SENDER_DENIED'));
    expect(watched.seen.flatMap(({ changes }) => changes.map(({ what }) => what))).toEqual([['config'], ['order', 'required'], ['admit']]);
    const replies = await traffic.finish();
    for (const lane of replies) expect([...new Set(lane.map(({ text }) => text))]).toEqual(['a', 'b']);
    expect(traffic.refusals.filter((each) => each !== '403 SENDER_DENIED')).toEqual([]);
    expect(it.show('skill').restarts).toBe(0);
  });

  it('plugins come and go, are switched off and on again', async () => {
    await using it = await running([{ name: 'skill', ...answering('old'), enablement: { order: 500 } }]);
    using watched = looks();
    const traffic = startTraffic(it.gatehouse.address);
    await traffic.goesOn();
    await it.home.add({ name: 'newcomer', ...answering('new') });
    await eventually(() => expect(it.show('newcomer').state).toBe('active'));
    await traffic.goesOn();
    await rm(enablementOf(it.home, 'newcomer'));
    await eventually(() => expect(() => it.show('newcomer')).toThrow(expect.objectContaining({ code: 'PLUGIN_NOT_FOUND' })));
    await traffic.goesOn();
    await it.home.add({ name: 'newcomer', ...answering('new') });
    await eventually(() => expect(watched.changes()).toEqual(['added newcomer', 'removed newcomer', 'added newcomer']));
    await edit(it.home, 'newcomer', { enabled: false });
    await eventually(() => expect(it.show('newcomer').state).toBe('disabled'));
    await edit(it.home, 'newcomer', { enabled: true });
    await eventually(() => expect(it.show('newcomer').state).toBe('active'));
    await traffic.goesOn();
    const lanes = await traffic.finish();
    expect(traffic.refusals).toEqual([]);
    expect(new Set(lanes.flat().map(({ text }) => text.split(' ')[0]))).toEqual(new Set(['old', 'new']));
  });

  it('a gate comes and goes, and refuses nobody by that', async () => {
    await using it = await running([{ name: 'skill', ...answering('') }]);
    const traffic = startTraffic(it.gatehouse.address, { pauseMs: 2 });
    await traffic.goesOn();
    await it.home.add({ name: 'gate', ...marking('[gate]') });
    await eventually(() => expect(it.show('gate').state).toBe('active'));
    await traffic.goesOn();
    await rm(enablementOf(it.home, 'gate'));
    await eventually(() => expect(() => it.show('gate')).toThrow('There is no instance'));
    await traffic.goesOn();
    const lanes = await traffic.finish();
    expect(traffic.refusals).toEqual([]);
    for (const lane of lanes) expect(lane.map(({ text }) => (text.includes('[gate]') ? 'with' : 'without')).filter((mark, at, all) => mark !== all[at - 1])).toEqual(['without', 'with', 'without']);
  });

  it('a message on its way to a gate that leaves is still judged by it', async () => {
    const slow: TestPlugin = { name: 'slow', kind: 'moderation', source: register('moderation', `evaluate: async (_, ctx) => { await ctx.sleep(1000); return { effect: 'pass' }; }`), manifest: { moderation: { mode: 'gate', phase: 'validation', directions: ['inbound'] } } };
    await using it = await running([{ name: 'skill', ...answering('') }, slow, { name: 'gate', ...marking('[gate]') }]);
    const posted = it.client.post({ id: '1', conversation: 'c', text: 'hi' });
    await rm(enablementOf(it.home, 'gate'));
    await eventually(() => expect(it.show('gate').state).toBe('draining'));
    expect((await posted).status).toBe(202);
    await eventually(async () => expect((await it.client.replies('c')).items.map(({ text }) => text)).toEqual([' hi [gate]']));
    expect((await it.client.post({ id: '2', conversation: 'd', text: 'ho' })).status).toBe(202);
    await eventually(async () => expect((await it.client.replies('d')).items.map(({ text }) => text)).toEqual([' ho']));
  });

  it('a channel keeps its open sockets over an upgrade of itself, by its settings of now', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }]);
    await addFirstParty(it.home, 'webchat');
    await eventually(() => expect(it.show('webchat').state).toBe('active'));
    await using chat = await openChat(it.gatehouse.address);
    expect(await chat.ask('1')).toBe('hi 1');
    await edit(it.home, 'webchat', { limits: { heapMb: 48 } });
    await eventually(async () => expect((await it.host.status()).reload.last?.changes).toMatchObject([{ kind: 'reconfigured', instance: 'webchat' }]));
    expect(await chat.ask('2')).toBe('hi 2');
    await edit(it.home, 'webchat', { admit: { allowSenders: ['nobody'] } });
    await eventually(async () => expect((await chat.ack('3')).status).toBe('denied'));
    await rm(enablementOf(it.home, 'webchat'));
    await eventually(() => expect(() => it.show('webchat')).toThrow('There is no instance'));
    chat.say('4');
    expect(await chat.closed).toMatchObject({ code: 1001 });
  });
});

describe('an upgrade that fails its self test', () => {
  it.each([
    ['because it does not load', `throw new Error('not today');`],
    ['because it lacks its handler', register('skill', 'other: async () => null')],
    ['because it hangs', 'for (;;);'],
  ])('%s changes nothing, and says so', async (_, broken) => {
    await using it = await running([{ name: 'skill', ...answering('one') }]);
    using watched = looks();
    const traffic = startTraffic(it.gatehouse.address);
    await traffic.goesOn();
    await it.home.add({ name: 'skill', version: '1.1.0', kind: 'skill', source: broken });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'impaired', version: '1.0.0', code: 'UPGRADE_ROLLED_BACK', strikes: 0, diagnostics: [{ code: 'UPGRADE_ROLLED_BACK', message: expect.stringContaining("'test.skill' 1.1.0") }] }), 120_000);
    expect(await readyz(it.gatehouse)).toEqual({ ready: true, degraded: [] });
    await traffic.goesOn();

    const before = watched.seen.length;
    const tried: string[] = [];
    using listening = new DisposableStack();
    listening.defer(subscribe('sandbox.started', ({ instance }) => void tried.push(instance)));
    await edit(it.home, 'webhook', { order: 7 }); // another change does not try it again
    await eventually(() => expect(watched.seen.slice(before).flatMap(({ changes }) => changes)).toMatchObject([{ instance: 'webhook' }]));
    expect(watched.seen.at(-1)).toMatchObject({ refused: [{ code: 'UPGRADE_ROLLED_BACK' }] });
    expect(tried).not.toContain('skill');

    await it.home.add({ name: 'skill', version: '1.2.0', ...answering('three') });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'active', version: '1.2.0' }));
    expect(it.show('skill').diagnostics).toBeUndefined();
    await traffic.goesOn();
    const lanes = await traffic.finish();
    expect(traffic.refusals).toEqual([]);
    for (const lane of lanes) expect([...new Set(lane.map(({ text }) => text.split(' ')[0]))]).toEqual(['one', 'three']);
  });
});

describe('an operator who enables', () => {
  it('waits for what is under way, and is told what became of it', async () => {
    await using it = await running([{ name: 'skill', ...answering('one') }], { watch: false });
    await it.home.add({ name: 'skill', version: '1.1.0', kind: 'skill', source: `for (let n = 0; n < 2e8; n += 1); ${answering('two').source}` });
    const looking = it.gatehouse.api('/reload', { method: 'POST' });
    await it.home.add({ name: 'skill', version: '1.2.0', ...answering('three') });
    expect((await it.gatehouse.api('/plugins/skill/enable', { method: 'POST' })).json()).toMatchObject({ state: 'active', version: '1.2.0' });
    expect((await looking).status).toBe(200);
    await rm(enablementOf(it.home, 'skill'));
    const leaving = it.gatehouse.api('/reload', { method: 'POST' });
    await eventually(() => expect(it.show('skill').state).toBe('draining'));
    await it.home.add({ name: 'skill', version: '1.2.0', ...answering('three') });
    expect((await it.gatehouse.api('/plugins/skill/enable', { method: 'POST' })).json()).toMatchObject({ state: 'active', version: '1.2.0' });
    expect((await leaving).json()).toMatchObject({ changes: [{ kind: 'removed', instance: 'skill' }] });
    expect((await it.gatehouse.api('/plugins/nobody/enable', { method: 'POST' })).status).toBe(404);
  });
});

describe('a grant', () => {
  const source = register('skill', `respond: async (_, ctx) => { try { await ctx.kv.set('k', 1); return { replies: [{ text: 'kept' }] }; } catch (error) { return { replies: [{ text: error.code }] }; } }`);
  const keeping = (enablement: TestPlugin['enablement'] = {}): TestPlugin => ({ name: 'skill', kind: 'skill', source, manifest: { capabilities: [{ name: 'kv', quotaBytes: 1000 }, { name: 'message.read', conversations: 'own' }] }, enablement });
  let asked = 0;
  const ask = async ({ client }: Pick<Awaited<ReturnType<typeof running>>, 'client'>) => {
    const id = `ask-${(asked += 1)}`;
    await client.post({ id, conversation: id, text: '?' });
    return await eventually(async () => {
      const [reply] = (await client.replies(id)).items;
      expect(reply).toBeDefined();
      return reply?.text;
    });
  };

  it('that is new waits until somebody agrees; what was taken away is gone at once', async () => {
    await using it = await running([keeping({ grants: [{ name: 'message.read', conversations: 'own' }] })]);
    expect(await ask(it)).toBe('CAPABILITY_DENIED');
    await edit(it.home, 'skill', { grants: [{ name: 'kv', quotaBytes: 500 }] });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'impaired', code: 'GRANTS_WIDENED', grants: [], message: expect.stringMatching(/added: keep up to 500 bytes of its own data; removed: read the conversations/) }));
    expect(await ask(it)).toBe('CAPABILITY_DENIED');
    const answer = await it.gatehouse.api('/plugins/skill/enable', { method: 'POST' });
    expect(answer.json()).toMatchObject({ state: 'active', grants: [{ name: 'kv', quotaBytes: 500 }] });
    expect(await ask(it)).toBe('kept');
    await edit(it.home, 'skill', { grants: [] });
    await eventually(async () => expect(await ask(it)).toBe('CAPABILITY_DENIED'));
    expect(it.show('skill')).toMatchObject({ state: 'active', grants: [], restarts: 0 });
  });

  it('that an upgrade would be given waits together with it', async () => {
    await using it = await running([keeping({ grants: [] })]);
    await it.home.add({ ...keeping(), version: '1.1.0' });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'impaired', code: 'GRANTS_WIDENED', version: '1.0.0', grants: [] }));
    expect(await ask(it)).toBe('CAPABILITY_DENIED');
    await it.gatehouse.api('/plugins/skill/enable', { method: 'POST' });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'active', version: '1.1.0' }));
    expect(await ask(it)).toBe('kept');
  });

  it('that a manifest merely asks for is given to nobody', async () => {
    await using it = await running([{ ...keeping({ grants: [] }), manifest: {} }]);
    await it.home.add({ ...keeping({ grants: [] }), version: '1.1.0' });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'active', version: '1.1.0', grants: [] }));
    expect(await ask(it)).toBe('CAPABILITY_DENIED');
  });
});

describe('drift', () => {
  it.each<[string, (folder: string) => Promise<void>]>([
    ['changed bytes', (folder) => writeFile(join(folder, 'plugin.js'), register('skill', `respond: async () => ({ replies: [{ text: 'evil' }] })`))],
    ['one byte more', (folder) => appendFile(join(folder, 'plugin.js'), ' ')],
    ['a file more', (folder) => writeFile(join(folder, 'README.md'), 'hello')],
    ['a signature that is gone', (folder) => rm(join(folder, 'plugin.dsse.json'))],
    ['a package that is gone', (folder) => rm(folder, { recursive: true })],
    ['another publisher’s package', async (folder) => void (await buildTestPackage({ dir: folder, id: 'test.skill', version: '2.0.0', kind: 'skill', source: 'evil()' }))],
  ])('by %s stops the instance, keeps the evidence and runs nothing of it', async (_, change) => {
    await using it = await running([{ name: 'skill', ...answering('good') }]);
    using watched = looks();
    const folder = join(it.home.path, 'plugins/test.skill-1.0.0');
    const kept = join(it.home.path, 'kept');
    await cp(folder, kept, { recursive: true });
    const traffic = startTraffic(it.gatehouse.address);
    await traffic.goesOn();
    await change(folder);
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'quarantined', code: 'PLUGIN_DRIFT' }));
    await eventually(() => expect(watched.changes()).toEqual(['drifted skill']));
    const [evidence] = await readdir(join(it.home.path, 'data/evidence'));
    expect(JSON.parse(await readFile(join(it.home.path, 'data/evidence', evidence as string), 'utf8'))).toMatchObject({ code: 'PLUGIN_DRIFT', history: expect.arrayContaining([expect.objectContaining({ event: 'plugin.drift', expected: it.show('skill').digest })]) });
    expect((await readyz(it.gatehouse)).degraded).toMatchObject([{ instance: 'skill', code: 'PLUGIN_DRIFT' }]);

    const release = () => it.gatehouse.api('/plugins/skill/release', { method: 'POST', body: { reason: 'looked at it' } });
    expect((await release()).json()).toMatchObject({ state: 'rejected' });
    await rm(folder, { recursive: true, force: true });
    await rename(kept, folder);
    await eventually(() => expect(it.show('skill').state).toBe('active'));
    expect(traffic.refusals).toEqual([]);
    await traffic.stop();
    await eventually(async () => expect((await it.host.status()).lanes).toEqual({ waiting: 0, running: 0 }));
    // What came while nobody could answer stays unanswered: nobody else answered it.
    const texts = (await it.client.replies('c0')).items.map(({ text }) => text.split(' ')[0]);
    expect(new Set(texts)).toEqual(new Set(['good']));
  });

  it('is not what is put right again before the host has looked twice', async () => {
    await using it = await running([{ name: 'skill', ...answering('good') }], { quietMs: 400, mostMs: 1000 });
    using watched = looks();
    const script = join(it.home.path, 'plugins/test.skill-1.0.0/plugin.js');
    const good = await readFile(script);
    await writeFile(script, 'half');
    await eventually(() => expect(watched.seen).toHaveLength(1));
    await writeFile(script, good);
    await eventually(() => expect(watched.seen.length).toBeGreaterThan(1));
    await sleep(1000);
    expect(it.show('skill').state).toBe('active');
    expect(watched.changes()).toEqual([]);
  });
});

describe('trust', () => {
  it('that is revoked stops what runs within two seconds, for good, whatever the list says later', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }], {}); // with the times an operator has
    const { digest } = it.show('skill');
    const revokedAt = performance.now();
    await it.home.write('manifests/trust/revocations.json', { digests: [digest] });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'revoked', code: 'REVOKED' }));
    const tookMs = performance.now() - revokedAt;
    expect(tookMs).toBeLessThan(2000 * paceNow());
    expect(await readdir(join(it.home.path, 'data/evidence'))).toHaveLength(1);
    await it.home.write('manifests/trust/revocations.json', {});
    await it.host.reload();
    expect(it.show('skill')).toMatchObject({ state: 'revoked', code: 'REVOKED' }); // until somebody lifts it
  });

  it('revoked from one release moves to the next', async () => {
    await using it = await running([{ name: 'skill', ...answering('one') }]);
    await it.home.write('manifests/trust/revocations.json', { plugins: [{ id: 'test.skill', range: '<1.1.0' }] });
    await it.home.add({ name: 'skill', version: '1.1.0', ...answering('two') });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'active', version: '1.1.0' }));
    expect(await readdir(join(it.home.path, 'data/evidence'))).toHaveLength(1);
  });

  it('stays as it is while its list or a record cannot be read; nothing new starts meanwhile', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }]);
    await it.home.write('manifests/trust/revocations.json', '{ "digests": [');
    await it.home.write('manifests/trust/publishers/broken.json', '{');
    await it.home.add({ name: 'newcomer', ...answering('new') });
    await eventually(() => expect(it.show('newcomer')).toMatchObject({ state: 'revoked' }));
    expect(it.show('skill').state).toBe('active');
    await eventually(async () => expect((await it.host.status()).reload.last?.refused.map(({ code }) => code)).toEqual(expect.arrayContaining(['JSON_INVALID', 'TRUST_RECORD'])));
    await rm(join(it.home.path, 'manifests/trust/revocations.json'));
    await eventually(() => expect(it.show('newcomer').state).toBe('active'));
  });

  it('that the lists of host.json take back stops what runs within two seconds, required or not, and what they no longer name starts again', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi'), enablement: { required: true } }, { name: 'other', ...answering('other') }], {}); // with the times an operator has
    let lost: string | undefined;
    void it.host.lost.then((reason) => (lost = reason));
    const hostJson = (trust: unknown) => it.home.write('manifests/host.json', { listen: '127.0.0.1:0', log: { level: 'error' }, trust });
    const deniedAt = performance.now();
    await hostJson({ deny: { plugins: ['test.skill'] } });
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'rejected', code: 'PLUGIN_DENIED_BY_LIST' }));
    const tookMs = performance.now() - deniedAt;
    expect(tookMs).toBeLessThan(2000 * paceNow());
    expect(it.show('other').state).toBe('active');
    expect((await readyz(it.gatehouse)).ready).toBe(false);

    await it.home.write('manifests/host.json', '{ "trust": { "deny": {');
    expect((await it.gatehouse.api('/reload', { method: 'POST' })).status).toBe(200);
    expect(it.show('skill').code).toBe('PLUGIN_DENIED_BY_LIST');
    await hostJson({ allow: { plugins: ['test.skill'], publishers: ['gatehouse'] } });
    await eventually(() => expect(it.show('skill').state).toBe('active'));
    expect(it.show('other')).toMatchObject({ state: 'rejected', code: 'PLUGIN_NOT_ALLOWED' });
    expect(lost).toBeUndefined();
  });

  it('that is taken back stops what it was given to', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }]);
    const record = join(it.home.path, 'manifests/trust/publishers/test.json');
    const text = await readFile(record);
    await rm(record);
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'rejected', code: 'KEY_UNTRUSTED' }));
    await writeFile(record, text);
    await eventually(() => expect(it.show('skill').state).toBe('active'));
  });
});

describe('a file', () => {
  it('that cannot be read changes nothing, and says so until it can', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }]);
    const file = enablementOf(it.home, 'skill');
    const text = await readFile(file);
    await writeFile(file, '{ "plugin": ');
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'impaired', code: 'JSON_INVALID', message: expect.stringContaining('What ran before goes on.') }));
    await it.home.write('manifests/plugins/nobody.json', '[]');
    await eventually(async () => expect((await it.host.status()).reload.last?.refused.map(({ manifest }) => manifest)).toContain('manifests/plugins/nobody.json'));
    expect(await readyz(it.gatehouse)).toEqual({ ready: true, degraded: [] });
    await writeFile(file, text);
    await rm(enablementOf(it.home, 'nobody'));
    await eventually(() => expect(it.show('skill').state).toBe('active'));
    expect((await it.host.status()).reload.last?.refused).toEqual([]);
  });

  it('that a start would refuse changes nothing', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }, { name: 'other', ...answering('ho') }]);
    await edit(it.home, 'skill', { grants: [{ name: 'kv', quotaBytes: 5 }], order: 1 });
    await it.home.write('manifests/plugins/thief.json', { plugin: 'test.other', instance: 'other', source: 'plugins/test.other-1.0.0' });
    await eventually(() => expect([it.show('skill').code, it.show('other').code]).toEqual(['GRANT_NOT_REQUESTED', 'INSTANCE_COLLISION']));
    expect([it.show('skill'), it.show('other')]).toMatchObject([{ state: 'impaired', grants: [] }, { state: 'impaired' }]);
    expect((await it.client.post({ id: '1', conversation: 'c', text: '?' })).status).toBe(202);
    await eventually(async () => expect((await it.client.replies('c')).items.map(({ text }) => text)).toEqual(['ho ?'])); // by the order of before
    await rm(enablementOf(it.home, 'thief'));
    await eventually(() => expect(it.show('other').state).toBe('active'));
  });

  it.each<[string, (file: string, text: string) => Promise<void>]>([
    ['truncated and written', (file, text) => writeFile(file, text)],
    ['written beside and renamed', async (file, text) => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    }],
    ['moved away and written anew', async (file, text) => {
      await rename(file, `${file}~`);
      await writeFile(file, text);
      await unlink(`${file}~`);
    }],
    ['deleted, and there again a moment later', async (file, text) => {
      await unlink(file);
      await sleep(200);
      await writeFile(file, text);
    }],
    ['written in two pieces with a pause', async (file, text) => {
      await truncate(file, 0);
      await appendFile(file, text.slice(0, 40));
      await sleep(250);
      await appendFile(file, text.slice(40));
    }],
    ['swapped behind a link', async (file, text) => {
      await writeFile(`${file}.target`, text);
      await symlink(`${file}.target`, `${file}.link`);
      await rename(`${file}.link`, file);
    }],
    ['written, with other permissions', async (file, text) => {
      await chmod(file, 0o600);
      await writeFile(file, text);
      await chmod(file, 0o644);
    }],
  ])('%s is taken for what it becomes, and for nothing in between', async (_, save) => {
    await using it = await running([{ name: 'skill', ...answering('hi') }], { quietMs: 400, mostMs: 5000 });
    using watched = looks();
    const file = enablementOf(it.home, 'skill');
    await save(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), required: true }, null, 2));
    await eventually(() => expect(it.show('skill').required).toBe(true));
    expect(watched.changes()).toEqual(['reconfigured skill']);
    expect(watched.seen.flatMap(({ refused }) => refused)).toEqual([]);
  });

  it('that is merely touched changes nothing', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }]);
    using watched = looks();
    await writeFile(enablementOf(it.home, 'skill'), await readFile(enablementOf(it.home, 'skill')));
    await eventually(() => expect(watched.seen.length).toBeGreaterThan(0));
    expect(watched.changes()).toEqual([]);
  });

  it('that links to a package is followed when the link is swapped', async () => {
    await using it = await running();
    await it.home.add({ name: 'skill', ...answering('one'), enablement: { source: 'plugins/current' } });
    await symlink('test.skill-1.0.0', join(it.home.path, 'plugins/current'));
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'active', version: '1.0.0' }));
    await it.home.add({ name: 'skill', version: '1.1.0', ...answering('two'), enablement: { source: 'plugins/current' } });
    await symlink('test.skill-1.1.0', join(it.home.path, 'plugins/next'));
    await rename(join(it.home.path, 'plugins/next'), join(it.home.path, 'plugins/current'));
    await eventually(() => expect(it.show('skill')).toMatchObject({ state: 'active', version: '1.1.0' }));
  });

  it('that the host wrote itself is not looked at', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }], { quietMs: 100, mostMs: 200 });
    await sleep(600); // what was there at the start has been told
    using watched = looks();
    await it.host.plugins.disable('skill', 'test', 'for a while');
    await sleep(800);
    expect(watched.seen).toEqual([]);
    expect(JSON.parse(await readFile(enablementOf(it.home, 'skill'), 'utf8'))).toMatchObject({ enabled: false });
    await edit(it.home, 'skill', { order: 3 });
    await eventually(() => expect(watched.changes()).toEqual(['reconfigured skill']));
  });

  it('of a required plugin may be taken away like any other', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi'), enablement: { required: true } }]);
    await rm(enablementOf(it.home, 'skill'));
    await eventually(() => expect(() => it.show('skill')).toThrow('There is no instance'));
    expect(await readyz(it.gatehouse)).toEqual({ ready: true, degraded: [] });
  });

  it('of all enablements that is gone at once, as with a volume that is not mounted, switches nothing off', async () => {
    await using it = await running([{ name: 'skill', ...answering('hi') }]);
    const folder = join(it.home.path, 'manifests/plugins');
    await rename(folder, join(it.home.path, 'away'));
    await eventually(async () => expect((await it.host.status()).reload.last?.refused.map(({ code }) => code)).toContain('FILE_UNREADABLE'));
    expect(it.show('skill').state).toBe('active');
    await rename(join(it.home.path, 'away'), folder);
    await eventually(async () => expect((await it.host.status()).reload.last?.refused).toEqual([]));
  });
});

describe('without watching', () => {
  it('the host looks when it is told to', async () => {
    await using it = await running([{ name: 'skill', ...answering('one') }], { watch: false });
    await it.home.add({ name: 'skill', version: '1.1.0', ...answering('two') });
    await sleep(300);
    expect(it.show('skill').version).toBe('1.0.0');
    expect((await it.gatehouse.api('/reload', { method: 'POST' })).json()).toMatchObject({ changes: [{ kind: 'upgraded', instance: 'skill', from: '1.0.0', to: '1.1.0' }], refused: [] });
    expect(it.show('skill').version).toBe('1.1.0');
    await appendFile(join(it.home.path, 'plugins/test.skill-1.1.0/plugin.js'), ' ');
    expect((await it.gatehouse.api('/reload', { method: 'POST' })).json()).toMatchObject({ changes: [{ kind: 'drifted', instance: 'skill' }], refused: [{ code: 'RELEASE_FILES' }] });
  });
});

describe('on the command line', () => {
  it('a package is put into the running host, which says what became of it', async () => {
    await using home = await aHome();
    await addFirstParty(home, 'webchat');
    await using host = await startProcess(home.path);
    const inHome = (...args: string[]) => runCommand([...args, '--home', home.path, '--json', '--yes']);
    const place = join(home.path, 'made');
    const built = await aHome();
    await using _ = built;
    await built.add({ name: 'skill', ...answering('hi') });
    await cp(join(built.path, 'plugins/test.skill-1.0.0'), place, { recursive: true });

    const untrusted = await inHome('plugins', 'enable', place);
    expect(untrusted.code).toBe(3);
    expect((await inHome('trust', 'add', join(built.path, 'manifests/trust/publishers/test.json'))).code).toBe(0);
    const enabled = await inHome('plugins', 'enable', place);
    expect(enabled.json()).toMatchObject({ instance: 'skill', running: true, state: 'active' });

    await rm(place, { recursive: true });
    await built.add({ name: 'skill', version: '1.1.0', kind: 'skill', source: 'throw new Error("no")' });
    await cp(join(built.path, 'plugins/test.skill-1.1.0'), place, { recursive: true });
    const failed = await inHome('plugins', 'enable', place);
    expect(failed.json()).toMatchObject({ state: 'impaired', code: 'UPGRADE_ROLLED_BACK' });
    expect((await inHome('plugins', 'show', 'skill')).json()).toMatchObject({ version: '1.0.0', state: 'impaired', diagnostics: [{ code: 'UPGRADE_ROLLED_BACK' }] });
    expect((await inHome('status')).json()).toMatchObject({ reload: { watching: true, last: { refused: [{ code: 'UPGRADE_ROLLED_BACK' }] } } });
    expect((await inHome('plugins', 'reload')).json()).toMatchObject({ changes: [], refused: [{ code: 'UPGRADE_ROLLED_BACK' }] });
    const people = await runCommand(['plugins', 'reload', '--home', home.path]);
    expect(people.stdout).toMatch(/Nothing changed\.[^]*UPGRADE_ROLLED_BACK/);
    expect(host.lines.some((line) => line['event'] === 'reload')).toBe(true);
    expect(host.lines.find((line) => line['event'] === 'plugin' && line['state'] === 'impaired')).toMatchObject({ instance: 'skill', code: 'UPGRADE_ROLLED_BACK' });
  });
});
