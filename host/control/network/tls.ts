// How the server speaks: in clear or TLS, and whether it asks its peers for certificates. Used by app.ts.
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { FastifyServerOptions } from 'fastify';
import type { NetworkPolicy } from '../../network/policy.ts';

/** The same options, with those of TLS where there is a certificate. */
export function serverOptions(options: FastifyServerOptions & { readonly http: { readonly headersTimeout: number } }, { mtls }: Pick<NetworkPolicy, 'mtls'>, context: SecureContextOptions | undefined): FastifyServerOptions {
  if (!context) return options;
  const { http, ...rest } = options;
  const tls: TlsOptions = { ...context, handshakeTimeout: http.headersTimeout, ...peers(mtls) };
  // Fastify types a server with TLS apart from one without; our routes are the same on both.
  return Object.assign(rest, { https: { ...http, ...tls } });
}

/** Where certificates are required everywhere, whoever has none does not get through the handshake; where only some paths ask for one, admission looks. */
function peers(mtls: NetworkPolicy['mtls']): TlsOptions {
  if (!mtls) return {};
  const isForAll = mtls.mode === 'require' && mtls.for.includes('/');
  return { requestCert: true, rejectUnauthorized: isForAll };
}
