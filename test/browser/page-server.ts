// A server that speaks the webchat protocol as a test tells it to, with the host's headers: for what a well-behaved host seldom does (refuse for a moment, go away, be slow).
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';

const ASSETS = resolve(import.meta.dirname, '../../plugins/webchat/assets');
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.svg': 'image/svg+xml' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface Heard {
  readonly type: string;
  readonly id: string;
  readonly text: string;
}

export interface PageServer extends AsyncDisposable {
  readonly url: string;
  /** Query strings of the connections made so far. */
  readonly openings: readonly URLSearchParams[];
  /** Messages received so far, over all connections. */
  readonly heard: readonly Heard[];
  /** Sends a frame to whoever is connected. */
  tell(frame: object): void;
  /** Cuts all connections. */
  cut(): void;
  /** Stops listening; `listen` comes back on the same port. */
  goAway(): Promise<void>;
  listen(): Promise<void>;
}

export interface PageServerHooks {
  /** Told of each message; what it returns is sent back. Default: accepted, and answered with `re: <text>`. */
  readonly onMessage?: (message: Heard) => readonly object[];
  /** Told of each connection; what it returns is sent first. */
  readonly onOpen?: (query: URLSearchParams) => readonly object[];
}

let replies = 0;
/** Reply ids grow, as the host's do. */
export const replyId = () => `${(Date.now() + replies++).toString(16).padStart(12, '0').replace(/(.{8})/, '$1-')}-7000-8000-000000000000`;

export const accepted = ({ id }: Heard) => ({ type: 'ack', id, status: 'accepted', messageId: `host-${id}` });

export async function startPageServer({ onMessage, onOpen }: PageServerHooks = {}): Promise<PageServer> {
  const openings: URLSearchParams[] = [];
  const heard: Heard[] = [];
  const connected = new Set<WebSocket>();
  const sockets = new WebSocketServer({ noServer: true });
  let server: Server | undefined;
  let port = 0;

  sockets.on('connection', (socket, request) => {
    const query = new URL(request.url ?? '', 'http://host').searchParams;
    openings.push(query);
    connected.add(socket);
    socket.on('close', () => connected.delete(socket));
    for (const frame of onOpen?.(query) ?? []) socket.send(JSON.stringify(frame));
    socket.on('message', (data: Buffer) => {
      const message: Heard = JSON.parse(data.toString());
      heard.push(message);
      const answers = onMessage?.(message) ?? [accepted(message), { type: 'message', id: replyId(), inReplyTo: message.id, text: `re: ${message.text}` }];
      for (const frame of answers) socket.send(JSON.stringify(frame));
    });
  });

  const listen = async () => {
    const listening = createServer((request, response) => {
      const path = new URL(request.url ?? '', 'http://host').pathname.replace('/channels/webchat/', '') || 'index.html';
      readFile(join(ASSETS, path)).then(
        (bytes) => response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' }).end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    listening.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, (open) => sockets.emit('connection', open, request)));
    await new Promise<void>((done) => listening.listen(port, '127.0.0.1', done));
    const address = listening.address();
    port = typeof address === 'object' && address !== null ? address.port : port;
    server = listening;
  };
  const cut = () => {
    for (const socket of connected) socket.terminate();
  };
  const goAway = async () => {
    const closing = server;
    server = undefined;
    cut();
    closing?.closeAllConnections();
    if (closing) await new Promise((done) => closing.close(done));
  };

  await listen();
  return {
    url: `http://127.0.0.1:${port}/channels/webchat/`,
    openings,
    heard,
    tell: (frame) => {
      for (const socket of connected) socket.send(JSON.stringify(frame));
    },
    cut,
    goAway,
    listen,
    [Symbol.asyncDispose]: goAway,
  };
}
