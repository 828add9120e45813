// Signed lists of revocations: who may sign them, that their numbers only go up, and that no other signed statement is taken for one.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../host/trust/canonical-json.ts';
import { preAuthEncoding, writeEnvelope } from '../../host/trust/dsse.ts';
import { generateKey, sign, type SigningKey } from '../../host/trust/keys.ts';
import { readSignedList, type ListContext, type SignedList } from '../../host/trust/revocation-lists.ts';
import { readRevokerRecord } from '../../host/trust/revokers.ts';
import { packageDigest, readStatement, subjectOf, writeStatement } from '../../host/trust/statement.ts';
import { refusalOf } from '../support/refusal.ts';
import { aList, aSuccession, HOUR_MS } from '../support/revocations.ts';

const NOW = Date.parse('2026-11-21T08:00:00.000Z');
const sec = generateKey('sec');
const DIGEST = `sha256:${'a'.repeat(64)}`;

function context(changes: Partial<ListContext> = {}, ...keys: readonly (SigningKey & { readonly notAfter?: string })[]): ListContext {
  const named = (keys.length === 0 ? [sec] : keys).flatMap(({ publisher, keyid, publicKey, ...key }) => readRevokerRecord(Buffer.from(JSON.stringify({ revoker: publisher, keys: [{ keyid, publicKey: publicKey.toString('base64'), ...('notAfter' in key ? { notAfter: key.notAfter } : {}) }] })), 'sec.json').keys);
  return { source: 'list', revokers: { records: [], key: (keyid) => named.find((each) => each.keyid === keyid) }, now: NOW, remembered: () => undefined, revokedKey: () => undefined, ...changes };
}

const read = (bytes: Uint8Array, changes: Partial<ListContext> = {}) => readSignedList(bytes, context(changes));
const problemOf = (bytes: Uint8Array, changes: Partial<ListContext> = {}, ...keys: readonly SigningKey[]) => refusalOf(() => readSignedList(bytes, context(changes, ...keys)));
const asRemembered = (list: SignedList) => ({ remembered: () => list });

/** A statement of our own making, signed by the key. */
function signed(key: SigningKey, statement: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(statement));
  return writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) });
}

const statementIn = (bytes: Uint8Array) => JSON.parse(Buffer.from(JSON.parse(Buffer.from(bytes).toString()).payload, 'base64').toString());

