// Authenticity of a request, by the scheme its route declares in the manifest, on the raw bytes, in the host. The plugin sees the request only afterwards.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IngressVerification } from '../../../schemas/plugin-manifest.ts';

export interface SignedRequest {
  /** The request target exactly as sent. */
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Whether the request proves knowledge of the secret. A missing secret proves nothing. */
export function isVerified(scheme: IngressVerification, request: SignedRequest, secret: (handle: string) => string | undefined): boolean {
  switch (scheme.scheme) {
    case 'none':
      return true;
    case 'hmac-sha256': {
      const key = secret(scheme.secret);
      const prefix = scheme.prefix ?? '';
      const header = request.headers[scheme.header];
      if (!key || header === undefined || !header.startsWith(prefix)) return false;
      const claimed = header.slice(prefix.length);
      if (!/^[0-9a-f]{64}$/i.test(claimed)) return false;
      const expected = createHmac('sha256', key).update(scheme.over === 'body' ? request.body : request.target).digest();
      return timingSafeEqual(expected, Buffer.from(claimed, 'hex'));
    }
    default:
      return scheme satisfies never;
  }
}
