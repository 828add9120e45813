// Approvals in a whole home: which instances they let run, what a change of any grant does to them, what the host remembers of those that were taken back, and what it tells of files nobody needs.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Enablement } from '../../schemas/enablement.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { systemClock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { Registry } from '../../host/registry/registry.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { withRevoked } from '../../host/trust/approval-files.ts';
import { generateKey } from '../../host/trust/keys.ts';
import { openAuditLog } from '../../host/trust/log/open-log.ts';
import { aReviewer, putApproval, trustReviewers, type TestReviewer } from '../support/approvals.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { SKILL, configOf, findings, surveyHome } from '../support/registry.ts';

const alice = aReviewer('alice');
const bob = aReviewer('bob');
const kv = (quotaBytes: number) => ({ name: 'kv' as const, quotaBytes });

interface Case {
  readonly enablement?: Partial<Enablement>;
  readonly trust?: TrustPolicy;
  readonly reviewers?: readonly TestReviewer[];
}

/** A home with the skill `a`, which asks for kv and a secret. */
async function homeWith({ enablement = {}, trust = {}, reviewers = [alice, bob] }: Case = {}): Promise<TestHome> {
  const capabilities = [kv(100), { name: 'secret.use' as const, handle: 'key', audience: 'https://a.example', inject: { header: 'x-key' } }];
  const home = await aHome([{ name: 'a', kind: 'skill', source: SKILL, manifest: { capabilities }, enablement: { approvals: 1, secrets: { key: { env: 'KEY' } }, ...enablement } }], { trust });
  await trustReviewers(home.path, ...reviewers);
  return home;
}

const look = (home: TestHome, now = systemClock.now()) => surveyHome(home.path, { now, env: { KEY: 'the value of a key', OTHER: 'the value of another' } });
const verdicts = async (home: TestHome, now?: number) => {
  const { plugins, refused } = await look(home, now);
  return [...plugins.map(({ instance, approvedBy }) => `${instance} runs ${approvedBy.join()}`), ...refused.map(({ instance, state, code }) => `${instance} ${state} ${code}`)];
};

/** Signed for what stands in the home now. */
async function sign(home: TestHome, by: TestReviewer, changes: { readonly decision?: 'approve' | 'reject'; readonly issuedAt?: string; readonly expiresAt?: string } = {}) {
  const { plugins, refused } = await look(home);
  const [it] = [...plugins, ...refused];
  if (!it?.release || it.grantsDigest === undefined) throw new Error('nothing to approve');
  const { manifest, packageDigest } = it.release;
  return by.signs({ subject: `${manifest.id}-${manifest.version}`, packageDigest, grantsDigest: it.grantsDigest, instance: it.instance, ...changes });
}

