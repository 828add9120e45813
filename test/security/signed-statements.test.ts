// What is signed, and as what: envelopes and statements that are nearly right, one kind of statement given for another, and the same envelopes written and read by an implementation that is not ours.
import { createHash, createPublicKey } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ed25519 } from '@noble/curves/ed25519.js';
import { BUNDLE_V03_MEDIA_TYPE, bundleFromJSON, bundleToJSON, toDSSEBundle } from '@sigstore/bundle';
import { dsse } from '@sigstore/core';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import * as fc from 'fast-check';
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { systemClock, toTimestamp } from '../../host/clock.ts';
import { GatehouseError } from '../../host/errors.ts';
import { readApproval, sealApproval, writeApproval } from '../../host/trust/approval-statement.ts';
import { ENVELOPE_FILE, preAuthEncoding, readEnvelope, writeEnvelope } from '../../host/trust/dsse.ts';
import { sign, type SigningKey } from '../../host/trust/keys.ts';
import { isHeadGenuine, signHead } from '../../host/trust/log/tree-head.ts';
import { readSignedList, writeSignedList } from '../../host/trust/revocation-lists.ts';
import { revocationList } from '../../host/trust/revocation.ts';
import { writeSigned } from '../../host/trust/signed-statement.ts';
import { withSuccessions, writeSuccession } from '../../host/trust/successions.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import { APPROVAL_PREDICATE_TYPE } from '../../schemas/approval.ts';
import { RELEASE_PREDICATE_TYPE, type ReleaseStatement } from '../../schemas/release.ts';
import { KEY_SUCCESSION_PREDICATE_TYPE, REVOCATION_LIST_PREDICATE_TYPE } from '../../schemas/revocation.ts';
import { buildTestPackage, newTestKey, writeTrustRecord } from '../support/packages.ts';
import { tempDir, type TempDir } from '../support/temp.ts';

const TYPE = 'application/vnd.in-toto+json';
const key = newTestKey('acme');
const sibling = newTestKey('acme');
const stranger = newTestKey('acme');

let dir: TempDir;
let path: string;
/** What `sign` wrote. */
let genuine: Buffer;

beforeAll(async () => {
  dir = await tempDir();
  ({ path } = await buildTestPackage({ dir: join(dir.path, 'package'), id: 'acme.x', kind: 'tool', source: '1', files: { 'assets/a.txt': 'a' }, key }));
  for (const each of [key, sibling]) await writeTrustRecord(dir.path, each);
  genuine = await readFile(join(path, ENVELOPE_FILE));
});
afterAll(() => dir[Symbol.asyncDispose]());

/** What becomes of the package with this envelope: `accepted`, or the code of the refusal. */
async function verdictOn(envelope: string | Uint8Array): Promise<string> {
  await writeFile(join(path, ENVELOPE_FILE), envelope);
  const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
  const verdict = await verifyPackage(path, { trust: store, revocations: null, now: systemClock.now(), secondOpinion: 'always', profile: 'local', strict: false });
  await writeFile(join(path, ENVELOPE_FILE), genuine);
  return verdict.ok ? 'accepted' : verdict.error.code;
}

const payloadOf = (envelope: Uint8Array) => readEnvelope(envelope, 'the envelope').payload;
const enveloped = (payload: Buffer, signature: Buffer, keyid = key.keyid) => writeEnvelope({ payload, keyid, signature });
/** The genuine envelope as JSON text, changed. */
const rewritten = (change: (envelope: { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] }) => unknown) => JSON.stringify(change(JSON.parse(genuine.toString())));
/** A statement that the publisher's own key signs, whatever it says. */
const stated = (change: (statement: ReleaseStatement) => unknown) => writeSigned(key, Object(change(JSON.parse(payloadOf(genuine).toString()))));

