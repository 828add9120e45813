// Successions of keys: an old key introduces the next, no wider than itself, while it counts, once; and what becomes of that when it is revoked.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { generateKey, sign, type SigningKey } from '../../host/trust/keys.ts';
import { revocationList } from '../../host/trust/revocation.ts';
import { loadSuccessions, MOST_LINKS, withSuccessions, type SuccessionContext, type Succession } from '../../host/trust/successions.ts';
import { loadTrust, type TrustStore } from '../../host/trust/trust-store.ts';
import type { TrustedKey } from '../../schemas/release.ts';
import { aList, aSuccession, HOUR_MS } from '../support/revocations.ts';
import { tempDir } from '../support/temp.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const [a, b, c, d] = ['acme', 'acme', 'acme', 'acme'].map(generateKey) as [SigningKey, SigningKey, SigningKey, SigningKey];
const beta = generateKey('beta');

async function trusting(...keys: readonly (SigningKey & Partial<Omit<TrustedKey, 'publicKey'>>)[]): Promise<TrustStore> {
  await using dir = await tempDir();
  await mkdir(dir.path, { recursive: true });
  for (const [publisher, own] of Map.groupBy(keys, (key) => key.publisher)) {
    const record = { publisher, prefixes: [`${publisher}.tools.`], keys: own.map(({ keyid, publicKey, notBefore, notAfter, development }) => ({ keyid, publicKey: publicKey.toString('base64'), notBefore, notAfter, development })) };
    await writeFile(join(dir.path, `${publisher}.json`), JSON.stringify(record));
  }
  return (await loadTrust([dir.path])).store;
}

function succeed(store: TrustStore, statements: readonly Uint8Array[], { revoked = [], remembered = [], now = NOW }: { readonly revoked?: readonly SigningKey[]; readonly remembered?: readonly Succession[]; readonly now?: number } = {}) {
  const context: SuccessionContext = {
    now,
    revocations: revocationList(revoked.map(({ keyid }) => ({ keyid }))),
    remembered: (oldKeyid) => remembered.map((each) => ({ ...each, acceptedAt: '' })).find((each) => each.oldKeyid === oldKeyid),
  };
  const { store: after, accepted, diagnostics } = withSuccessions(store, statements.map((bytes, index) => ({ source: `${index}`, bytes })), context);
  return { signers: (key: SigningKey) => after.signers(key.keyid), accepted, problems: diagnostics.map(({ code, manifest, message }) => `${code} ${manifest} ${message}`) };
}

