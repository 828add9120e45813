// Whose word counts for what would run, and which statements are believed at all: counting rules, broken and foreign files, envelopes of another kind, reviewers' records.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ApprovalPredicate } from '../../schemas/approval.ts';
import type { ApprovalView } from '../../schemas/control.ts';
import { signPackage } from '../../host/authoring/sign.ts';
import { systemClock } from '../../host/clock.ts';
import { MOST_BY_ONE, openApprovalDesk } from '../../host/registry/approval-desk.ts';
import { loadApprovals, loadRevoked, withRevoked } from '../../host/trust/approval-files.ts';
import { readApproval, sealApproval, writeApproval } from '../../host/trust/approval-statement.ts';
import { decisionsOn, type ApprovalTarget, type Standings, type StoredApproval } from '../../host/trust/approvals.ts';
import { preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { generateKey, sign } from '../../host/trust/keys.ts';
import { revocationList, revocationsIn } from '../../host/trust/revocation.ts';
import { loadReviewers, type Reviewers } from '../../host/trust/reviewers.ts';
import { readTrustRecord } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { aReviewer, type TestReviewer } from '../support/approvals.ts';
import { buildTestPackage, newTestKey } from '../support/packages.ts';
import { refusalOf } from '../support/refusal.ts';
import { tempDir } from '../support/temp.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const GRANTS = `sha256:${'b'.repeat(64)}`;
const OTHER = `sha256:${'c'.repeat(64)}`;
const AUTHOR = generateKey('acme');
const TARGET: ApprovalTarget = { instance: 'weather', subject: 'acme.weather-1.2.3', packageDigest: DIGEST, grantsDigest: GRANTS, keyid: AUTHOR.keyid, publisher: 'acme' };
const NOW = Date.parse('2026-11-21T12:00:00.000Z');
const STANDINGS: Standings = { revocations: revocationList([]), isRevoked: () => false, isKeyOf: () => false, now: NOW };
const KEYS = new Map(['alice', 'bob', 'carol', 'acme'].map((name) => [name, generateKey(name)]));

/** An approval by alice of exactly the target, but for what the test changes. */
function an(changes: Partial<StoredApproval> = {}): StoredApproval {
  const { reviewer = 'alice' } = changes;
  const key = KEYS.get(reviewer) ?? AUTHOR;
  const { keyid } = key;
  return {
    id: `${reviewer}-${changes.decision ?? 'approve'}-${changes.issuedAt ?? ''}`, file: `${reviewer}.dsse.json`, keyid, key: {},
    subject: TARGET.subject, packageDigest: DIGEST, grantsDigest: GRANTS, instance: 'weather', reviewer, decision: 'approve', note: 'fine', issuedAt: '2026-11-21T10:00:00.000Z', ...changes,
  };
}

const window = (from: string | undefined, to: string | undefined) => ({ ...(from === undefined ? {} : { notBefore: from }), ...(to === undefined ? {} : { notAfter: to }) });
const at = (time: string) => `2026-11-21T${time}.000Z`;

interface Count {
  readonly title: string;
  readonly stored: readonly StoredApproval[];
  readonly standings?: Partial<Standings>;
  readonly approved?: readonly string[];
  readonly rejected?: readonly string[];
  readonly why?: string;
}

describe('approvals', () => {
  it.each<Count>([
    { title: 'of two people are two', stored: [an({ reviewer: 'bob' }), an()], approved: ['alice', 'bob'] },
    { title: 'of one person with two keys are one', stored: [an(), an({ id: 'x', keyid: 'ed25519:2' })], approved: ['alice'] },
    { title: 'of one person at two times are one', stored: [an(), an({ issuedAt: at('11:00:00') })], approved: ['alice'] },
    { title: 'of another package count for nothing', stored: [an({ packageDigest: OTHER })], why: 'is about acme.weather-1.2.3 with digest' },
    { title: 'that call the package something else count for nothing', stored: [an({ subject: 'acme.weather-9.9.9' })], why: 'acme.weather-9.9.9' },
    { title: 'of other grants count for nothing', stored: [an({ grantsDigest: OTHER })], why: 'other grants' },
    { title: 'of another instance are not about it', stored: [an({ instance: 'wetter' })] },
    { title: 'that name the signer count', stored: [an({ signedBy: AUTHOR.keyid })], approved: ['alice'] },
    { title: 'about the same content signed by another key count for nothing', stored: [an({ signedBy: 'ed25519:2' })], why: 'it is about the release that ed25519:2 signed' },
    { title: 'by the author’s key count for nothing', stored: [an({ keyid: AUTHOR.keyid })], why: 'does not review it' },
    { title: 'by whoever is called like the publisher count for nothing', stored: [an({ reviewer: 'acme' })], why: 'does not review it' },
    { title: 'by a key that the publisher’s record names count for nothing', stored: [an()], standings: { isKeyOf: (keyid, publisher) => keyid === KEYS.get('alice')?.keyid && publisher === 'acme' }, why: 'does not review it' },
    { title: 'by a key that another publisher’s record names count', stored: [an()], standings: { isKeyOf: (_, publisher) => publisher === 'other' }, approved: ['alice'] },
    { title: 'of others do not outweigh a veto by a key that the publisher’s record names', stored: [an({ reviewer: 'bob' }), an({ decision: 'reject' })], standings: { isKeyOf: (keyid) => keyid === KEYS.get('alice')?.keyid }, approved: ['bob'], rejected: ['alice'] },
    { title: 'that expired count no more', stored: [an({ expiresAt: at('12:00:00') })], why: 'expired' },
    { title: 'that will expire count until then', stored: [an({ expiresAt: at('12:00:01') })], approved: ['alice'] },
    { title: 'dated in the future do not count yet', stored: [an({ issuedAt: at('12:06:00') })], why: 'still to come' },
    { title: 'of a clock that is a little ahead count', stored: [an({ issuedAt: at('12:04:00') })], approved: ['alice'] },
    { title: 'by a key whose window is over count no more', stored: [an({ key: window(undefined, at('11:00:00')) })], why: 'valid from' },
    { title: 'dated before their key began count for nothing', stored: [an({ key: window(at('10:30:00'), undefined) })], why: 'valid from' },
    { title: 'by a revoked key count for nothing', stored: [an()], standings: { revocations: revocationList(revocationsIn({ keys: [String(KEYS.get('alice')?.keyid)] })) }, why: 'revoked' },
    { title: 'that were revoked count for nothing', stored: [an({ id: 'gone' }), an({ reviewer: 'bob' })], standings: { isRevoked: (id) => id === 'gone' }, approved: ['bob'], why: 'it was revoked' },
    { title: 'give way to a later rejection by the same person', stored: [an(), an({ decision: 'reject', issuedAt: at('11:00:00') })], rejected: ['alice'] },
    { title: 'end an earlier rejection by the same person', stored: [an({ decision: 'reject' }), an({ issuedAt: at('11:00:00') })], approved: ['alice'] },
    { title: 'at the moment of a rejection lose', stored: [an(), an({ decision: 'reject' })], rejected: ['alice'] },
    { title: 'of others do not outweigh a rejection', stored: [an({ reviewer: 'bob' }), an({ reviewer: 'carol' }), an({ decision: 'reject' })], approved: ['bob', 'carol'], rejected: ['alice'] },
    { title: 'of other grants do not end a rejection', stored: [an({ decision: 'reject' }), an({ issuedAt: at('11:00:00'), grantsDigest: OTHER })], rejected: ['alice'], why: 'other grants' },
  ])('$title', ({ stored, standings = {}, approved = [], rejected = [], why }) => {
    for (const order of [stored, stored.toReversed()]) {
      const { approvals, rejections, passedOver } = decisionsOn(order, TARGET, { ...STANDINGS, ...standings });
      expect({ approved: approvals.map(({ reviewer }) => reviewer), rejected: rejections.map(({ reviewer }) => reviewer) }).toEqual({ approved, rejected });
      expect(passedOver.length).toBe(why === undefined ? 0 : 1);
      expect(passedOver.map(({ problem }) => problem).join()).toContain(why ?? '');
    }
  });

  it.each<[string, Partial<StoredApproval>, readonly string[]]>([
    ['whatever the package is given', { grantsDigest: OTHER }, ['alice']],
    ['after the window of its key', { key: window(undefined, at('11:00:00')) }, ['alice']],
    ['not of another package', { packageDigest: OTHER }, []],
    ['not by the author', { keyid: AUTHOR.keyid }, []],
    ['not after it expired', { expiresAt: at('11:00:00') }, []],
  ])('that reject veto %s', (_, changes, rejected) => {
    expect(decisionsOn([an({ decision: 'reject', ...changes })], TARGET, STANDINGS).rejections.map(({ reviewer }) => reviewer)).toEqual(rejected);
  });
});

/** As the survey would know them. */
async function known(...reviewers: readonly TestReviewer[]): Promise<Reviewers> {
  await using dir = await tempDir();
  for (const { name, record } of reviewers) await writeFile(join(dir.path, `${name}.json`), JSON.stringify(record));
  return (await loadReviewers(dir.path)).store;
}

const STATEMENT = { subject: TARGET.subject, packageDigest: DIGEST, grantsDigest: GRANTS, instance: 'weather' };

describe('an approval envelope', () => {
  const alice = aReviewer('alice');
  const sealed = (payload: Buffer | string, key = alice.key) => {
    const bytes = Buffer.from(payload);
    return writeEnvelope({ payload: bytes, keyid: key.keyid, signature: sign(key, preAuthEncoding(bytes)) });
  };
  const predicate: ApprovalPredicate = { ...STATEMENT, reviewer: 'alice', decision: 'approve', note: 'fine', issuedAt: at('10:00:00') };
  const statement = (changes: object = {}, top: object = {}) => JSON.stringify({ ...JSON.parse(writeApproval(TARGET.subject, predicate).toString()), predicate: { ...predicate, subject: undefined, ...changes }, ...top });

  it('is read back as it was signed, and has one name wherever it is made', async () => {
    const { id, name, bytes } = await alice.signs({ ...STATEMENT, note: 'read all of it' });
    const { approval } = readApproval(bytes, 'x', await known(alice));
    expect(approval).toMatchObject({ id, reviewer: 'alice', decision: 'approve', note: 'read all of it', packageDigest: DIGEST, grantsDigest: GRANTS, instance: 'weather', subject: 'acme.weather-1.2.3', keyid: alice.key.keyid });
    expect(name).toBe(`weather-1.2.3-alice-${id.slice(0, 12)}.dsse.json`);
    const reformatted = Buffer.from(JSON.stringify(JSON.parse(bytes.toString())));
    expect(readApproval(reformatted, 'x', await known(alice)).approval.id).toBe(id);
  });

  it('changed in any one byte is refused', async () => {
    const { bytes } = await alice.signs(STATEMENT);
    const reviewers = await known(alice);
    const survivors: number[] = [];
    for (let offset = 0; offset < bytes.length; offset += 1) {
      const changed = Buffer.from(bytes);
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      const refusal = await refusalOf(() => readApproval(changed, 'x', reviewers, { known: () => true, remember: () => undefined }));
      if (refusal?.code !== 'APPROVAL_REFUSED') survivors.push(offset);
    }
    // A space that became `!` is no JSON either: nothing survives.
    expect(survivors).toEqual([]);
  });

  it.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ['is no JSON', () => Buffer.from('{'), 'not valid JSON'],
    ['is by nobody who is known', async () => (await aReviewer('alice').signs(STATEMENT)).bytes, 'no reviewer'],
    ['is signed by one and speaks for another', async () => (await aReviewer('alice', alice.key).signs({ ...STATEMENT, reviewer: 'bob' })).bytes, "signed by 'alice' and speaks for 'bob'"],
    ['has two signatures', async () => Buffer.from(JSON.stringify({ ...JSON.parse((await alice.signs(STATEMENT)).bytes.toString()), signatures: Array.from({ length: 2 }, () => ({ keyid: alice.key.keyid, sig: Buffer.alloc(64).toString('base64') })) })), 'signatures'],
    ['carries a signature over another payload', async () => {
      const [one, other] = await Promise.all([alice.signs(STATEMENT), alice.signs({ ...STATEMENT, grantsDigest: OTHER })]).then((all) => all.map(({ bytes }): { payload: string } => JSON.parse(bytes.toString())));
      return Buffer.from(JSON.stringify({ ...one, payload: other?.payload }));
    }, 'does not verify'],
    ['names the digest of one package and the subject of another', () => sealed(statement({ packageDigest: OTHER })), 'another package'],
    ['has a field nobody knows', () => sealed(statement({ sudo: true })), "'sudo'"],
    ['has no note', () => sealed(statement({ note: '' })), 'note'],
    ['decides something else', () => sealed(statement({ decision: 'approved' })), 'decision'],
    ['is dated on a day that does not exist', () => sealed(statement({ issuedAt: '2026-02-30T00:00:00.000Z' })), 'no such time'],
    ['says a thing twice', () => sealed(statement().replace('"decision":"approve"', '"decision":"reject","decision":"approve"')), 'twice'],
    ['has two subjects', () => sealed(statement({}, { subject: Array.from({ length: 2 }, () => ({ name: 'a', digest: { sha256: 'a'.repeat(64) } })) })), 'subject'],
    ['is of another predicate type', () => sealed(statement({}, { predicateType: 'https://gatehouse.dev/plugin-approval/v2' })), 'predicateType'],
  ])('that %s is refused', async (_, make, problem) => {
    const refusal = await refusalOf(async () => readApproval(await make(), 'x', await known(alice)));
    expect(refusal).toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringContaining(problem) });
  });

  it('is never taken for a release, nor a release for an approval, although one key signed both', async () => {
    await using dir = await tempDir();
    const key = newTestKey('acme');
    const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.weather', kind: 'skill', source: '', key });
    const trust = { publisher: 'acme', prefixes: ['acme.'], keys: [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64') }] };
    const store = { records: [], signers: () => readTrustRecord(Buffer.from(JSON.stringify(trust)), 'acme.json').signers };
    const options = { trust: store, revocations: null, now: NOW, secondOpinion: 'always', profile: 'local', strict: false } as const;
    const { packageDigest } = await signPackage(path, { key, now: NOW });
    const reviewer = aReviewer('acme', key);
    const release = await readFile(join(path, 'plugin.dsse.json'));

    expect(await refusalOf(async () => readApproval(release, 'x', await known(reviewer)))).toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringContaining('subject') });
    expect(await verifyPackage(path, options)).toMatchObject({ ok: true });
    await writeFile(join(path, 'plugin.dsse.json'), (await reviewer.signs({ ...STATEMENT, packageDigest })).bytes);
    expect(await verifyPackage(path, options)).toMatchObject({ ok: false, error: { code: 'RELEASE_ENVELOPE' } });
  });

  it('is not made from a signature that does not hold', async () => {
    const stranger = generateKey('mallory');
    for (const signature of [() => sign(stranger, Buffer.from('x')), () => Buffer.alloc(64), () => Buffer.alloc(12)]) {
      expect(await refusalOf(() => sealApproval(Buffer.from(statement()), { keyid: alice.key.keyid, sign: signature }, alice.key.publicKey))).toMatchObject({ code: 'SIGNER_FAILED' });
    }
  });
});