describe('an implementation that is not ours', () => {
  const material = {
    certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
    publicKey: (hint: string) => {
      const signer = [key, sibling].find(({ keyid }) => keyid === hint);
      if (!signer) throw new Error(`no key ${hint}`);
      const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: signer.publicKey.toString('base64url') } });
      return { publicKey, validFor: () => true };
    },
  };
  const sigstore = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });

  /** Our envelope in the bundle that sigstore wants around one. */
  const bundleOf = (envelope: string) => bundleFromJSON({ mediaType: BUNDLE_V03_MEDIA_TYPE, dsseEnvelope: JSON.parse(envelope), verificationMaterial: { publicKey: { hint: key.keyid }, tlogEntries: [], timestampVerificationData: { rfc3161Timestamps: [] } } });

  it('verifies what we sign', () => {
    expect(() => sigstore.verify(toSignedEntity(bundleOf(genuine.toString())))).not.toThrow();
  });

  it('refuses what we refuse', () => {
    const others = [rewritten((envelope) => ({ ...envelope, payloadType: 'application/json' })), rewritten((envelope) => ({ ...envelope, payload: Buffer.from('{}').toString('base64') }))];
    for (const envelope of others) expect(() => sigstore.verify(toSignedEntity(bundleOf(envelope)))).toThrow('signature verification failed');
  });

  it('writes what we verify', async () => {
    const artifact = payloadOf(genuine);
    const signature = Buffer.from(ed25519.sign(dsse.preAuthEncoding(TYPE, artifact), key.seed));
    const { dsseEnvelope } = bundleToJSON(toDSSEBundle({ artifact, artifactType: TYPE, signature, keyHint: key.keyid }));
    expect(await verdictOn(JSON.stringify(dsseEnvelope))).toBe('accepted');
  });

  it('signs the same bytes, whatever they are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (payload) => {
      expect(preAuthEncoding(payload)).toEqual(dsse.preAuthEncoding(TYPE, Buffer.from(payload)));
    }), { numRuns: 200 });
  });
});

describe('envelopes that are nearly right', () => {
  it('are refused for nothing but what is wrong with them', async () => {
    expect(await verdictOn(genuine)).toBe('accepted');
    expect(await verdictOn(rewritten((envelope) => envelope))).toBe('accepted');
    expect(await verdictOn(stated((statement) => statement))).toBe('accepted');
  });

  it.each(['application/json', 'application/vnd.in-toto+JSON', 'Application/vnd.in-toto+json', 'application/vnd.in-toto', 'application/vnd.in-toto+json;charset=utf-8', ' application/vnd.in-toto+json', 'application/vnd.in-toto+json\u0000', 'application/vnd.in\u2010toto+json', '', null])('attack g190 other-payload-type: payloadType %j is refused', async (payloadType) => {
    expect(await verdictOn(rewritten((envelope) => ({ ...envelope, payloadType })))).toBe('RELEASE_ENVELOPE');
  });

  it.each<[string, (envelope: { signatures: { keyid: string; sig: string }[] }) => unknown]>([
    ['no signature', (envelope) => ({ ...envelope, signatures: [] })],
    ['the same signature twice', ({ signatures, ...rest }) => ({ ...rest, signatures: [...signatures, ...signatures] })],
    ['a signature of a stranger beside the good one', ({ signatures, ...rest }) => ({ ...rest, signatures: [...signatures, { keyid: stranger.keyid, sig: signatures[0]?.sig }] })],
    ['signatures that are no list', ({ signatures, ...rest }) => ({ ...rest, signatures: signatures[0] })],
    ['a signature without a keyid', ({ signatures, ...rest }) => ({ ...rest, signatures: [{ sig: signatures[0]?.sig }] })],
    ['a certificate along with the signature', ({ signatures, ...rest }) => ({ ...rest, signatures: [{ ...signatures[0], cert: 'x' }] })],
    ['a keyid in capitals', ({ signatures, ...rest }) => ({ ...rest, signatures: [{ ...signatures[0], keyid: signatures[0]?.keyid.toUpperCase() }] })],
    ['a key more', (envelope) => ({ ...envelope, trusted: true })],
  ])('attack g191 more-signatures: an envelope with %s is refused', async (_, change) => {
    expect(await verdictOn(rewritten(change))).toBe('RELEASE_ENVELOPE');
  });

  it.each<[string, string]>([['payload', '"payload":"e30=",'], ['payloadType', `"payloadType":"${TYPE}",`], ['signatures', '"signatures":[],']])('%s twice is refused, whichever of them is signed', async (_, twice) => {
    const text = JSON.stringify(JSON.parse(genuine.toString()));
    expect(await verdictOn(text.replace('{', `{${twice}`))).toBe('RELEASE_ENVELOPE');
    expect(await verdictOn(text.replace(/\}$/, `,${twice.slice(0, -1)}}`))).toBe('RELEASE_ENVELOPE');
  });
});

