// A server of somebody else's, on a free port: keeps what it is sent, and answers as the test says.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ReceiverAnswer {
  readonly status: number;
  readonly statusText?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly received: readonly Received[];
  /** For `egress.allow`: this server and no other. */
  readonly exception: { readonly host: string; readonly scheme: 'http'; readonly port: number };
}

/** `'hang'` keeps the sender waiting until the end of the test, `'reset'` cuts the connection. Default: an empty 200. */
export type Answering = (request: Received, index: number) => ReceiverAnswer | 'hang' | 'reset' | Promise<ReceiverAnswer | 'hang' | 'reset'>;

export async function startReceiver(answer: Answering = () => ({ status: 200 })): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const arrived: Received = { method: request.method ?? '', target: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() };
      received.push(arrived);
      void Promise.resolve(answer(arrived, received.length - 1)).then((answered) => reply(response, answered));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    received,
    exception: { host: '127.0.0.1', scheme: 'http', port },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(response: ServerResponse, answered: ReceiverAnswer | 'hang' | 'reset'): void {
  if (answered === 'hang') return;
  if (answered === 'reset') {
    response.destroy();
    return;
  }
  const { status, statusText = '', headers = {}, body = '' } = answered;
  response.writeHead(status, statusText, headers);
  response.end(body);
}
