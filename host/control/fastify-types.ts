// What the control plane adds to Fastify's requests and routes.
import type { Client } from './network/client.ts';
import type { Scope } from './scopes.ts';
import type { Principal } from './tokens.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before routing for everything but public routes. */
    principal: Principal | null;
    /** Who asks, as far as proxies are believed. Set before everything else. */
    client: Client;
  }
  interface FastifyContextConfig {
    /** Answers without a token. */
    readonly open?: boolean;
    /** Answers without a token below `network.exemptPrefixes`: it looks for itself who asks. */
    readonly ingest?: boolean;
    /** Answers however busy the host is. */
    readonly vital?: boolean;
    /** Its answer may take as long as it likes. */
    readonly streams?: boolean;
    /** Takes WebSockets. */
    readonly socket?: boolean;
    /** What a token needs to reach it. */
    readonly scope?: Scope;
    /** It changes something: its path below /api/v1, with `:name` for parameters. */
    readonly mutates?: string;
  }
}