describe('signatures over something else', () => {
  const over = (message: (payload: Buffer) => string | Uint8Array) => () => {
    const payload = payloadOf(genuine);
    return enveloped(payload, sign(key, Buffer.from(message(payload))));
  };

  it.each<[string, () => Buffer]>([
    ['the bare payload', over((payload) => payload)],
    ['the payload in base64', over((payload) => payload.toString('base64'))],
    ['another type', over((payload) => dsse.preAuthEncoding('application/json', payload))],
    ['a type of no length', over((payload) => dsse.preAuthEncoding('', payload))],
    ['another version of the encoding', over((payload) => Buffer.concat([Buffer.from(`DSSEv2 28 ${TYPE} ${payload.length} `), payload])) ],
    ['a length one too great', over((payload) => Buffer.concat([Buffer.from(`DSSEv1 28 ${TYPE} ${payload.length + 1} `), payload]))],
    ['a length with a zero before it', over((payload) => Buffer.concat([Buffer.from(`DSSEv1 28 ${TYPE} 0${payload.length} `), payload]))],
    ['lengths that put the border elsewhere', over((payload) => Buffer.concat([Buffer.from(`DSSEv1 27 ${TYPE} ${payload.length} `), payload]))],
    ['a digest of it', over((payload) => createHash('sha512').update(preAuthEncoding(payload)).digest())],
  ])('attack g192 signed-as-something-else: a signature over %s is not verified', async (_, envelope) => {
    expect(await verdictOn(envelope())).toBe('RELEASE_SIGNATURE');
  });

  it('what is signed cannot be read with its lengths put elsewhere', async () => {
    // One signature; the payload takes in the space and the first byte, or leaves the last one out.
    const { payload, signature } = readEnvelope(genuine, 'the envelope');
    for (const other of [payload.subarray(0, -1), payload.subarray(1), Buffer.concat([Buffer.from(' '), payload]), Buffer.concat([payload, Buffer.from(' ')]), preAuthEncoding(payload)]) {
      expect(await verdictOn(enveloped(other, signature))).toBe('RELEASE_SIGNATURE');
    }
  });

  it('attack g193 swapped-payload: a signature of another release of the same publisher does not do, nor does the whole envelope', async () => {
    const other = await buildTestPackage({ dir: join(dir.path, 'other'), id: 'acme.x', version: '2.0.0', kind: 'tool', source: '2', key });
    const theirs = readEnvelope(await readFile(join(other.path, ENVELOPE_FILE)), 'the envelope');
    expect(await verdictOn(enveloped(payloadOf(genuine), theirs.signature))).toBe('RELEASE_SIGNATURE');
    expect(await verdictOn(writeEnvelope(theirs))).toBe('RELEASE_FILES');
  });

  it('a keyid of another key does not do, trusted or not', async () => {
    const { payload, signature } = readEnvelope(genuine, 'the envelope');
    expect(await verdictOn(enveloped(payload, signature, sibling.keyid))).toBe('RELEASE_SIGNATURE');
    expect(await verdictOn(enveloped(payload, signature, stranger.keyid))).toBe('KEY_UNTRUSTED');
    expect(await verdictOn(enveloped(payload, sign(stranger, preAuthEncoding(payload))))).toBe('RELEASE_SIGNATURE');
  });
});

