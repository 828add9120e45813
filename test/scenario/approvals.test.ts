// Reviewers and a running host: who waits, who starts, who stops, while messages flow; by file, by API and by command line, with one result.
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ApprovalView } from '../../schemas/control.ts';
import { writeRunFile } from '../../host/cli/run-file.ts';
import { sealNewKey } from '../../host/trust/sealed-key.ts';
import { aReviewer, putApproval, trustReviewers, type TestReviewer } from '../support/approvals.ts';
import { eventually } from '../support/eventually.ts';
import { addWebhook } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { runCommand } from '../support/run-command.ts';
import { startTraffic } from '../support/traffic.ts';

const answering = (mark: string): TestPlugin => ({ name: 'skill', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: '${mark} ' + message.text }] }) } });` });
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => aReviewer(name)) as [TestReviewer, TestReviewer, TestReviewer];

/** With a sealed key of his own. */
const dave = await sealNewKey('dave', 'four words are enough');

/** A home with a webhook and a skill that needs so many approvals. */
async function homeWith(approvals: number, plugin: Partial<TestPlugin> = {}): Promise<TestHome> {
  const home = await aHome([], { reload: { quietMs: 100, mostMs: 400 } });
  await addWebhook(home);
  await home.add({ ...answering('one'), ...plugin, enablement: { approvals, ...plugin.enablement } });
  await trustReviewers(home.path, alice, bob, carol);
  await home.write('dave.key.json', dave);
  await home.write('manifests/trust/reviewers/dave.json', { reviewer: 'dave', keys: [{ keyid: dave.keyid, publicKey: dave.publicKey }] });
  return home;
}

/** As dave would at a terminal. */
const approveAsDave = (home: TestHome, note: string) => runCommand(['approve', 'skill', '--key', 'dave.key.json', '--passphrase-env', 'PASS', '--note', note, '--yes', '--json'], { cwd: home.path, env: { PASS: 'four words are enough' } });

async function start(home: TestHome): Promise<Gatehouse> {
  const gatehouse = await startGatehouse(home);
  await eventually(async () => expect((await gatehouse.host.status()).reload.watching).toBe(true));
  return gatehouse;
}

/** What the running host says the skill is, signed. */
function sign({ host }: Gatehouse, by: TestReviewer, decision: 'approve' | 'reject' = 'approve') {
  const { plugin, version, digest, grantsDigest, instance } = host.plugins.show('skill');
  if (digest === null || grantsDigest === undefined) throw new Error('nothing to sign');
  return by.signs({ subject: `${plugin}-${version}`, packageDigest: digest, grantsDigest, instance, decision });
}

const post = async (gatehouse: Gatehouse, { bytes }: { readonly bytes: Buffer }) => {
  const answer = await gatehouse.api('/approvals', { method: 'POST', body: JSON.parse(bytes.toString()) });
  return { status: answer.status, ...answer.json<ApprovalView>() };
};
const stateOf = ({ host }: Gatehouse) => host.plugins.show('skill').state;

describe('a plugin that needs two of three reviewers', () => {
  it('starts with the second, by API or by file, stops when one is taken back, and is not revived by the old file', async () => {
    await using home = await homeWith(2);
    await using gatehouse = await start(home);
    expect(gatehouse.host.plugins.show('skill')).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_MISSING', message: expect.stringContaining('needs 2 approvals and has 0') });
    const first = await sign(gatehouse, alice);
    expect(await post(gatehouse, first)).toMatchObject({ status: 201, id: first.id, reviewer: 'alice', counts: true });
    expect(await post(gatehouse, await sign(gatehouse, alice))).toMatchObject({ status: 201 });
    expect(stateOf(gatehouse)).toBe('pending-approval');

    const file = await putApproval(home.path, await sign(gatehouse, bob));
    await eventually(() => expect(stateOf(gatehouse)).toBe('active'));
    const traffic = startTraffic(gatehouse.address);
    await traffic.goesOn();
    await traffic.finish();

    const second = (await gatehouse.api('/approvals?instance=skill')).json<{ items: ApprovalView[] }>().items.find(({ reviewer }) => reviewer === 'bob');
    const revoked = await gatehouse.api(`/approvals/${second?.id}/revoke`, { method: 'POST', body: { reason: 'the key is lost' } });
    expect(revoked.json()).toMatchObject({ reviewer: 'bob', counts: false, problem: 'it was revoked' });
    expect(gatehouse.host.plugins.show('skill')).toMatchObject({ state: 'pending-approval', message: expect.stringContaining('has 1 (alice); the approval of bob does not count: it was revoked') });

    const bytes = await readFile(file);
    await rm(file);
    await rm(join(home.path, 'manifests/approvals/revoked.json'));
    await gatehouse.host.reload();
    await putApproval(home.path, { name: 'again.dsse.json', bytes: Buffer.from(JSON.stringify(JSON.parse(bytes.toString()))) });
    await gatehouse.host.reload();
    expect(stateOf(gatehouse)).toBe('pending-approval');

    await post(gatehouse, await sign(gatehouse, carol));
    expect(stateOf(gatehouse)).toBe('active');
    await post(gatehouse, await sign(gatehouse, carol, 'reject'));
    expect(gatehouse.host.plugins.show('skill')).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_REJECTED' });
  });

  it('is not let run by who may not review, and the API says why', async () => {
    await using home = await homeWith(1);
    await using gatehouse = await start(home);
    const stranger = await sign(gatehouse, aReviewer('mallory'));
    expect(await post(gatehouse, stranger)).toMatchObject({ status: 400, code: 'APPROVAL_REFUSED' });
    const token = (await gatehouse.api('/tokens', { method: 'POST', body: { label: 'reader', scopes: ['plugins:read', 'plugins:write'] } })).json<{ token: string }>().token;
    const body = (await sign(gatehouse, alice)).bytes.toString();
    const denied = await gatehouse.fetch('/api/v1/approvals', { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body });
    expect(denied.status).toBe(403);
    expect((await gatehouse.api('/approvals', { method: 'POST', body: { payload: 'x' } })).status).toBe(400);
    expect((await gatehouse.api('/approvals/0123')).status).toBe(404);
    expect(await readdir(join(home.path, 'manifests')).then((names) => names.includes('approvals'))).toBe(false);
    expect(stateOf(gatehouse)).toBe('pending-approval');
  });
});

describe('a veto', () => {
  it('is not taken back by the token of another reviewer, but by the operator, or by its own reviewer’s signature', async () => {
    await using home = await homeWith(0);
    await using gatehouse = await start(home);
    const { token } = (await gatehouse.api('/tokens', { method: 'POST', body: { label: 'bob', scopes: ['plugins:read', 'review'] } })).json<{ token: string }>();
    const asBob = (path: string, body: unknown) => gatehouse.fetch(`/api/v1${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const veto = await post(gatehouse, await sign(gatehouse, alice, 'reject'));
    expect(stateOf(gatehouse)).toBe('pending-approval');
    expect((await asBob(`/approvals/${veto.id}/revoke`, { reason: 'I want it to run' })).status).toBe(403);
    expect(stateOf(gatehouse)).toBe('pending-approval');
    const approval = await post(gatehouse, await sign(gatehouse, alice));
    expect(stateOf(gatehouse)).toBe('active');
    expect((await asBob(`/approvals/${approval.id}/revoke`, { reason: 'the key is lost' })).status).toBe(200);
    expect(stateOf(gatehouse)).toBe('pending-approval');
    expect((await gatehouse.api(`/approvals/${veto.id}/revoke`, { method: 'POST', body: { reason: 'alice left' } })).status).toBe(200);
    expect(stateOf(gatehouse)).toBe('active');
  });
});

