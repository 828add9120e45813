// Stored files, for whoever has a signed address of one. No list, no other way in; a browser shows what can be shown safely and saves the rest.
import { createReadStream } from 'node:fs';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { GatehouseError } from '../../errors.ts';
import type { Host, ServedFile } from '../../host.ts';

/** Nothing in a file runs, loads, frames or is taken for anything but its type. */
const FILE_HEADERS = {
  'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'accept-ranges': 'bytes',
} as const;

export function registerMedia(app: FastifyInstance, host: Pick<Host, 'media' | 'clock'>): void {
  let reading = 0;
  app.get<{ Params: { readonly '*': string } }>('/media/*', { config: { ingest: true, streams: true } }, async (request, reply) => {
    if (reading >= BOUNDS.mediaReadsAtOnce) throw new GatehouseError('HOST_BUSY', { queue: 'files', depth: reading });
    reading += 1;
    let isStreaming = false;
    try {
      const file = await host.media.open(request.params['*']);
      if (!file) throw new GatehouseError('NOT_FOUND', { path: '/media/' });
      const range = rangeOf(request.headers.range, file.sizeBytes);
      headersOf(reply, file, range, host.clock.now());
      const stream = createReadStream(file.path, range).once('close', () => (reading -= 1));
      isStreaming = true;
      return await reply.send(stream);
    } finally {
      if (!isStreaming) reading -= 1;
    }
  });
}

function headersOf(reply: FastifyReply, { mimeType, inline, name, sizeBytes, expiresAtMs }: ServedFile, range: { readonly start: number; readonly end: number } | undefined, nowMs: number): void {
  reply.headers({
    ...FILE_HEADERS,
    'content-type': mimeType.startsWith('text/') ? `${mimeType}; charset=utf-8` : mimeType,
    'content-disposition': `${inline ? 'inline' : 'attachment'}; filename="${name.replaceAll(/[^\w.-]+/g, '_')}"; filename*=UTF-8''${encodeURIComponent(name).replaceAll(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)}`,
    'cache-control': `private, max-age=${Math.max(0, Math.floor((expiresAtMs - nowMs) / 1000))}`,
    'content-length': range ? range.end - range.start + 1 : sizeBytes,
    ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}` }),
  });
  if (range) reply.code(206);
}

/** RFC 9110 section 14: one range of bytes, which is what players ask for. Anything else is answered with the whole. */
function rangeOf(header: string | undefined, sizeBytes: number): { readonly start: number; readonly end: number } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const start = from === '' ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const end = from === '' || to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return start <= end ? { start, end } : undefined;
}
