// The key of an ingress scheme, from the text the operator keeps it as. examine.ts asks before a channel runs, the verify stage for every request.
import { handleOf, type IngressVerification } from '../../schemas/ingress.ts';
import type { ChannelSection } from '../../schemas/plugin-manifest.ts';
import { encodingProblem } from '../trust/curve.ts';
import { decodeBase64 } from '../trust/keys.ts';

export type IngressKey = { readonly ok: true; readonly key: Buffer } | { readonly ok: false; readonly problem: string };

/** Every handle that the host verifies requests with; these need no grant. */
export function ingressHandles(channel: ChannelSection | undefined): readonly string[] {
  return (channel?.ingress ?? []).flatMap(({ verify }) => handleOf(verify) ?? []);
}

/** Why the value cannot be the key that a route of the channel names it for; undefined when it can be all of them. */
export function ingressKeyProblem(channel: ChannelSection | undefined, handle: string, value: string): string | undefined {
  for (const { verify } of channel?.ingress ?? []) {
    const key = handleOf(verify) === handle ? ingressKeyOf(verify, value) : undefined;
    if (key && !key.ok) return key.problem;
  }
  return undefined;
}

/** A public key is 32 bytes in hex or standard base64, whichever it is written in; a secret is text unless the manifest says otherwise. */
export function ingressKeyOf(verify: IngressVerification, value: string): IngressKey {
  switch (verify.scheme) {
    case 'ed25519': {
      const key = fromHex(value) ?? decodeBase64(value);
      if (!key) return unusable('a public key is written in hex or standard base64');
      const problem = encodingProblem(key);
      return problem === undefined ? { ok: true, key } : unusable(`the public key is refused: ${problem}`);
    }
    case 'hmac': {
      const { secretEncoding = 'utf8' } = verify;
      const key = secretEncoding === 'utf8' ? Buffer.from(value) : secretEncoding === 'hex' ? fromHex(value) : decodeBase64(value);
      return key && key.length > 0 ? { ok: true, key } : unusable(`the manifest has it written in ${secretEncoding}, and it is not`);
    }
    case 'hmac-sha256':
    case 'token':
    case 'none':
      return { ok: true, key: Buffer.from(value) };
    default:
      return verify satisfies never;
  }
}

const unusable = (problem: string): IngressKey => ({ ok: false, problem });

const fromHex = (text: string): Buffer | undefined => (/^(?:[0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, 'hex') : undefined);
