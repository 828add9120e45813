// Kept connections, an instance's own: never shared with another plugin, used by one exchange at a time. egress.ts takes one for each hop and gives it back;
// it imports this file when the first is needed, because undici takes a tenth of a second and 29 MB to load.
import type { Socket } from 'node:net';
import { Client, type buildConnector } from 'undici';
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import { createConnector, type ConnectorParts } from './connector.ts';

/** The only HTTP/1.1 connection of `client`; opened by its first exchange, and opened again when the server has closed it meanwhile. */
export interface Connection {
  readonly instance: string;
  readonly origin: string;
  readonly client: Client;
  /** Told of bytes as they come and go, both ways, by whoever uses the connection. */
  meter: ((bytes: number) => void) | undefined;
  /** Tells the meter what it has not been told yet. */
  settle: () => void;
}

export interface ConnectionsParts extends ConnectorParts {
  /** New connections, by instance. */
  readonly connects: { take(name: string, perSecond: number, burst: number): boolean };
}

export class Connections implements AsyncDisposable {
  readonly #connects: ConnectionsParts['connects'];
  readonly #connect: buildConnector.connector;
  /** By instance, the longest unused first. */
  readonly #idle = new Map<string, Connection[]>();
  readonly #busy = new Set<Connection>();

  constructor(parts: ConnectionsParts) {
    this.#connects = parts.connects;
    this.#connect = createConnector(parts);
  }

  take(instance: string, origin: string): Connection {
    const kept = this.#idle.get(instance)?.findLast((each) => each.origin === origin);
    if (kept) this.#forget(kept);
    const connection = kept ?? this.#open(instance, origin);
    this.#busy.add(connection);
    return connection;
  }

  /** For the instance's next exchange with this origin. Only after one that ended well: whatever else was in flight ends with its connection. */
  give(connection: Connection): void {
    this.#busy.delete(connection);
    connection.meter = undefined;
    const kept = this.#idle.get(connection.instance) ?? [];
    this.#idle.set(connection.instance, kept);
    kept.push(connection);
    const [oldest] = kept;
    if (oldest && kept.length > BOUNDS.fetchesAtOnce) this.drop(oldest);
  }

  drop(connection: Connection): void {
    this.#busy.delete(connection);
    this.#forget(connection);
    connection.meter = undefined;
    void connection.client.destroy();
  }

  /** Closes what is kept for instances that are not among these. */
  keepOnly(isKept: (instance: string) => boolean): void {
    for (const [instance, kept] of this.#idle) if (!isKept(instance)) for (const connection of kept.slice()) this.drop(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#busy, ...[...this.#idle.values()].flat()];
    this.#busy.clear();
    this.#idle.clear();
    await Promise.all(all.map(({ client }) => client.destroy()));
  }

  #open(instance: string, origin: string): Connection {
    const client = new Client(origin, {
      connect: (options, callback) => {
        if (!this.#connects.take(instance, BOUNDS.fetchConnectsPerSecond, BOUNDS.fetchConnectBurst)) return callback(new GatehouseError('EGRESS_BUSY', { instance, problem: `it opens more than ${BOUNDS.fetchConnectsPerSecond} connections a second` }), null);
        this.#connect(options, (...result) => {
          const [, socket] = result;
          if (socket) connection.settle = watch(socket, connection);
          callback(...result);
        });
      },
      pipelining: 1,
      maxHeaderSize: BOUNDS.fetchResponseHeaderBytes,
      // One deadline for all of a fetch stands in egress.ts; these would only watch for idleness.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: BOUNDS.fetchIdleMs,
      keepAliveMaxTimeout: BOUNDS.fetchIdleMs,
    });
    const connection: Connection = { instance, origin, client, meter: undefined, settle: () => undefined };
    client.on('disconnect', () => {
      if (!this.#busy.has(connection)) this.drop(connection);
    });
    return connection;
  }

  #forget(connection: Connection): void {
    const kept = this.#idle.get(connection.instance);
    const index = kept?.indexOf(connection) ?? -1;
    if (index !== -1) kept?.splice(index, 1);
    if (kept?.length === 0) this.#idle.delete(connection.instance);
  }
}

/** Counts what passes through the socket, whatever the parser makes of it: framing that never becomes a body is bounded too. */
function watch(socket: Socket, connection: Connection): () => void {
  let seen = 0;
  const settle = () => {
    const total = socket.bytesRead + socket.bytesWritten;
    const bytes = total - seen;
    seen = total;
    if (bytes > 0) connection.meter?.(bytes);
  };
  socket.on('readable', settle);
  return settle;
}
