// Keys and signatures: two implementations that agree, and forms that are refused before either is asked.
import { describe, expect, it } from 'vitest';
import { preAuthEncoding } from '../../host/trust/dsse.ts';
import { decodeBase64, generateKey, isCanonicalSignature, keyIdOf, readKeyFile, readPublicKey, sign, toKeyFile, verifyWithNode, verifyWithTweetnacl } from '../../host/trust/keys.ts';

const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const littleEndian = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const fromLittleEndian = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const keyFile = (value: object) => Buffer.from(JSON.stringify(value));

describe('signatures', () => {
  // RFC 8032 §7.1, test 2.
  const vector = {
    seed: Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex'),
    publicKey: Buffer.from('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', 'hex'),
    message: Buffer.from('72', 'hex'),
    signature: Buffer.from('92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00', 'hex'),
  };

  it('are those of RFC 8032', () => {
    const { seed, publicKey, message, signature } = vector;
    expect(sign({ publisher: 'acme', keyid: '', publicKey, seed }, message)).toEqual(signature);
    expect(verifyWithNode(publicKey, message, signature)).toBe(true);
    expect(verifyWithTweetnacl(publicKey, message, signature)).toBe(true);
  });

  it('of other bytes, by another key or with any bit changed are refused by both', () => {
    const key = generateKey('acme');
    const message = Buffer.from('message');
    const signature = sign(key, message);
    for (const verify of [verifyWithNode, verifyWithTweetnacl]) {
      expect(verify(key.publicKey, message, signature)).toBe(true);
      expect(verify(key.publicKey, Buffer.from('massage'), signature)).toBe(false);
      expect(verify(generateKey('acme').publicKey, message, signature)).toBe(false);
      for (let bit = 0; bit < 512; bit += 37) {
        const changed = Buffer.from(signature);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verify(key.publicKey, message, changed)).toBe(false);
      }
    }
  });

  it('with S beyond the group order are not canonical', () => {
    const { signature } = vector;
    const s = fromLittleEndian(signature.subarray(32));
    const malleated = Buffer.concat([signature.subarray(0, 32), littleEndian(s + GROUP_ORDER)]);
    expect(isCanonicalSignature(signature)).toBe(true);
    expect(isCanonicalSignature(malleated)).toBe(false);
    expect(isCanonicalSignature(Buffer.concat([signature.subarray(0, 32), littleEndian(GROUP_ORDER)]))).toBe(false);
    expect(isCanonicalSignature(signature.subarray(0, 63))).toBe(false);
  });
});

it('what is signed names type and length of the payload, as DSSE prescribes', () => {
  expect(preAuthEncoding(Buffer.from('héllo')).toString()).toBe('DSSEv1 28 application/vnd.in-toto+json 6 héllo');
});

describe('public keys', () => {
  const key = generateKey('acme');

  it('are read when they are what their keyid says', () => {
    expect(readPublicKey(key.publicKey.toString('base64'), key.keyid)).toEqual(key.publicKey);
    expect(key.keyid).toMatch(/^ed25519:[0-9a-f]{32}$/);
  });

  it.each([
    ['of another keyid', key.publicKey, generateKey('acme').keyid, 'digest of the key'],
    ['too short', key.publicKey.subarray(1), key.keyid, '31 bytes'],
    ['too long', Buffer.concat([key.publicKey, Buffer.alloc(1)]), key.keyid, '33 bytes'],
  ])('%s are refused', (_, bytes, keyid, problem) => {
    expect(() => readPublicKey(bytes.toString('base64'), keyid)).toThrow(expect.objectContaining({ code: 'KEY_REFUSED', message: expect.stringContaining(problem) }));
  });

  it.each(['AAAA=', ' AAAA', 'AA\nAA', 'AAAA!', 'AAB=', 'A-_A', 'AA', 'QUJ'])('%j is not standard base64', (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });
});

describe('key files', () => {
  const key = generateKey('acme');
  const file = toKeyFile(key);

  it('are read back as they were written', () => {
    expect(readKeyFile(keyFile(file), 'acme.key.json')).toEqual(key);
  });

  it.each([
    ['the public half of another key', { ...file, publicKey: generateKey('acme').publicKey.toString('base64') }, 'does not belong to privateKey'],
    ['the keyid of another key', { ...file, keyid: keyIdOf(Buffer.alloc(32)) }, 'does not belong to publicKey'],
    ['a missing half', { ...file, privateKey: undefined }, "'privateKey' is missing"],
    ['something else', { ...file, extra: 1 }, "'extra'"],
    ['a private key in another base64', { ...file, privateKey: `${file.privateKey.slice(0, -1)}!` }, 'base64'],
  ])('with %s are refused without telling the key', (_, changed, problem) => {
    expect(() => readKeyFile(keyFile(changed), 'acme.key.json')).toThrow(expect.objectContaining({ code: 'KEY_FILE', message: expect.stringContaining(problem) }));
    expect(() => readKeyFile(keyFile(changed), 'acme.key.json')).not.toThrow(file.privateKey);
  });
});