describe('the folder of approvals', () => {
  async function load(files: Readonly<Record<string, Uint8Array | string>>, ...reviewers: readonly TestReviewer[]) {
    await using dir = await tempDir();
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir.path, name), content);
    const remembered: string[] = [];
    const found = await loadApprovals(dir.path, await known(...reviewers), { known: () => false, remember: (digest) => void remembered.push(digest) });
    return { ...found, remembered };
  }

  it('that is not there holds none', async () => {
    expect(await loadApprovals('/not/there', await known(), 'always')).toEqual({ stored: [], diagnostics: [] });
  });

  it('gives every approval once, and tells of copies, broken files and strangers without losing the others', async () => {
    const alice = aReviewer('alice');
    const [one, two] = await Promise.all([alice.signs(STATEMENT), alice.signs({ ...STATEMENT, decision: 'reject' })]);
    const { stored, diagnostics, remembered } = await load({ 'a.dsse.json': one.bytes, 'b.dsse.json': one.bytes, 'c.dsse.json': two.bytes, 'd.dsse.json': '{', 'e.dsse.json': (await aReviewer('mallory').signs(STATEMENT)).bytes, 'f.dsse.json': Buffer.alloc(300_000), '.g.dsse.json': '{', 'notes.txt': 'x' }, alice);
    expect(stored.map(({ id, decision }) => [id, decision])).toEqual([[one.id, 'approve'], [two.id, 'reject']]);
    expect(diagnostics.map(({ code, severity, manifest }) => `${code} ${severity} ${manifest?.slice(-11)}`)).toEqual(['APPROVAL_UNUSED warning b.dsse.json', 'APPROVAL_REFUSED warning d.dsse.json', 'APPROVAL_REFUSED warning e.dsse.json', 'APPROVAL_REFUSED warning f.dsse.json']);
    expect(new Set(remembered).size).toBe(2);
  });

  it('of more files than are read is told of as trouble', async () => {
    const files = Object.fromEntries(Array.from({ length: 2001 }, (_, index) => [`${index}.dsse.json`, '{']));
    const { diagnostics } = await load(files);
    expect(diagnostics).toHaveLength(2001);
    expect(diagnostics.filter(({ severity }) => severity === 'degraded')).toMatchObject([{ code: 'APPROVAL_REFUSED', message: expect.stringContaining('it holds 2001 files, and only the first 2000 are read') }]);
  });

  it('is not filled by one reviewer through the desk, also not with many at once, and still takes that one’s veto', async () => {
    await using dir = await tempDir();
    const [alice, bob] = [aReviewer('alice'), aReviewer('bob')];
    const reviewers = await known(alice, bob);
    const files = join(dir.path, 'manifests/approvals');
    const OLDER = 'manifests/approvals/older.json';
    const approvals: ApprovalView[] = [];
    const look = async () => {
      const { stored } = await loadApprovals(files, reviewers, { known: () => true, remember: () => undefined });
      const views = stored.map((each) => ({ ...each, file: relative(dir.path, each.file), counts: true }));
      const older = views.slice(0, 1).flatMap((view) => Array.from({ length: MOST_BY_ONE - 3 }, (_, index) => ({ ...view, id: `older ${index}`, file: OLDER })));
      approvals.splice(0, Infinity, ...views, ...older);
    };
    const registry = { approvals, reviewers, inTurn: <T>(work: () => Promise<T>) => work() };
    const desk = openApprovalDesk({ config: { home: dir.path, manifestsDir: join(dir.path, 'manifests') }, clock: systemClock, registry, onWriting: () => undefined, look });
    const add = async (by: TestReviewer, changes: Partial<ApprovalPredicate> = {}) => desk.add(JSON.parse((await by.signs({ ...STATEMENT, ...changes })).bytes.toString()));

    await mkdir(files, { recursive: true });
    await writeFile(join(dir.path, OLDER), '');
    await add(alice);
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map((note) => add(alice, { note })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))).toMatchObject(Array.from({ length: 2 }, () => ({ code: 'APPROVAL_REFUSED', message: expect.stringContaining("'alice' has 400 such files here") })));
    expect(await add(alice, { decision: 'reject' })).toMatchObject({ decision: 'reject' });
    expect(await add(bob)).toMatchObject({ reviewer: 'bob' });
    await rm(join(dir.path, OLDER));
    expect(await add(alice, { note: 'room again' })).toMatchObject({ note: 'room again' });
  });

  it('says which were taken back, and is not believed at all when that list cannot be understood', async () => {
    const { id } = await aReviewer('alice').signs(STATEMENT);
    const entry = { id, at: at('11:00:00'), actor: 'alice', reason: 'a mistake' };
    const revokedIn = async (text: string) => {
      await using dir = await tempDir();
      await writeFile(join(dir.path, 'revoked.json'), text);
      return await loadRevoked(dir.path);
    };
    expect(await revokedIn(withRevoked([], entry))).toEqual([entry]);
    for (const bad of ['{', '{"revoked":[{"id":"x"}]}', '{"revoked":[],"revoked":[]}']) expect(await refusalOf(() => revokedIn(bad))).toBeDefined();
  });

  it('is never given a list of those taken back that could not be read again', async () => {
    const { id } = await aReviewer('alice').signs(STATEMENT);
    const entry = { id, at: at('11:00:00'), actor: 'alice', reason: 'a mistake' };
    const full = Array.from({ length: 10_000 }, () => entry);
    for (const [revoked, reason] of [[[], ''], [[], 'x'.repeat(1001)], [full, 'one too many']] as const) {
      expect(await refusalOf(() => withRevoked(revoked, { ...entry, reason }))).toMatchObject({ code: expect.stringMatching(/^SCHEMA_/) });
    }
  });
});