describe('an upgrade', () => {
  it('waits for its approval while the version before it answers, and takes over without a restart', async () => {
    await using home = await homeWith(1);
    await using gatehouse = await start(home);
    await post(gatehouse, await sign(gatehouse, alice));
    const traffic = startTraffic(gatehouse.address);
    await traffic.goesOn();
    const wider = [{ name: 'kv' as const, quotaBytes: 1000 }];
    await home.add({ ...answering('two'), version: '1.1.0', manifest: { capabilities: wider }, enablement: { approvals: 1 } });
    await eventually(() => expect(gatehouse.host.plugins.show('skill')).toMatchObject({ state: 'impaired', version: '1.0.0', code: 'APPROVAL_MISSING' }));
    await traffic.goesOn();

    // By the command line, through the host that runs.
    writeRunFile(gatehouse.host.config.dataDir, { pid: process.pid, address: gatehouse.address, startedAt: '2026-11-21T00:00:00.000Z' });
    expect(await approveAsDave(home, 'kv is for counting')).toMatchObject({ code: 0, stderr: expect.stringContaining('1.0.0 → 1.1.0') });
    expect(gatehouse.host.plugins.show('skill')).toMatchObject({ state: 'active', version: '1.1.0', grants: wider, restarts: 0 });
    await traffic.goesOn();
    const replies = await traffic.finish();
    expect(traffic.refusals).toEqual([]);
    for (const lane of replies) expect([...new Set(lane.map(({ text }) => text.split(' ')[0]))]).toEqual(['one', 'two']);
  });
});

describe('with a host and without', () => {
  it('an approval is the same file, byte for byte, and lets the same run', async () => {
    await using home = await homeWith(1);
    const ran = await approveAsDave(home, 'fine');
    expect(ran).toMatchObject({ code: 0 });
    const folder = join(home.path, 'manifests/approvals');
    const [name = ''] = await readdir(folder);
    const offline = await readFile(join(folder, name));
    await rm(folder, { recursive: true });

    await using gatehouse = await start(home);
    expect(stateOf(gatehouse)).toBe('pending-approval');
    const view = await post(gatehouse, { bytes: offline });
    expect(view).toMatchObject({ ...(ran.json()), status: 201 });
    expect(await readdir(folder)).toEqual([name]);
    expect((await readFile(join(folder, name))).equals(offline)).toBe(true);
    expect(stateOf(gatehouse)).toBe('active');
    // Deleting it is noticed, too.
    await rm(join(folder, name));
    await eventually(() => expect(stateOf(gatehouse)).toBe('pending-approval'));
  });
});