describe('statements that are nearly right, though correctly signed', () => {
  it.each<[string, (statement: ReleaseStatement) => unknown]>([
    ['two subjects of one name', ({ subject, ...rest }) => ({ ...rest, subject: [subject[0], ...subject] })],
    ['two subjects of one name and two digests', ({ subject: [first, ...others], ...rest }) => ({ ...rest, subject: [first, { name: first?.name, digest: { sha256: '0'.repeat(64) } }, ...others] })],
    ['subjects in another order', ({ subject, ...rest }) => ({ ...rest, subject: subject.toReversed() })],
    ['no subject', (statement) => ({ ...statement, subject: [] })],
    ['a second digest of a subject', ({ subject: [first, ...others], ...rest }) => ({ ...rest, subject: [{ ...first, digest: { ...first?.digest, sha1: '0'.repeat(40) } }, ...others] })],
    ['a digest in capitals', ({ subject: [first, ...others], ...rest }) => ({ ...rest, subject: [{ ...first, digest: { sha256: first?.digest.sha256.toUpperCase() } }, ...others] })],
    ['another statement type', (statement) => ({ ...statement, _type: 'https://in-toto.io/Statement/v0.1' })],
    ['a predicate type that ends in a slash', (statement) => ({ ...statement, predicateType: `${RELEASE_PREDICATE_TYPE}/` })],
    ['a predicate type in capitals', (statement) => ({ ...statement, predicateType: RELEASE_PREDICATE_TYPE.toUpperCase() })],
    ['a predicate type by http', (statement) => ({ ...statement, predicateType: RELEASE_PREDICATE_TYPE.replace('https', 'http') })],
    ['the next version of the predicate type', (statement) => ({ ...statement, predicateType: RELEASE_PREDICATE_TYPE.replace('v1', 'v2') })],
    ['no predicate', ({ _type, subject, predicateType }) => ({ _type, subject, predicateType })],
    ['a key more in the predicate', ({ predicate, ...rest }) => ({ ...rest, predicate: { ...predicate, approved: true } })],
    ['a list of statements', (statement) => [statement]],
  ])('attack g194 nearly-a-statement: %s is refused', async (_, change) => {
    expect(await verdictOn(stated(change))).toBe('RELEASE_ENVELOPE');
  });

  it.each<[string, string]>([['predicate', '"predicate":{},'], ['predicateType', '"predicateType":"x",'], ['subject', '"subject":[],']])('%s twice is refused', async (_, twice) => {
    const text = payloadOf(genuine).toString();
    for (const payload of [text.replace('{', `{${twice}`), text.replace(/\}$/, `,${twice.slice(0, -1)}}`)].map((each) => Buffer.from(each))) {
      expect(await verdictOn(enveloped(payload, sign(key, preAuthEncoding(payload))))).toBe('RELEASE_ENVELOPE');
    }
  });
});

/** A kind of statement: one that holds, by this key, and what its reader says of an envelope. */
interface Kind {
  readonly predicateType: string;
  readonly refusal: string;
  readonly write: (key: SigningKey) => Promise<Buffer> | Buffer;
  /** `accepted`, or the code of the refusal. The key may sign everything here: only the kind is in question. */
  readonly read: (envelope: Buffer) => Promise<string> | string;
}

const NOW = systemClock.now();
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return thrown.code;
    throw thrown;
  }
};