describe('records of reviewers', () => {
  async function load(files: Readonly<Record<string, unknown>>) {
    await using dir = await tempDir();
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir.path, name), typeof content === 'string' ? content : JSON.stringify(content));
    return await loadReviewers(dir.path);
  }
  const good = aReviewer('good');
  const alice = aReviewer('alice');
  const [entry] = alice.record.keys;
  const lowOrder = Buffer.alloc(32);

  it('name people and their keys', async () => {
    const second = generateKey('alice');
    const { store, diagnostics } = await load({ 'alice.json': { reviewer: 'alice', keys: [...alice.record.keys, { keyid: second.keyid, publicKey: second.publicKey.toString('base64'), notAfter: at('10:00:00') }] }, 'alice.key.json': '{}', '.x.json': '{' });
    expect(diagnostics).toEqual([]);
    expect([store.find(alice.key.keyid), store.find(second.keyid)]).toMatchObject([{ reviewer: 'alice' }, { reviewer: 'alice', notAfter: at('10:00:00') }]);
    expect(store.find(good.key.keyid)).toBeUndefined();
  });

  it.each<[string, Record<string, unknown>, readonly string[]]>([
    ['is no JSON', { 'bad.json': '{' }, ['TRUST_RECORD bad.json']],
    ['has an unknown key', { 'bad.json': { ...alice.record, prefixes: ['acme.'] } }, ['TRUST_RECORD bad.json']],
    ['marks a key for development', { 'bad.json': { reviewer: 'alice', keys: [{ ...entry, development: true }] } }, ['TRUST_RECORD bad.json']],
    ['holds a key of low order', { 'bad.json': { reviewer: 'alice', keys: [{ keyid: entry?.keyid, publicKey: lowOrder.toString('base64') }] } }, ['KEY_REFUSED bad.json']],
    ['holds a key under another keyid', { 'bad.json': { reviewer: 'alice', keys: [{ ...entry, keyid: good.key.keyid }] } }, ['KEY_REFUSED bad.json']],
    ['names a key twice', { 'bad.json': { reviewer: 'alice', keys: [entry, entry] } }, ['TRUST_RECORD bad.json']],
    ['has a window that ends before it begins', { 'bad.json': { reviewer: 'alice', keys: [{ ...entry, notBefore: at('11:00:00'), notAfter: at('10:00:00') }] } }, ['TRUST_RECORD bad.json']],
    ['shares a key with another', { 'a.json': alice.record, 'b.json': { ...alice.record, reviewer: 'bob' } }, ['TRUST_RECORD a.json', 'TRUST_RECORD b.json']],
    ['names a person who has a record', { 'a.json': alice.record, 'b.json': aReviewer('alice').record }, ['TRUST_RECORD a.json', 'TRUST_RECORD b.json']],
  ])('one that %s is refused, and only that', async (_, files, refused) => {
    const { store, diagnostics } = await load({ ...files, 'good.json': good.record });
    expect(diagnostics.map(({ code, manifest }) => `${code} ${manifest?.split('/').at(-1)}`)).toEqual(refused);
    expect(store.records.map(({ record }) => record.reviewer)).toEqual(['good']);
    expect(store.find(alice.key.keyid)).toBeUndefined();
  });
});
