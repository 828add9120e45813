// /docs: the API for people, drawn by Swagger UI from /openapi.json. Open to everybody, as the document is; nothing is loaded from elsewhere, and nothing runs but what stands here.
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** No inline script and no inline style; `data:` for the arrows in its style sheet. */
const HEADERS = {
  ...SECURITY_HEADERS,
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-cache',
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/page.js" defer></script>
</head>
<body>
<main id="operations"></main>
<noscript>This page draws <a href="/openapi.json">/openapi.json</a> with a script.</noscript>
</body>
</html>
`;

/** `validatorUrl: null`: else it would show the document to a service on the internet. */
const SCRIPT = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#operations', deepLinking: true, filter: true, docExpansion: 'list', defaultModelsExpandDepth: 0, validatorUrl: null });
`;

/** Of all that the package brings, what the page asks for. */
const FILES = { 'swagger-ui.css': 'text/css; charset=utf-8', 'swagger-ui-bundle.js': 'text/javascript; charset=utf-8', 'favicon-32x32.png': 'image/png' } as const;
const FOLDER = join(dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui'))), 'static');

export function registerDocs(app: FastifyInstance): void {
  const open = { config: { open: true } };
  for (const path of ['/docs', '/docs/']) app.get(path, open, async (_request, reply) => reply.headers(HEADERS).type('text/html; charset=utf-8').send(PAGE));
  app.get('/docs/page.js', open, async (_request, reply) => reply.headers(HEADERS).type('text/javascript; charset=utf-8').send(SCRIPT));
  for (const [name, type] of Object.entries(FILES)) app.get(`/docs/${name}`, open, async (_request, reply) => reply.headers(HEADERS).type(type).send(createReadStream(join(FOLDER, name))));
}
