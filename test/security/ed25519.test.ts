// Ed25519 at its edges: published vectors, and releases signed by somebody who knows the curve. Both implementations must say the same of every one of them, and a third says what each of them is.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { pointProblem } from '../../host/trust/curve.ts';
import { ENVELOPE_FILE, preAuthEncoding, readEnvelope, writeEnvelope } from '../../host/trust/dsse.ts';
import { generateKey, keyIdOf, readPublicKey, sign, verifyWithNode, verifyWithTweetnacl, type SigningKey } from '../../host/trust/keys.ts';
import { loadTrust } from '../../host/trust/trust-store.ts';
import { verifyPackage } from '../../host/trust/verify.ts';
import VECTORS from '../fixtures/ed25519/vectors.json' with { type: 'json' };
import { buildTestPackage, writeTrustRecord } from '../support/packages.ts';
import { tempDir } from '../support/temp.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

/** What becomes of a signature: the key is judged when it is taken up, then both implementations are asked. */
function verdictOn(publicKey: Buffer, message: Buffer, signature: Buffer): string {
  if (pointProblem(publicKey) !== undefined) return 'KEY_REFUSED';
  const answers = [verifyWithNode(publicKey, message, signature), verifyWithTweetnacl(publicKey, message, signature)];
  return answers.every(Boolean) ? 'accepted' : answers.some(Boolean) ? 'SIGNATURE_DISPUTED' : 'RELEASE_SIGNATURE';
}

describe('published vectors', () => {
  it.each(VECTORS)('$source $name: $expect', ({ publicKey, message, signature, expect: expected }) => {
    expect(verdictOn(hex(publicKey), hex(message), hex(signature))).toBe(expected);
  });

  it.each(VECTORS.flatMap(({ seed, ...vector }) => (seed === undefined ? [] : [{ ...vector, seed }])))('$source $name: signing gives the same signature', ({ publicKey, message, signature, seed }) => {
    expect(sign({ publisher: 'acme', keyid: '', publicKey: hex(publicKey), seed: hex(seed) }, hex(message))).toEqual(hex(signature));
  });

  it.each(VECTORS.filter(({ expect: expected }) => expected === 'KEY_REFUSED'))('$source $name: no trust record takes such a key', ({ publicKey }) => {
    expect(() => readPublicKey(hex(publicKey).toString('base64'), keyIdOf(hex(publicKey)))).toThrow(expect.objectContaining({ code: 'KEY_REFUSED' }));
  });

  it('hold what others take: a verifier that is not strict accepts several that are refused here', () => {
    const lenient = VECTORS.filter(({ publicKey, message, signature, expect: expected }) => expected !== 'accepted' && signature.length === 128 && ed25519.verify(hex(signature), hex(message), hex(publicKey), { zip215: true }));
    expect(lenient.length).toBeGreaterThanOrEqual(6);
  });
});

const { Point } = ed25519;
const ORDER = Point.Fn.ORDER;
const TORSION = ED25519_TORSION_SUBGROUP.map((text) => Point.fromHex(text, true));
const EIGHTH = TORSION.find((point) => !point.multiplyUnsafe(4n).is0()) ?? Point.ZERO;

describe('points', () => {
  it('are told apart as another implementation tells them: on the curve or not, of prime order or not', () => {
    for (let number = 0; number < 40; number++) {
      const bytes = createHash('sha256').update(`point ${number}`).digest();
      let expected = false;
      try {
        expected = Point.fromBytes(bytes).isTorsionFree();
      } catch {
        // No point at all.
      }
      expect([bytes.toString('hex'), pointProblem(bytes) === undefined]).toEqual([bytes.toString('hex'), expected]);
    }
  });

  it.each(TORSION.map((point, index) => [index, point] as const))('with the %ith part of low order are refused, but for none', (index, low) => {
    const key = generateKey('acme');
    const mixed = Point.fromBytes(key.publicKey).add(low).toBytes();
    expect(pointProblem(mixed)).toBe(low.is0() ? undefined : 'a part of it has low order');
    expect(pointProblem(low.toBytes())).toBe('it is a point of low order');
    expect(index).toBeLessThan(8);
  });

  it('that are none are refused as such', () => {
    expect(pointProblem(Buffer.from(`02${'00'.repeat(31)}`, 'hex'))).toBe('it is no point of the curve');
  });
});

