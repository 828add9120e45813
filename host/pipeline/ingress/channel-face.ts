// What the control plane sees of one channel instance: its pages, its routes, its sockets.
import { extname } from 'node:path';
import type { ChannelSection } from '../../../schemas/plugin-manifest.ts';
import type { Ingress, IngressAnswer, IngressRequest, SocketPeer, SocketSession } from './ingress.ts';
import type { ChannelEntry } from '../plugin-directory.ts';

export interface ChannelFace {
  readonly instance: string;
  readonly section: ChannelSection;
  /** Granted `ui`: its pages may use the host's origin. */
  readonly ui: boolean;
  asset(path: string): { readonly bytes: Buffer; readonly contentType: string } | undefined;
  /** Never rejects for anything the remote did: refusals are problem+json answers. */
  http(request: IngressRequest): Promise<IngressAnswer>;
  socket(peer: SocketPeer): Promise<SocketSession>;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** Assets come from the verified bytes of the release, never from disk. */
export function channelFace(entry: ChannelEntry, files: ReadonlyMap<string, Buffer>, ui: boolean, ingress: Ingress): ChannelFace {
  const { section, instance } = entry;
  return {
    instance,
    section,
    ui,
    asset(path) {
      const { assets } = section;
      if (!assets) return undefined;
      const base = assets.path.endsWith('/') ? assets.path : `${assets.path}/`;
      if (!path.startsWith(base)) return undefined;
      const name = `${assets.dir}/${path.slice(base.length) || 'index.html'}`;
      const bytes = files.get(name);
      return bytes && { bytes, contentType: CONTENT_TYPES[extname(name)] ?? 'application/octet-stream' };
    },
    http: (request) => ingress.http(entry, request),
    socket: (peer) => ingress.socket(entry, peer),
  };
}