describe('a succession', () => {
  it('lets the new key sign what the old one may, from the day it names', async () => {
    const { signers, accepted, problems } = succeed(await trusting(a), [aSuccession(a, b, NOW, NOW + HOUR_MS)]);
    expect(problems).toEqual([]);
    expect(signers(b)).toMatchObject([{ publisher: 'acme', prefixes: ['acme.tools.'], development: false, notBefore: '2026-11-21T09:00:00.000Z', source: '0', introducedBy: a.keyid }]);
    expect(signers(b)[0]?.publicKey).toEqual(b.publicKey);
    expect(signers(a)).toHaveLength(1);
    expect(accepted).toMatchObject([{ publisher: 'acme', oldKeyid: a.keyid, newKeyid: b.keyid }]);
  });

  it('follows another, in whatever order the files are', async () => {
    const { signers, accepted } = succeed(await trusting(a), [aSuccession(b, c, NOW), aSuccession(a, b, NOW)]);
    expect(signers(c)).toMatchObject([{ publisher: 'acme', introducedBy: b.keyid }]);
    expect(accepted.map(({ newKeyid }) => newKeyid)).toEqual([b.keyid, c.keyid]);
  });

  it('falls with a revoked key, and so does every later one; a key that a record names stays', async () => {
    const statements = [aSuccession(a, b, NOW), aSuccession(b, c, NOW)];
    const byChain = succeed(await trusting(a), statements, { revoked: [a] });
    expect([byChain.signers(b), byChain.signers(c)]).toEqual([[], []]);
    expect(byChain.problems).toEqual([expect.stringContaining('every key it introduced'), expect.stringContaining('no key of a trusted publisher')]);
    expect(succeed(await trusting(a), statements, { revoked: [b] }).signers(c)).toEqual([]);
    const named = succeed(await trusting(a, b), statements, { revoked: [a] });
    expect([named.signers(b), named.signers(c)]).toMatchObject([[{ source: expect.stringContaining('acme.json') }], [{ introducedBy: b.keyid }]]);
  });

  it('made while the old key was valid counts after its end, if it was here before', async () => {
    const statement = aSuccession(a, b, NOW);
    const store = await trusting({ ...a, notAfter: '2026-11-22T00:00:00.000Z' });
    const { accepted } = succeed(store, [statement]);
    const later = NOW + 48 * HOUR_MS;
    expect(succeed(store, [statement], { now: later, remembered: accepted }).signers(b)).toHaveLength(1);
    expect(succeed(store, [statement], { now: later })).toMatchObject({ accepted: [], problems: [expect.stringContaining('not here while it was')] }); // backdated by a thief, for all anybody knows
  });

  it('is one of a kind: a second key introduced by the same one counts only if it came first', async () => {
    const store = await trusting(a);
    const both = [aSuccession(a, b, NOW), aSuccession(a, c, NOW)];
    const { signers, problems } = succeed(store, both);
    expect([signers(b), signers(c)]).toEqual([[], []]);
    expect(problems).toEqual([expect.stringContaining('several successors'), expect.stringContaining('several successors')]);
    const { accepted } = succeed(store, both.slice(0, 1));
    const after = succeed(store, both, { remembered: accepted });
    expect([after.signers(b).length, after.signers(c)]).toEqual([1, []]);
    expect(after.problems).toEqual([expect.stringContaining(`has introduced ${b.keyid} before`)]);
  });

  it('said twice counts once', async () => {
    const statement = aSuccession(a, b, NOW);
    const { accepted, problems } = succeed(await trusting(a), [statement, statement, aSuccession(a, b, NOW + 1000)]);
    expect([accepted.length, problems]).toEqual([1, []]);
  });

  it('leads no further than a bounded chain, and never round in a circle', async () => {
    const keys = Array.from({ length: MOST_LINKS + 2 }, () => generateKey('acme'));
    const [first] = keys;
    expect.assert(first);
    const chain = keys.slice(1).map((key, index) => aSuccession(keys[index] ?? a, key, NOW));
    const { accepted, problems } = succeed(await trusting(first), chain);
    expect([accepted.length, problems.length]).toEqual([MOST_LINKS, 1]);
    const circle = succeed(await trusting(a), [aSuccession(a, b, NOW), aSuccession(b, a, NOW), aSuccession(c, d, NOW), aSuccession(d, c, NOW)]);
    expect(circle.accepted).toHaveLength(1);
    expect(circle.problems).toHaveLength(3);
  });

  const signed = (key: SigningKey, statement: unknown) => {
    const payload = Buffer.from(JSON.stringify(statement));
    return writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) });
  };
  const statementIn = (bytes: Uint8Array) => JSON.parse(Buffer.from(JSON.parse(Buffer.from(bytes).toString()).payload, 'base64').toString());
  const genuine = statementIn(aSuccession(a, b, NOW));
  const withPredicate = (changes: object) => signed(a, { ...genuine, predicate: { ...genuine.predicate, ...changes } });

  it.each<[string, Uint8Array, string]>([
    ['for another publisher', withPredicate({ publisher: 'beta' }), "a key of 'acme'"],
    ['for another old key', withPredicate({ oldKeyid: beta.keyid }), 'is signed by'],
    ['of a key nobody knows', aSuccession(c, b, NOW), 'no key of a trusted publisher'],
    ['of a key to itself', aSuccession(a, a, NOW), 'counts already'],
    ['to a key of somebody else', aSuccession(a, { ...beta, publisher: 'acme' }, NOW), 'counts already'],
    ['to a key under another keyid', withPredicate({ newKey: { keyid: c.keyid, publicKey: b.publicKey.toString('base64') } }), 'keyid is not the digest'],
    ['to a key of low order', withPredicate({ newKey: { keyid: b.keyid, publicKey: Buffer.alloc(32).toString('base64') } }), 'low order'],
    ['whose subject is another key', signed(a, { ...genuine, subject: [{ name: 'acme', digest: { sha256: '0'.repeat(64) } }] }), 'subject is not the new key'],
    ['that asks for more prefixes', withPredicate({ prefixes: ['beta.'] }), 'unknown key'],
    ['from the future', aSuccession(a, b, NOW + HOUR_MS), 'still to come'],
    ['of another type: a list', aList(a, 1, NOW), 'predicateType'],
    ['of another type: a release', signed(a, { ...genuine, predicateType: 'https://gatehouse.dev/plugin-release/v1' }), 'predicateType'],
    ['with a signature of another key', Buffer.from(signed(b, genuine).toString().replace(b.keyid, a.keyid)), 'does not verify'],
    ['that is no envelope', Buffer.from('{}'), 'refused'],
  ])('%s is refused', async (_, bytes, problem) => {
    const { signers, accepted, problems } = succeed(await trusting(a, beta), [Buffer.from(bytes)]);
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^KEY_SUCCESSION 0 .*${problem}`))]);
    expect([accepted, signers(b)]).toEqual([[], []]);
  });

  it('of a development key introduces nobody', async () => {
    expect(succeed(await trusting({ ...a, development: true }), [aSuccession(a, b, NOW)])).toMatchObject({ accepted: [], problems: [expect.stringContaining('development key')] });
  });

  it('outside the window of the old key is refused', async () => {
    const store = await trusting({ ...a, notBefore: '2026-11-21T00:00:00.000Z' });
    expect(succeed(store, [aSuccession(a, b, NOW - 24 * HOUR_MS)]).problems).toEqual([expect.stringContaining('was not valid when it was issued')]);
  });
});

it('files of successions are read whole, and what cannot be read is told', async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, 'one.dsse.json'), aSuccession(a, b, NOW));
  await writeFile(join(dir.path, 'notes.txt'), 'x');
  await mkdir(join(dir.path, 'two.dsse.json'));
  const { files, diagnostics } = await loadSuccessions(dir.path);
  expect(files.map(({ source }) => source)).toEqual([join(dir.path, 'one.dsse.json')]);
  expect(diagnostics).toMatchObject([{ code: 'KEY_SUCCESSION', manifest: join(dir.path, 'two.dsse.json') }]);
  expect(await loadSuccessions(join(dir.path, 'not-there'))).toEqual({ files: [], diagnostics: [] });
});
