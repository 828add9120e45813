// Reads a channel request's body as the bytes that were sent, up to that channel's bound. Called by routes/channels.ts as Fastify's body parser.
import type { IncomingMessage } from 'node:http';
import { GatehouseError } from '../errors.ts';

/** Throws INGRESS_TOO_LARGE as soon as the bound is passed or announced, REQUEST_MALFORMED when the peer stops half way. */
export function readBody(payload: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(payload.headers['content-length']) > limit) return Promise.reject(new GatehouseError('INGRESS_TOO_LARGE', { limit }));
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  payload.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= limit) chunks.push(chunk);
    else {
      payload.removeAllListeners('data');
      reject(new GatehouseError('INGRESS_TOO_LARGE', { limit }));
    }
  });
  payload.on('end', () => resolve(Buffer.concat(chunks, sizeBytes)));
  payload.on('error', (cause) => reject(new GatehouseError('REQUEST_MALFORMED', { problem: 'its body ended early' }, { cause })));
  return promise;
}