describe('a signed list', () => {
  it('says what is revoked, plainly or with reason and time', () => {
    const list = read(aList(sec, 7, NOW, { keys: [sec.keyid], digests: [{ digest: DIGEST, reason: 'it steals', at: '2026-11-20T00:00:00.000Z' }], plugins: [{ id: 'acme.x', range: '<2' }] }));
    expect(list).toMatchObject({ issuer: 'sec', sequence: 7, revocations: [{ keyid: sec.keyid }, { digest: DIGEST, reason: 'it steals', at: '2026-11-20T00:00:00.000Z' }, { id: 'acme.x', range: '<2' }] });
  });

  it('counts after it has expired: that it is stale is another matter', () => {
    expect(read(aList(sec, 1, NOW, { issuedAtMs: NOW - 2 * HOUR_MS, expiresAtMs: NOW - HOUR_MS, digests: [DIGEST] })).revocations).toEqual([{ digest: DIGEST }]);
  });

  it('never goes back: a lower number is refused, and so is another list of the same number', async () => {
    const fifth = read(aList(sec, 5, NOW, { digests: [DIGEST] }));
    expect(await problemOf(aList(sec, 4, NOW), asRemembered(fifth))).toMatchObject({ code: 'REVOCATION_LIST', message: expect.stringContaining('number 5') });
    expect(await problemOf(aList(sec, 5, NOW), asRemembered(fifth))).toMatchObject({ message: expect.stringContaining('another list with the number 5') });
    expect(read(aList(sec, 5, NOW, { digests: [DIGEST] }), asRemembered(fifth)).sequence).toBe(5);
    expect(read(aList(sec, 6, NOW), asRemembered(fifth)).sequence).toBe(6);
  });

  const stranger = generateKey('sec');
  it.each<[string, Buffer, Partial<ListContext>, string]>([
    ['a key that no record names', aList(stranger, 1, NOW), {}, 'which no record'],
    ['a revoked key', aList(sec, 1, NOW), { revokedKey: () => 'the key is revoked' }, 'the key is revoked'],
    ['somebody under another name', signed(sec, { ...statementIn(aList(generateKey('other'), 1, NOW)) }), {}, "calls itself a list of 'other'"],
    ['the future', aList(sec, 1, NOW, { issuedAtMs: NOW + HOUR_MS, expiresAtMs: NOW + 2 * HOUR_MS }), {}, 'still to come'],
    ['a time after its end', aList(sec, 1, NOW, { expiresAtMs: NOW }), {}, 'expires before it is issued'],
    ['February 30th', signed(sec, swapped({ issuedAt: '2026-02-30T00:00:00.000Z' })), {}, 'no such time'],
    ['no range at all', signed(sec, swapped({ plugins: [{ id: 'acme.x', range: 'one or two' }] })), {}, 'not a semver range'],
    ['one whose subject is something else', signed(sec, { ...statementIn(aList(sec, 1, NOW)), subject: [{ name: 'sec', digest: { sha256: '0'.repeat(64) } }] }), {}, 'subject'],
    ['number nought', signed(sec, swapped({ sequence: 0 })), {}, 'sequence'],
    ['one with a word nobody knows', signed(sec, swapped({ lifted: [DIGEST] })), {}, 'unknown key'],
  ])('of %s is refused', async (_, bytes, changes, problem) => {
    expect(await problemOf(bytes, changes)).toMatchObject({ code: 'REVOCATION_LIST', message: expect.stringContaining(problem) });
  });

  it('counts only while the key that signed it does, whatever day it names', async () => {
    const old = { ...sec, notAfter: '2026-11-20T00:00:00.000Z' };
    expect(await problemOf(aList(sec, 1, NOW), {}, old)).toMatchObject({ message: expect.stringContaining('valid from') });
    expect(await problemOf(aList(sec, 1, NOW, { issuedAtMs: NOW - 48 * HOUR_MS }), {}, old)).toMatchObject({ message: expect.stringContaining('valid from') });
  });

  it('with a byte changed anywhere in it is refused', async () => {
    const bytes = aList(sec, 1, NOW, { digests: [DIGEST] });
    const { payload } = JSON.parse(bytes.toString());
    const text = Buffer.from(payload, 'base64').toString();
    for (let at = 0; at < text.length; at += 11) {
      const changed = Buffer.from(text);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const forged = bytes.toString().replace(payload, changed.toString('base64'));
      expect(await problemOf(Buffer.from(forged))).toMatchObject({ code: 'REVOCATION_LIST', message: expect.stringContaining('does not verify') });
    }
  });
});

describe('statements of other types', () => {
  const files = new Map([['plugin.json', Buffer.from('{}')]]);
  const release = writeStatement(subjectOf(files), { id: 'sec.x', version: '1.0.0', publisher: 'sec', issuedAt: '2026-11-21T08:00:00.000Z' });
  const approval = { _type: 'https://in-toto.io/Statement/v1', subject: [{ name: 'sec.x', digest: { sha256: packageDigest(subjectOf(files)).slice(7) } }], predicateType: 'https://gatehouse.dev/plugin-approval/v1', predicate: { issuer: 'sec', sequence: 9 } };

  it.each<[string, Buffer]>([
    ['a release', writeEnvelope({ payload: release, keyid: sec.keyid, signature: sign(sec, preAuthEncoding(release)) })],
    ['an approval', signed(sec, approval)],
    ['a succession of keys', aSuccession(sec, generateKey('sec'), NOW)],
    ['a list that calls itself a release', signed(sec, { ...statementIn(aList(sec, 1, NOW)), predicateType: 'https://gatehouse.dev/plugin-release/v1' })],
  ])('are no lists, whoever signed them: %s', async (_, bytes) => {
    expect(await problemOf(bytes)).toMatchObject({ code: 'REVOCATION_LIST', message: expect.stringMatching(/predicateType|unknown key|subject/) });
  });

  it('include lists: one is no release', async () => {
    const payload = Buffer.from(JSON.stringify(statementIn(aList(sec, 1, NOW))));
    expect(await refusalOf(() => readStatement(payload, 'x'))).toMatchObject({ code: 'RELEASE_ENVELOPE' });
  });
});

/** A statement with another predicate and the subject that belongs to it. */
function swapped(changes: object): unknown {
  const statement = statementIn(aList(sec, 1, NOW));
  const predicate = { ...statement.predicate, ...changes };
  return { ...statement, subject: [{ name: 'sec', digest: { sha256: createHash('sha256').update(canonicalJson(predicate)).digest('hex') } }], predicate };
}
