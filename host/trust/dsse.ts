// DSSE v1 envelopes (https://github.com/secure-systems-lab/dsse): what is signed is the exact payload with its type, never a rewritten form. Used by sign and verify.
import { DsseEnvelope } from '../../schemas/release.ts';
import { GatehouseError, problemOf, type Fields } from '../errors.ts';
import { compileSchema, parseDocument } from '../schema.ts';
import { valuesIn } from './found-at.ts';
import { decodeBase64 } from './keys.ts';

export const ENVELOPE_FILE = 'plugin.dsse.json';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const ENVELOPE_BYTES = 1024 * 1024;

/** An envelope taken apart. Nothing in it is believed yet; `keyid` only says which key to try. */
export interface Envelope {
  readonly payload: Buffer;
  readonly keyid: string;
  readonly signature: Buffer;
}

/** Pre-authentication encoding: the bytes a signature is over. The lengths keep type and payload apart. */
export function preAuthEncoding(payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload]);
}

export function writeEnvelope({ payload, keyid, signature }: Envelope): Buffer {
  const envelope: DsseEnvelope = { payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures: [{ keyid, sig: signature.toString('base64') }] };
  return Buffer.from(`${JSON.stringify(envelope, null, 2)}\n`);
}

/** Strict in every way: JSON, schema, exactly one signature, standard base64. Throws RELEASE_ENVELOPE. */
export function readEnvelope(bytes: Uint8Array, source: string): Envelope {
  const refuse = (problem: string, cause?: unknown, values: Fields = valuesIn(bytes, cause)): never => {
    throw new GatehouseError('RELEASE_ENVELOPE', { source, problem, ...values }, { cause });
  };
  let envelope: DsseEnvelope;
  try {
    envelope = parseDocument(bytes, compileSchema(DsseEnvelope), { source: ENVELOPE_FILE, maxBytes: ENVELOPE_BYTES, maxDepth: 3 });
  } catch (thrown) {
    return refuse(problemOf(thrown), thrown);
  }
  const [first] = envelope.signatures;
  if (!first) return refuse('it has no signature');
  const payload = decodeBase64(envelope.payload) ?? refuse('payload is not standard base64', undefined, notBase64(envelope.payload));
  const signature = decodeBase64(first.sig) ?? refuse('sig is not standard base64', undefined, notBase64(first.sig));
  if (signature.length !== 64) refuse(`the signature has ${signature.length} bytes, not 64`, undefined, { expected: '64 bytes', found: `${signature.length} bytes` });
  return { payload, keyid: first.keyid, signature };
}

/** Which of two spellings it should have been: the bytes it stands for, written as the standard does. */
function notBase64(text: string): Fields {
  const shown = (each: string) => (each.length > 96 ? `${each.slice(0, 48)}…${each.slice(-48)}` : each);
  return { expected: shown(Buffer.from(text, 'base64').toString('base64')), found: shown(text) };
}
