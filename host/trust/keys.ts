// Ed25519 (RFC 8032): making, reading and judging keys, signing and verifying, with two implementations that know nothing of each other. Used by everything that signs or verifies.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import nacl from 'tweetnacl';
import { KeyFile } from '../../schemas/release.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { GROUP_ORDER, encodingProblem, littleEndian, pointProblem } from './curve.ts';

/** A private key in memory. `seed` is the 32 bytes everything else follows from. */
export interface SigningKey {
  readonly publisher: string;
  readonly keyid: string;
  readonly publicKey: Buffer;
  readonly seed: Buffer;
}

export function generateKey(publisher: string): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(PKCS8_PREFIX.length);
  const publicKey = publicKeyOf(seed);
  return { publisher, keyid: keyIdOf(publicKey), publicKey, seed };
}

/** `ed25519:` and the first 32 hex digits of sha256 over the raw key. */
export function keyIdOf(publicKey: Uint8Array): string {
  return `ed25519:${createHash('sha256').update(publicKey).digest('hex').slice(0, 32)}`;
}

export function toKeyFile(key: SigningKey): KeyFile {
  return { publisher: key.publisher, keyid: key.keyid, publicKey: key.publicKey.toString('base64'), privateKey: key.seed.toString('base64') };
}

/** Reads a key file and proves that its three parts belong together. Throws KEY_FILE. */
export function readKeyFile(bytes: Uint8Array, source: string): SigningKey {
  const file = parseKeyFile(bytes, source);
  const refuse = (problem: string): never => {
    throw new GatehouseError('KEY_FILE', { source, problem });
  };
  const seed = decodeBase64(file.privateKey) ?? refuse('privateKey is not standard base64');
  if (seed.length !== 32) refuse('privateKey has not 32 bytes');
  const publicKey = publicKeyOf(seed);
  if (publicKey.toString('base64') !== file.publicKey) refuse('publicKey does not belong to privateKey');
  if (keyIdOf(publicKey) !== file.keyid) refuse('keyid does not belong to publicKey');
  return { publisher: file.publisher, keyid: file.keyid, publicKey, seed };
}

/** The raw key of a trust record, or KEY_REFUSED: standard base64, a point of the prime-order group in its one spelling, and the key that the keyid names. */
export function readPublicKey(base64: string, keyid: string): Buffer {
  const refuse = (problem: string): never => {
    throw new GatehouseError('KEY_REFUSED', { keyid, problem });
  };
  const key = decodeBase64(base64) ?? refuse('it is not standard base64');
  const problem = pointProblem(key);
  if (problem !== undefined) refuse(problem);
  if (keyIdOf(key) !== keyid) refuse('the keyid is not the digest of the key');
  return key;
}

export function sign(key: Partial<SigningKey> & Pick<SigningKey, 'seed'>, message: Uint8Array): Buffer {
  return nodeSign(null, message, privateKeyOf(key.seed));
}

/**
 * A signature's form, before a library is asked: 64 bytes; S below the group order, so that nobody can write a second signature from a first (attack 99 sig-malleate;
 * RFC 8032 §5.1.7); R in its one spelling and not of low order, which no signer arrives at who keeps the key to himself.
 */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  return signature.length === 64 && encodingProblem(signature.subarray(0, 32)) === undefined && littleEndian(signature.subarray(32)) < GROUP_ORDER;
}

/** First opinion: OpenSSL through node:crypto. Takes about 60 µs. */
export function verifyWithNode(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  return isCanonicalSignature(signature) && nodeVerify(null, message, key, signature);
}

/** Second opinion: TweetNaCl, in plain JavaScript. Takes about 3 ms. */
export function verifyWithTweetnacl(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return isCanonicalSignature(signature) && nacl.sign.detached.verify(message, signature, publicKey);
}

/** Standard padded base64 (RFC 4648 §4), or undefined. `Buffer.from` ignores junk and loose trailing bits, so the bytes are encoded again and compared. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** RFC 8410: the fixed bytes before the raw key in DER. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function parseKeyFile(bytes: Uint8Array, source: string): KeyFile {
  try {
    return parseDocument(bytes, compileSchema(KeyFile), { source, maxBytes: 4096, maxDepth: 2 });
  } catch (thrown) {
    throw new GatehouseError('KEY_FILE', { source, problem: problemOf(thrown) }, { cause: thrown });
  }
}

function privateKeyOf(seed: Uint8Array) {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

/** Of a private key, which is its seed. */
export function publicKeyOf(seed: Uint8Array): Buffer {
  return createPublicKey(privateKeyOf(seed)).export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
}