/** A signature by the scalar of the key with an R of the signer's choice: `r` times the base point, and a point of low order. Whoever holds a key can make these. */
function signWith(key: SigningKey, message: Uint8Array, { r, low = Point.ZERO, publicKey = key.publicKey, spelled }: { readonly r: bigint; readonly low?: InstanceType<typeof Point>; readonly publicKey?: Uint8Array; readonly spelled?: Buffer }): Buffer {
  const { scalar } = ed25519.utils.getExtendedPublicKey(key.seed);
  const R = spelled ?? Buffer.from(Point.BASE.multiplyUnsafe(r).add(low).toBytes());
  const s = (r + hashOf(R, publicKey, message) * scalar) % ORDER;
  return Buffer.concat([R, Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
}

function hashOf(R: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  const digest = createHash('sha512').update(R).update(publicKey).update(message).digest();
  return BigInt(`0x${digest.reverse().toString('hex')}`) % ORDER;
}

/** A package whose release carries this signature, before a host that was told to trust this key. */
async function verifyRelease(key: SigningKey, signature: (message: Buffer) => Buffer, publicKey: Buffer = key.publicKey) {
  await using dir = await tempDir();
  const { path } = await buildTestPackage({ dir: join(dir.path, 'p'), id: 'acme.x', kind: 'tool', source: '1', key: { ...key, keyid: keyIdOf(publicKey) } });
  const file = join(path, ENVELOPE_FILE);
  const envelope = readEnvelope(await readFile(file), path);
  const message = preAuthEncoding(envelope.payload);
  await writeFile(file, writeEnvelope({ ...envelope, signature: signature(message) }));
  await writeTrustRecord(dir.path, { ...key, publicKey, keyid: keyIdOf(publicKey) });
  const { store, diagnostics } = await loadTrust([join(dir.path, 'manifests/trust/publishers')]);
  const verdict = await verifyPackage(path, { trust: store, revocations: null, now: Date.now(), secondOpinion: 'always', profile: 'local', strict: false });
  const codes = [...diagnostics.map(({ code }) => code), ...(verdict.ok ? ['accepted'] : [verdict.error.code])];
  return { codes, message, lenient: (bytes: Buffer) => ed25519.verify(bytes, message, publicKey, { zip215: true }) };
}

describe('releases signed at the edges', () => {
  const key = generateKey('acme');

  it('with an R of one’s own are good all the same', async () => {
    expect((await verifyRelease(key, (message) => signWith(key, message, { r: 12345n }))).codes).toEqual(['accepted']);
  });

  it.each<[string, (message: Uint8Array) => Buffer]>([
    ['an R with a part of low order, which half of all verifiers accept', (message) => signWith(key, message, { r: 12345n, low: EIGHTH })],
    ['an R of low order, which gives the private key away', (message) => signWith(key, message, { r: 0n })],
    ['an R in its second spelling', (message) => signWith(key, message, { r: 0n, spelled: hex(`ee${'ff'.repeat(30)}7f`) })],
    ['an R whose zero has a sign', (message) => signWith(key, message, { r: 0n, spelled: hex(`01${'00'.repeat(30)}80`) })],
  ])('attack 99 sig-malleate: %s is refused', async (_, signature) => {
    const { codes, message, lenient } = await verifyRelease(key, signature);
    expect(codes).toEqual(['RELEASE_SIGNATURE']);
    expect(lenient(signature(message))).toBe(true);
  });

  it('attack 100 low-order-key: a key with a part of low order is taken up by nobody, though both libraries accept what it signs', async () => {
    const publicKey = Buffer.from(Point.fromBytes(key.publicKey).add(EIGHTH).toBytes());
    const signature = (message: Uint8Array) => {
      for (let r = 1n; ; r++) {
        const made = signWith(key, message, { r, publicKey });
        if (hashOf(made.subarray(0, 32), publicKey, message) % 8n === 0n) return made;
      }
    };
    const { codes, message } = await verifyRelease(key, signature, publicKey);
    expect(codes).toEqual(['KEY_REFUSED', 'KEY_UNTRUSTED']);
    expect([verifyWithNode, verifyWithTweetnacl].map((verify) => verify(publicKey, message, signature(message)))).toEqual([true, true]);
  });
});
