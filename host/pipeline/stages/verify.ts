// Authenticity of a request, by the scheme its route declares in the manifest, on the raw bytes, in the host. The plugin sees the request only afterwards.
import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto';
import { handleOf, type Ed25519Scheme, type HmacScheme, type IngressVerification } from '../../../schemas/ingress.ts';
import { ingressKeyOf } from '../../registry/ingress-key.ts';
import { verifyWithNode } from '../../trust/keys.ts';
import { bytesOf, proofsIn } from '../verifying/proofs.ts';
import { signedParts, type SignedRequest } from '../verifying/signed-parts.ts';
import { signedTimeOf } from '../verifying/signed-time.ts';

/** Why a request is not believed. For the operator; whoever sent it is told nothing of it. */
export type DoubtCause = 'header-missing' | 'header-malformed' | 'time-missing' | 'time-malformed' | 'time-outside' | 'part-missing' | 'signature-wrong' | 'token-wrong' | 'key-missing' | 'key-unusable';

/** What a replay of the request would be known by, for as long as its time is near enough. */
export interface Seen {
  /** Hex sha256 of what was signed: not of the signature, which may be written in more than one way. */
  readonly digest: string;
  readonly untilMs: number;
}

export type Verified = { readonly ok: true; readonly seen?: Seen } | { readonly ok: false; readonly cause: DoubtCause };

export interface VerifyParts {
  readonly secret: (handle: string) => string | undefined;
  readonly nowMs: number;
}

/** Whether the request proves knowledge of the secret. A missing secret proves nothing. All comparisons take the same time wherever they differ. */
export function verifyRequest(scheme: IngressVerification, request: SignedRequest, { secret, nowMs }: VerifyParts): Verified {
  if (scheme.scheme === 'none') return { ok: true };
  const value = secret(handleOf(scheme) ?? '');
  if (!value) return { ok: false, cause: 'key-missing' };
  const made = ingressKeyOf(scheme, value);
  if (!made.ok) return { ok: false, cause: 'key-unusable' };
  switch (scheme.scheme) {
    case 'hmac-sha256':
      return hmac({ scheme: 'hmac', algorithm: 'sha256', encoding: 'hex', secret: scheme.secret, header: scheme.header, prefix: scheme.prefix ?? '', over: `{${scheme.over}}` }, request, made.key, nowMs);
    case 'hmac':
      return hmac(scheme, request, made.key, nowMs);
    case 'ed25519':
      return signed(scheme, request, nowMs, { length: 64, isRight: (proof, parts) => verifyWithNode(made.key, bytes(parts), proof) });
    case 'token':
      return token(scheme, request, made.key);
    default:
      return scheme satisfies never;
  }
}

const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const;

function hmac(scheme: HmacScheme, request: SignedRequest, key: Buffer, nowMs: number): Verified {
  return signed(scheme, request, nowMs, {
    length: DIGEST_BYTES[scheme.algorithm],
    isRight(proof, parts) {
      const mac = createHmac(scheme.algorithm, key);
      for (const part of parts) mac.update(part);
      return timingSafeEqual(mac.digest(), proof);
    },
  });
}

interface Check {
  /** Bytes of a signature. */
  readonly length: number;
  readonly isRight: (proof: Buffer, parts: readonly (string | Buffer)[]) => boolean;
}

function signed(scheme: HmacScheme | Ed25519Scheme, request: SignedRequest, nowMs: number, { length, isRight }: Check): Verified {
  const found = proofsIn(request.headers, scheme);
  if (!found.ok) return found;
  const proofs = found.texts.flatMap((text) => bytesOf(text, scheme.encoding, length) ?? []);
  if (proofs.length === 0) return { ok: false, cause: 'header-malformed' };
  const { timestamp } = scheme;
  const time = timestamp && signedTimeOf(request.headers, timestamp, nowMs);
  if (time?.ok === false) return time;
  const parts = signedParts(scheme.over, request, time?.text);
  if (!parts) return { ok: false, cause: 'part-missing' };
  if (!proofs.some((proof) => isRight(proof, parts))) return { ok: false, cause: 'signature-wrong' };
  if (!timestamp || !time || timestamp.replay === 'allow') return { ok: true };
  return { ok: true, seen: { digest: createHash('sha256').update(bytes(parts)).digest('hex'), untilMs: time.atMs + timestamp.toleranceSeconds * 1000 } };
}

function token({ header, prefix }: Extract<IngressVerification, { scheme: 'token' }>, request: SignedRequest, key: Buffer): Verified {
  const found = proofsIn(request.headers, { header, ...(prefix === undefined ? {} : { prefix }) });
  if (!found.ok) return found;
  // Digests have one length, so that not even the length of the token shows.
  const isRight = timingSafeEqual(hash('sha256', found.texts[0] ?? '', 'buffer'), hash('sha256', key, 'buffer'));
  return isRight ? { ok: true } : { ok: false, cause: 'token-wrong' };
}

const bytes = (parts: readonly (string | Buffer)[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
