// Servers that plugins may or may not reach, on loopback, counting who comes: well-behaved HTTP, and raw sockets that answer whatever a test wants.
import { createServer as createHttp, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';

export interface WorldServer extends AsyncDisposable {
  readonly port: number;
  /** TCP connections so far. */
  readonly connections: () => number;
  /** Open at this moment. */
  readonly open: () => number;
}

export interface HttpServer extends WorldServer {
  readonly requests: readonly IncomingMessage[];
}

/** With `tls`, https. */
export async function httpServer(listener: RequestListener, { tls }: { readonly tls?: SecureContextOptions & { readonly SNICallback?: (name: string, done: (error: Error | null) => void) => void } } = {}): Promise<HttpServer> {
  const requests: IncomingMessage[] = [];
  const record: RequestListener = (request, response) => {
    requests.push(request);
    listener(request, response);
  };
  const server = tls ? createHttps(tls, record) : createHttp(record);
  return { ...(await listening(server)), requests };
}

export async function rawServer(onSocket: (socket: Socket) => void): Promise<WorldServer> {
  return await listening(createTcp(onSocket));
}

/** A port of loopback that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = await rawServer(() => undefined);
  await server[Symbol.asyncDispose]();
  return server.port;
}

async function listening(server: Server): Promise<WorldServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    // Whoever attacks resets connections; that is its business, not an error of the test.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    connections: () => connections,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
