// The dashboard at `/`: hands out the files that build.ts made, and nothing else. What they show they read from the API, with the token of whoever signs in. Registered by server.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { GatehouseError } from '../../errors.ts';
import { refuseOtherMethods } from '../routes/api.ts';

/** Only what came with the page runs, and it talks to nobody but this host. No text becomes markup: there is no policy that would let it. */
const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "font-src 'none'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Where the files are: beside this one, in a checkout as in a package. */
const BUILT = join(import.meta.dirname, 'dist');

export async function registerDashboard(app: FastifyInstance): Promise<void> {
  await app.register(fastifyStatic, { root: BUILT, serve: false, suppressWarning: true, cacheControl: false, etag: true });
  app.get('/', { config: { open: true } }, async (_request, reply) => {
    if (!existsSync(join(BUILT, 'index.html'))) throw new GatehouseError('DASHBOARD_MISSING');
    return reply.headers({ ...PAGE_HEADERS, 'cache-control': 'no-cache' }).sendFile('index.html');
  });
  // Their names hold a hash of what is in them.
  app.get<{ Params: { readonly file: string } }>('/assets/:file', { config: { open: true } }, async ({ params }, reply) => reply.headers({ ...PAGE_HEADERS, 'cache-control': 'public, max-age=31536000, immutable' }).sendFile(`assets/${params.file}`));
  for (const path of ['/', '/assets/:file']) refuseOtherMethods(app, path, ['GET', 'HEAD']);
}
