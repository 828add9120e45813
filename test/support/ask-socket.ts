// One request through a Unix socket, over a connection of its own.
import { request } from 'node:http';

export interface SocketQuestion {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export function askSocket(socketPath: string, { body, headers = {}, ...question }: SocketQuestion): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly text: string }>();
  const asked = request({ socketPath, headers: { host: 'localhost', ...headers }, agent: false, ...question }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
  });
  asked.on('error', reject).end(body);
  return promise;
}
