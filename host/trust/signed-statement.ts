// Signed statements that are no releases: lists of revocations, successions of keys. The signature first, then the type, then the content; one type is never taken for another. Used by the readers of each.
import { createHash } from 'node:crypto';
import type { Static, TSchema } from 'typebox';
import { GatehouseError, problemOf, type ErrorCode } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { preAuthEncoding, readEnvelope, writeEnvelope, type Envelope } from './dsse.ts';
import { sign, verifyWithNode, verifyWithTweetnacl, type SigningKey } from './keys.ts';

const STATEMENT_BYTES = 1024 * 1024;
const STATEMENT_DEPTH = 6;

export interface Expected<S extends TSchema> {
  readonly source: string;
  /** A closed in-toto statement whose predicateType is a literal. */
  readonly schema: S;
  /** How a refusal is told. */
  readonly code: ErrorCode;
  readonly publicKey: Uint8Array;
  /** Whether the second implementation has confirmed this payload before. */
  readonly isKnown: (payloadDigest: string) => boolean;
}

/** The envelope, of which nothing is believed yet. Throws `code`. */
export function openSigned(bytes: Uint8Array, source: string, code: ErrorCode): Envelope {
  try {
    return readEnvelope(bytes, source);
  } catch (thrown) {
    throw new GatehouseError(code, { source, problem: thrown instanceof GatehouseError ? String(thrown.fields['problem']) : problemOf(thrown) }, { cause: thrown });
  }
}

/** The statement, once its signature holds. Throws `code`. */
export function believe<S extends TSchema>({ payload, signature, keyid }: Envelope, { source, schema, code, publicKey, isKnown }: Expected<S>): Static<S> {
  const message = preAuthEncoding(payload);
  if (!verifyWithNode(publicKey, message, signature)) throw new GatehouseError(code, { source, problem: `its signature by ${keyid} does not verify` });
  if (!isKnown(payloadDigest(payload)) && !verifyWithTweetnacl(publicKey, message, signature)) throw new GatehouseError(code, { source, problem: `its signature by ${keyid} does not verify` });
  try {
    return parseDocument<Static<S>>(payload, compileSchema<Static<S>>(schema), { source: 'the statement', maxBytes: STATEMENT_BYTES, maxDepth: STATEMENT_DEPTH });
  } catch (thrown) {
    throw new GatehouseError(code, { source, problem: problemOf(thrown).replace(/\.$/, '') }, { cause: thrown });
  }
}

/** `sha256:` over the exact bytes that were signed. */
export function payloadDigest(payload: Uint8Array): string {
  return `sha256:${createHash('sha256').update(payload).digest('hex')}`;
}

export function writeSigned(key: SigningKey, statement: object): Buffer {
  const payload = Buffer.from(JSON.stringify(statement));
  return writeEnvelope({ payload, keyid: key.keyid, signature: sign(key, preAuthEncoding(payload)) });
}