describe('an instance that needs approvals', () => {
  it('waits for as many reviewers as host or enablement ask for, whichever is more', async () => {
    for (const [enablement, trust, needed] of [[{ approvals: 2 }, {}, 2], [{ approvals: 0 }, { approvals: 2 }, 2], [{ approvals: 1 }, { approvals: 2 }, 2], [{ approvals: 2 }, { approvals: 1 }, 2], [{ approvals: 0 }, {}, 0]] as const) {
      await using home = await homeWith({ enablement, trust });
      const missing = needed === 0 ? 'a runs ' : 'a pending-approval APPROVAL_MISSING';
      expect(await verdicts(home)).toEqual([missing]);
      await putApproval(home.path, await sign(home, bob));
      expect(await verdicts(home)).toEqual([needed === 0 ? 'a runs bob' : missing]);
      await putApproval(home.path, await sign(home, alice));
      expect(await verdicts(home)).toEqual(['a runs alice,bob']);
    }
  });

  it('says how many it needs, whose count, why others do not, and how to approve it', async () => {
    await using home = await homeWith({ enablement: { approvals: 3 } });
    await putApproval(home.path, await sign(home, alice));
    const { bytes } = await bob.signs({ subject: 'test.a-1.0.0', packageDigest: `sha256:${'0'.repeat(64)}`, grantsDigest: `sha256:${'0'.repeat(64)}`, instance: 'a' });
    await putApproval(home.path, { name: 'x.dsse.json', bytes });
    const { diagnostics } = await look(home);
    expect(diagnostics.find(({ code }) => code === 'APPROVAL_MISSING')).toMatchObject({
      message: expect.stringMatching(/^Instance 'a' needs 3 approvals and has 1 \(alice\); the approval of bob does not count: it is about test\.a-1\.0\.0 with digest sha256:0+\.$/),
      fix: expect.stringContaining('gatehouse approve a --reviewer NAME'),
    });
    await using other = await homeWith({ enablement: { approvals: 1 } });
    expect((await look(other)).diagnostics.find(({ code }) => code === 'APPROVAL_MISSING')).toMatchObject({ message: "Instance 'a' needs 1 approval and has 0." });
  });

  it.each<[string, Partial<Enablement>]>([
    ['grants', { grants: [kv(99)] }],
    ['limits', { limits: { heapMb: 33 } }],
    ['secrets', { secrets: { key: { env: 'OTHER' } } }],
    ['onQuarantine', { onQuarantine: 'exit' }],
  ])('needs a new one after a change of its %s', async (_, changes) => {
    await using home = await homeWith();
    await putApproval(home.path, await sign(home, alice));
    const enablement = { plugin: 'test.a', instance: 'a', source: 'plugins/test.a-1.0.0', approvals: 1, grants: [kv(100), { name: 'secret.use', handle: 'key', audience: 'https://a.example', inject: { header: 'x-key' } }], secrets: { key: { env: 'KEY' } } };
    await home.write('manifests/plugins/a.json', { ...enablement, order: 7, required: true });
    expect(await verdicts(home)).toEqual(['a runs alice']);
    await home.write('manifests/plugins/a.json', { ...enablement, ...changes });
    expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_MISSING']);
    await putApproval(home.path, await sign(home, alice));
    expect(await verdicts(home)).toEqual(['a runs alice']);
  });

  it('needs a new one for another version', async () => {
    await using home = await homeWith();
    await putApproval(home.path, await sign(home, alice));
    await home.add({ name: 'a', kind: 'skill', source: SKILL, version: '1.1.0', enablement: { approvals: 1 } });
    expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_MISSING']);
    expect(findings(await look(home))).toEqual(['APPROVAL_MISSING degraded a', 'APPROVAL_UNUSED warning a']);
  });

  it('does not run by the word of its author, whatever record holds the key', async () => {
    const other = generateKey('test');
    const [sameName, otherKey] = [aReviewer('test'), aReviewer('dave', other)];
    await using home = await homeWith({ reviewers: [sameName, otherKey] });
    const file = join(home.path, 'manifests/trust/publishers/test.json');
    const record = JSON.parse(await readFile(file, 'utf8')) as { readonly keys: readonly unknown[] };
    await writeFile(file, JSON.stringify({ ...record, keys: [...record.keys, { keyid: other.keyid, publicKey: other.publicKey.toString('base64') }] }));
    for (const reviewer of [sameName, otherKey]) await putApproval(home.path, await sign(home, reviewer));
    expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_MISSING']);
    expect(findings(await look(home))).toEqual(['APPROVAL_MISSING degraded a', 'APPROVAL_UNUSED warning a', 'APPROVAL_UNUSED warning a', 'TRUST_RECORD degraded -']);
    // A key that somebody reviews with signs nothing.
    await home.write('manifests/trust/reviewers/carol.json', { reviewer: 'carol', keys: record.keys });
    expect(await verdicts(home)).toEqual(['a rejected KEY_UNTRUSTED']);
  });

  it('hears a reviewer whose key a publisher wrote into a record of his own', async () => {
    await using home = await homeWith();
    const { keyid, publicKey } = alice.key;
    await home.write('manifests/trust/publishers/mallory.json', { publisher: 'mallory', prefixes: ['mallory.'], keys: [{ keyid, publicKey: publicKey.toString('base64') }] });
    await putApproval(home.path, await sign(home, alice));
    expect(await verdicts(home)).toEqual(['a runs alice']);
    expect((await look(home)).diagnostics).toMatchObject([{ code: 'TRUST_RECORD', severity: 'degraded', manifest: expect.stringContaining('mallory.json'), message: expect.stringContaining("one that 'alice' reviews with, and signs no plugins") }]);
    await putApproval(home.path, await sign(home, alice, { decision: 'reject' }));
    expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_REJECTED']);
  });

  it('stays out while one reviewer rejects it, also where no approvals are asked for, until that reviewer approves', async () => {
    await using home = await homeWith({ enablement: { approvals: 0 } });
    await putApproval(home.path, await sign(home, bob));
    await putApproval(home.path, await sign(home, alice, { decision: 'reject', issuedAt: '2026-01-01T00:00:00.000Z' }));
    expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_REJECTED']);
    expect((await look(home)).diagnostics).toMatchObject([{ code: 'APPROVAL_REJECTED', message: "Instance 'a' is rejected by 'alice': looked at it" }]);
    await putApproval(home.path, await sign(home, alice));
    expect(await verdicts(home)).toEqual(['a runs alice,bob']);
    expect((await look(home)).diagnostics).toEqual([]);
  });

  it('counts nobody whose record, key or approval is gone, and nobody at all when nobody knows what was taken back', async () => {
    await using home = await homeWith();
    const approval = await sign(home, alice);
    const file = await putApproval(home.path, approval);
    const revoked = { id: approval.id, at: '2026-11-21T10:00:00.000Z', actor: 'alice', reason: 'a mistake' };
    for (const [take, give] of [
      [() => rm(file), () => putApproval(home.path, approval)],
      [() => rm(join(home.path, 'manifests/trust/reviewers/alice.json')), () => trustReviewers(home.path, alice)],
      [() => home.write('manifests/trust/revocations.json', { keys: [alice.key.keyid] }), () => rm(join(home.path, 'manifests/trust/revocations.json'))],
      [() => home.write('manifests/approvals/revoked.json', withRevoked([], revoked)), () => rm(join(home.path, 'manifests/approvals/revoked.json'))],
      [() => home.write('manifests/approvals/revoked.json', '{'), () => rm(join(home.path, 'manifests/approvals/revoked.json'))],
    ] as const) {
      expect(await verdicts(home)).toEqual(['a runs alice']);
      await take();
      expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_MISSING']);
      await give();
    }
  });

  it('says when time alone will change what counts: an approval that ends, or a key', async () => {
    await using home = await homeWith();
    expect((await look(home)).changesAt).toBeUndefined();
    const [soon, later] = ['2090-01-01T00:00:00.000Z', '2091-01-01T00:00:00.000Z'];
    await trustReviewers(home.path, aReviewer('alice', alice.key, { notAfter: later }));
    await putApproval(home.path, await sign(home, alice, { expiresAt: soon }));
    expect((await look(home)).changesAt).toBe(Date.parse(soon));
    expect(await verdicts(home, Date.parse(soon) - 1)).toEqual(['a runs alice']);
    expect(await verdicts(home, Date.parse(soon))).toEqual(['a pending-approval APPROVAL_MISSING']);
    await putApproval(home.path, await sign(home, alice));
    expect(await verdicts(home, Date.parse(later))).toEqual(['a runs alice']);
    expect(await verdicts(home, Date.parse(later) + 1)).toEqual(['a pending-approval APPROVAL_MISSING']);
  });

  it('tells of approvals that nobody needs, and not of those of what is switched off', async () => {
    await using home = await homeWith({ enablement: { approvals: 0 } });
    const unknown = { subject: 'test.b-1.0.0', packageDigest: `sha256:${'0'.repeat(64)}`, grantsDigest: `sha256:${'0'.repeat(64)}` };
    await putApproval(home.path, await alice.signs({ ...unknown, instance: 'b' }));
    expect((await look(home)).diagnostics).toMatchObject([{ code: 'APPROVAL_UNUSED', severity: 'warning', message: expect.stringContaining("nothing genuine is enabled as 'b'") }]);
    await home.write('manifests/plugins/b.json', { plugin: 'test.b', instance: 'b', enabled: false });
    expect((await look(home)).diagnostics).toEqual([]);
  });
});

