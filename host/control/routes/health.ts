// Liveness and readiness, for supervisors and load balancers: no token, no list of anything but degraded plugins.
import type { FastifyInstance } from 'fastify';
import type { Host } from '../../host.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

export function registerHealth(app: FastifyInstance, host: Host): void {
  app.get('/healthz', { config: { open: true, vital: true } }, async (_request, reply) => reply.headers(SECURITY_HEADERS).send({ live: true }));

  app.get('/readyz', { config: { open: true, vital: true } }, async (_request, reply) => {
    const { ready, degraded } = host.readiness();
    // Messages name files and reasons: on a machine of one's own they help, on a network they tell strangers too much.
    const shown = host.config.profile === 'local' ? degraded : degraded.map(({ instance, state, code }) => ({ instance, state, code }));
    return reply.headers(SECURITY_HEADERS).code(ready ? 200 : 503).send({ ready, degraded: shown });
  });
}
