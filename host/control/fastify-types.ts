// What the control plane adds to Fastify's requests and routes.
import type { Scope } from './scopes.ts';
import type { Principal } from './tokens.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before routing for everything but public routes. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** Answers without a token. */
    readonly open?: boolean;
    /** Takes WebSockets. */
    readonly socket?: boolean;
    /** What a token needs to reach it. */
    readonly scope?: Scope;
    /** It changes something: its path below /api/v1, with `:name` for parameters. */
    readonly mutates?: string;
  }
}