describe('a host', () => {
  it('remembers what was taken back, so that neither the old file nor a missing list revives it; and tells the log once', async () => {
    await using home = await homeWith();
    const clock = systemClock;
    const start = async () => {
      const store = await openStore({ dir: join(home.path, 'data/store'), clock });
      const audit = await openAuditLog({ config: configOf(home.path), store, clock });
      const actions: string[] = [];
      const told: typeof audit.commit = (drafts, beside) => {
        actions.push(...drafts.filter(({ action }) => action.startsWith('approval.')).map(({ action, actor, resource }) => `${actor} ${action} ${resource}`));
        return audit.commit(drafts, beside);
      };
      const registry = await Registry.open({ config: configOf(home.path), store, audit: { commit: told }, clock, ids: createIds(clock), env: { KEY: 'the value of a key' } });
      const view = registry.view('a');
      const [approval] = registry.approvals;
      await store[Symbol.asyncDispose]();
      return { state: view.state, code: view.code, actions, counts: approval?.counts, problem: approval?.problem };
    };
    const approval = await sign(home, alice);
    const file = await putApproval(home.path, approval);
    expect(await start()).toMatchObject({ state: 'approved', actions: ['reviewer:alice approval.add a'], counts: true });
    expect(await start()).toMatchObject({ state: 'approved', actions: [] });

    await home.write('manifests/approvals/revoked.json', withRevoked([], { id: approval.id, at: '2026-11-21T10:00:00.000Z', actor: 'command line', reason: 'a mistake' }));
    expect(await start()).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_MISSING', actions: [`command line approval.revoke ${approval.id}`], counts: false, problem: 'it was revoked' });
    await rm(join(home.path, 'manifests/approvals/revoked.json'));
    await writeFile(file, approval.bytes);
    expect(await start()).toMatchObject({ state: 'pending-approval', code: 'APPROVAL_MISSING', actions: [] });
    await putApproval(home.path, await sign(home, alice));
    expect((await start()).state).toBe('approved');
  });

  it('keeps a veto it has seen, whatever becomes of its file and its reviewer, until it is taken back or its reviewer approves', async () => {
    await using home = await homeWith({ enablement: { approvals: 0 } });
    const start = async () => {
      const store = await openStore({ dir: join(home.path, 'data/store'), clock: systemClock });
      const audit = await openAuditLog({ config: configOf(home.path), store, clock: systemClock });
      const registry = await Registry.open({ config: configOf(home.path), store, audit, clock: systemClock, ids: createIds(systemClock), env: { KEY: 'the value of a key' } });
      const { state, code } = registry.view('a');
      await store[Symbol.asyncDispose]();
      return `${state} ${code}`;
    };
    const veto = await sign(home, alice, { decision: 'reject' });
    const file = await putApproval(home.path, veto);
    const record = join(home.path, 'manifests/trust/reviewers/alice.json');
    expect(await start()).toBe('pending-approval APPROVAL_REJECTED');
    for (const [harm, mend] of [
      [() => writeFile(file, veto.bytes.subarray(0, 100)), () => putApproval(home.path, veto)],
      [() => writeFile(file, Buffer.alloc(300_000)), () => putApproval(home.path, veto)],
      [() => rm(record), () => trustReviewers(home.path, alice)],
      [() => writeFile(record, '{'), () => trustReviewers(home.path, alice)],
      [() => rm(file), () => Promise.resolve()],
    ] as const) {
      await harm();
      expect(await start()).toBe('pending-approval APPROVAL_REJECTED');
      await mend();
    }
    const approval = await sign(home, alice);
    await putApproval(home.path, approval);
    expect(await start()).toBe('approved undefined');
    await rm(join(home.path, 'manifests/approvals', approval.name));
    expect(await start()).toBe('pending-approval APPROVAL_REJECTED');
    await home.write('manifests/approvals/revoked.json', withRevoked([], { id: veto.id, at: '2026-11-21T10:00:00.000Z', actor: 'command line', reason: 'a mistake' }));
    expect(await start()).toBe('approved undefined');
    await putApproval(home.path, veto);
    expect(await start()).toBe('approved undefined');
  });

  it('does not start, and hears every veto, beside a list of those taken back that it cannot understand', async () => {
    await using home = await homeWith({ enablement: { approvals: 0 } });
    await putApproval(home.path, await sign(home, alice, { decision: 'reject' }));
    await putApproval(home.path, await sign(home, bob));
    await home.write('manifests/approvals/revoked.json', '{');
    expect(await verdicts(home)).toEqual(['a pending-approval APPROVAL_REJECTED']);
    const found = await look(home);
    expect(findings(found)).toEqual(['APPROVAL_REJECTED degraded a', 'JSON_INVALID fatal -']);

    // One that runs goes by its last look, but for vetoes that come in.
    await rm(join(home.path, 'manifests/approvals/revoked.json'));
    const before = await look(home);
    const last = { understood: before.understood, isUnsettled: () => false, isRunning: () => false, targets: [] };
    await home.write('manifests/approvals/revoked.json', '{');
    await putApproval(home.path, await sign(home, bob, { decision: 'reject' }));
    const running = await surveyHome(home.path, { env: { KEY: 'the value of a key' }, last });
    expect(findings(running)).toEqual(['APPROVAL_REJECTED degraded a', 'JSON_INVALID degraded -']);
    expect(running.diagnostics.map(({ message }) => message).join()).toContain("'alice' and 'bob'");
  });

  it('is not ended by what lies in the folder', async () => {
    await using home = await homeWith();
    const folder = join(home.path, 'manifests/approvals');
    await mkdir(join(folder, 'folder.dsse.json'), { recursive: true });
    await writeFile(join(folder, 'a.dsse.json'), '[]');
    await writeFile(join(folder, 'b.dsse.json'), Buffer.from([0xff, 0xfe]));
    await writeFile(join(folder, 'c.json'), '{');
    expect(findings(await look(home))).toEqual(['APPROVAL_MISSING degraded a', 'APPROVAL_REFUSED warning -', 'APPROVAL_REFUSED warning -', 'APPROVAL_REFUSED warning -']);
  });
});
