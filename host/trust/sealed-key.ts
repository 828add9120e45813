// A reviewer's private key at rest: sealed with a passphrase by scrypt (RFC 7914) and ChaCha20-Poly1305 (RFC 8439). Used by `keys generate --reviewer` and `approve`.
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { SealedKeyFile } from '../../schemas/approval.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import type { Signer } from './approval-statement.ts';
import { canonicalJson } from './canonical-json.ts';
import { decodeBase64, generateKey, keyIdOf, publicKeyOf, sign } from './keys.ts';

/** One try at a passphrase takes about 0.4 s and 128 MiB. */
const COST = { n: 2 ** 17, r: 8, p: 1 } as const;
/** NIST SP 800-63B-4 §3.1.1: the least where a machine cannot be asked to slow guesses down any further. */
const LEAST_CHARACTERS = 8;
const FILE_BYTES = 8192;
const TAG_BYTES = 16;
const CIPHER = 'chacha20-poly1305';

export interface ReviewerSigner extends Signer {
  readonly reviewer: string;
  readonly publicKey: Buffer;
}

/** A new key, as the text of its file. Throws PASSPHRASE_WEAK. */
export async function sealNewKey(reviewer: string, passphrase: string): Promise<SealedKeyFile> {
  const { length } = Array.from(passphrase);
  if (length < LEAST_CHARACTERS) throw new GatehouseError('PASSPHRASE_WEAK', { length, least: LEAST_CHARACTERS });
  const { keyid, publicKey, seed } = generateKey(reviewer);
  const nonce = randomBytes(12);
  const open = {
    reviewer, keyid, publicKey: publicKey.toString('base64'),
    kdf: { name: 'scrypt', ...COST, salt: randomBytes(32).toString('base64') },
    cipher: { name: CIPHER, nonce: nonce.toString('base64') },
  } as const;
  const cipher = createCipheriv(CIPHER, await derived(passphrase, open.kdf), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(open), { plaintextLength: seed.length });
  const sealed = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
  seed.fill(0);
  return { ...open, sealed: sealed.toString('base64') };
}

/** Whether a key file is a reviewer's, for messages: it is read strictly all the same. */
export const isSealedKey = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes('"sealed"');

/** What the file says openly. Throws KEY_FILE. */
export function readSealedKey(bytes: Uint8Array, source: string): SealedKeyFile {
  try {
    return parseDocument(bytes, compileSchema(SealedKeyFile), { source, maxBytes: FILE_BYTES, maxDepth: 3 });
  } catch (thrown) {
    throw new GatehouseError('KEY_FILE', { source, problem: problemOf(thrown).replace(/\.$/, '') }, { cause: thrown });
  }
}

/** Throws KEY_SEALED for a wrong passphrase and for a file in which anything was changed, which cannot be told apart. */
export async function openSealedKey(file: SealedKeyFile, passphrase: string, source: string): Promise<ReviewerSigner> {
  const { sealed: sealedText, ...open } = file;
  const refuse = (cause?: unknown): never => {
    throw new GatehouseError('KEY_SEALED', { file: source }, { cause });
  };
  const [salt, nonce, sealed] = [open.kdf.salt, open.cipher.nonce, sealedText].map((text) => decodeBase64(text) ?? refuse());
  if (salt?.length !== 32 || nonce?.length !== 12 || sealed?.length !== 48) return refuse();
  const decipher = createDecipheriv(CIPHER, await derived(passphrase, open.kdf), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(open), { plaintextLength: sealed.length - TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  let seed: Buffer;
  try {
    seed = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (thrown) {
    return refuse(thrown);
  }
  const publicKey = publicKeyOf(seed);
  if (publicKey.toString('base64') !== open.publicKey || keyIdOf(publicKey) !== open.keyid) refuse();
  return { reviewer: open.reviewer, keyid: open.keyid, publicKey, sign: (message) => sign({ seed }, message) };
}

/** Everything beside the sealed bytes is authenticated with them: another name, cost or key beside them is noticed. */
const boundTo = (open: Omit<SealedKeyFile, 'sealed'>): Buffer => Buffer.from(canonicalJson(open));

const scryptKey: (passphrase: string, salt: Buffer, length: number, options: { N: number; r: number; p: number; maxmem: number }) => Promise<Buffer> = promisify(scrypt);

/** Unicode writes some characters in two ways, and keyboards differ in which. */
function derived(passphrase: string, { n, r, p, salt }: SealedKeyFile['kdf']): Promise<Buffer> {
  return scryptKey(passphrase.normalize('NFKC'), Buffer.from(salt, 'base64'), 32, { N: n, r, p, maxmem: 256 * n * r });
}
