// The second door of the control plane: a Unix socket in the data directory, for commands on this machine. Opened by server.ts; the command line comes through it.
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { afterAnswers, connectionOptions, guardConnections, type ConnectionLimits } from './connections.ts';
import { answerClientError, pathOf, refuseUpgrade } from './http-errors.ts';

export const localSocketPath = (dataDir: string) => join(dataDir, 'gatehouse.sock');

/** What fits into `sockaddr_un` with its final zero: 108 bytes on Linux, 104 on macOS and BSD (unix(7)). */
const MOST_BYTES = process.platform === 'linux' ? 107 : 103;

export const fitsSocket = (path: string): boolean => process.platform !== 'win32' && Buffer.byteLength(path) <= MOST_BYTES;

/** Connections of these sockets: whoever came this way is the owner of the data directory, and no stranger to lockouts, rates and rules about networks. */
const local = new WeakSet<Duplex>();
export const isOfLocalSocket = (socket: Duplex): boolean => local.has(socket);

export interface LocalSocketParts {
  readonly dataDir: string;
  readonly limits: ConnectionLimits;
  readonly log: Log;
}

export interface LocalSocket {
  readonly path: string;
  /** Lets what is under way finish for at most `graceMs`, then ends it. Resolves once no connection is left. */
  close(graceMs: number): Promise<void>;
}

/**
 * The same routes behind the same tokens, for whoever may enter the data directory. Called with the lock of that directory held: what stands there and
 * answers nobody was left by a host that crashed. Undefined, with a line in the log, where there can be none; the host then has its TCP address alone.
 */
export async function openLocalSocket(app: FastifyInstance, { dataDir, limits, log }: LocalSocketParts): Promise<LocalSocket | undefined> {
  const path = localSocketPath(dataDir);
  if (!fitsSocket(path)) {
    log.info({ path, mostBytes: MOST_BYTES }, 'the data directory lies too deep for a socket in it; commands come by TCP');
    return undefined;
  }
  try {
    await removeLeftover(path);
    const { http, requestTimeout, connectionTimeout } = connectionOptions(limits);
    const server = createServer({ ...http, requestTimeout, keepAliveTimeout: 1 }, (request, response) => app.routing(request, response));
    server.setTimeout(connectionTimeout);
    guardConnections(server, limits);
    server.on('connection', (socket) => void local.add(socket));
    server.on('clientError', answerClientError);
    // WebSockets are for pages, and no page comes this way.
    server.on('upgrade', (request, socket) => afterAnswers(socket, () => refuseUpgrade(socket, pathOf({ url: request.url ?? '' }))));
    const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(path, resolve);
    await listening;
    chmodSync(path, 0o600);
    return {
      path,
      close: (graceMs) =>
        new Promise((done) => {
          const late = setTimeout(() => server.closeAllConnections(), graceMs);
          server.close(() => (clearTimeout(late), done()));
        }),
    };
  } catch (thrown) {
    log.warn({ path, problem: problemOf(thrown) }, 'there is no socket for commands of this machine; they come by TCP');
    return undefined;
  }
}

/** Throws for what is no socket, and for one that somebody answers at: neither is ours to remove. */
async function removeLeftover(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error('what stands there is no socket');
  if (await answers(path)) throw new Error('another process answers there');
  rmSync(path);
}

/** A socket whose process is gone refuses; the kernel knows, and nobody has to wait. */
function answers(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true));
  socket.once('error', (error) => ('code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') ? resolve(false) : reject(error)));
  return promise.finally(() => socket.destroy());
}