const KINDS: Readonly<Record<string, Kind>> = {
  release: { predicateType: RELEASE_PREDICATE_TYPE, refusal: 'RELEASE_ENVELOPE', write: () => genuine, read: verdictOn },
  approval: {
    predicateType: APPROVAL_PREDICATE_TYPE,
    refusal: 'APPROVAL_REFUSED',
    write: (signer) => sealApproval(writeApproval('acme.x-1.0.0', { packageDigest: `sha256:${'1'.repeat(64)}`, grantsDigest: `sha256:${'2'.repeat(64)}`, instance: 'x', reviewer: 'acme', decision: 'approve', note: 'seen', issuedAt: toTimestamp(NOW) }), { keyid: signer.keyid, sign: (message) => sign(signer, message) }, signer.publicKey),
    read: (envelope) => codeOf(() => readApproval(envelope, 'x', { records: [], find: () => ({ reviewer: 'acme', keyid: key.keyid, publicKey: key.publicKey }) })),
  },
  'revocation list': {
    predicateType: REVOCATION_LIST_PREDICATE_TYPE,
    refusal: 'REVOCATION_LIST',
    write: (signer) => writeSignedList(signer, { sequence: 1, issuedAt: toTimestamp(NOW), expiresAt: toTimestamp(NOW + 1000), keys: [stranger.keyid] }),
    read: (envelope) => codeOf(() => readSignedList(envelope, { source: 'x', revokers: { records: [], key: () => ({ revoker: 'acme', keyid: key.keyid, publicKey: key.publicKey }) }, now: NOW, remembered: () => undefined, revokedKey: () => undefined })),
  },
  succession: {
    predicateType: KEY_SUCCESSION_PREDICATE_TYPE,
    refusal: 'KEY_SUCCESSION',
    write: (signer) => writeSuccession(signer, stranger, { issuedAt: toTimestamp(NOW), notBefore: toTimestamp(NOW) }),
    async read(bytes) {
      const { store } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
      const { accepted, diagnostics } = withSuccessions(store, [{ source: 'x', bytes }], { now: NOW, revocations: revocationList([]), remembered: () => undefined });
      return accepted.length === 1 ? 'accepted' : diagnostics.map(({ code }) => code).join(', ');
    },
  },
};

describe('one kind of statement given for another', () => {
  const pairs = Object.keys(KINDS).flatMap((given) => Object.keys(KINDS).map((wanted) => [given, wanted] as const));
  const kind = (name: string): Kind => KINDS[name] ?? expect.fail(`there is no kind ${name}`);

  it('is tried for every kind there is', () => {
    const root = resolve(import.meta.dirname, '../..');
    const types = globSync('schemas/*.ts', { cwd: root }).flatMap((file) => [...readFileSync(join(root, file), 'utf8').matchAll(/_PREDICATE_TYPE = '([^']+)'/g)].map(([, type]) => type));
    expect(Object.values(KINDS).map(({ predicateType }) => predicateType).sort()).toEqual(types.sort());
  });

  it.each(pairs)('attack g195 cross-protocol: a genuine %s is taken as a %s only if it is one', async (given, wanted) => {
    const envelope = await kind(given).write(key);
    expect(await kind(wanted).read(envelope)).toBe(given === wanted ? 'accepted' : kind(wanted).refusal);
  });

  it.each(pairs.filter(([given, wanted]) => given !== wanted))('attack g195 cross-protocol: what is signed as a %s and calls itself a %s is refused', async (given, wanted) => {
    const statement: unknown = JSON.parse(payloadOf(await kind(given).write(key)).toString());
    expect(await kind(wanted).read(writeSigned(key, { ...Object(statement), predicateType: kind(wanted).predicateType }))).toBe(kind(wanted).refusal);
  });

  it.each(pairs.filter(([given, wanted]) => given !== wanted))('attack g195 cross-protocol: the signature of a %s does not hold for a %s', async (given, wanted) => {
    const [{ signature }, { payload }] = [readEnvelope(await kind(given).write(key), 'x'), readEnvelope(await kind(wanted).write(key), 'x')];
    expect(await kind(wanted).read(enveloped(payload, signature))).toBe(wanted === 'release' ? 'RELEASE_SIGNATURE' : kind(wanted).refusal);
  });

  it('a tree head of the log is none of them, nor are they a tree head', async () => {
    const head = signHead(key, { size: 1, root: '0'.repeat(64), at: toTimestamp(NOW) });
    expect(isHeadGenuine(head, key.publicKey)).toBe(true);
    for (const { write, read, refusal } of Object.values(KINDS)) {
      const { payload, signature } = readEnvelope(await write(key), 'x');
      expect(isHeadGenuine({ ...head, signature: signature.toString('base64') }, key.publicKey)).toBe(false);
      expect(await read(enveloped(payload, Buffer.from(head.signature, 'base64')))).toBe(refusal === 'RELEASE_ENVELOPE' ? 'RELEASE_SIGNATURE' : refusal);
    }
  });
});
