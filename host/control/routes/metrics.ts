// Prometheus scrapes: open to everyone on this machine in profile local, else for tokens with metrics:read.
import type { FastifyInstance } from 'fastify';
import type { Profile } from '../../../schemas/host-config.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

export interface MetricsSource {
  readonly contentType: string;
  text(): Promise<string>;
}

export function registerMetrics(app: FastifyInstance, metrics: MetricsSource, profile: Profile): void {
  app.get('/metrics', { config: { open: profile === 'local', scope: 'metrics:read' } }, async (_request, reply) => reply.headers(SECURITY_HEADERS).type(metrics.contentType).send(await metrics.text()));
}
