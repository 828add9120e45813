// How the command line knows the host of this machine where that speaks TLS: by the very certificate in the home, whatever name it is for. Used by client.ts.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import type { NetworkPolicy } from '../network/policy.ts';

/** That certificate and no other, neither one of the same authority nor of one that the system trusts: the token goes with the request. Nothing where the host speaks in clear. */
export function trustOwnCertificate({ tls }: Pick<NetworkPolicy, 'tls'>): Pick<RequestOptions, 'ca' | 'checkServerIdentity' | 'allowPartialTrustChain'> {
  // Of a file with a chain, the class reads the first, which is the host's own.
  return tls ? { ca: new X509Certificate(readFileSync(tls.certFile)).toString(), checkServerIdentity: () => undefined, allowPartialTrustChain: true } : {};
}
