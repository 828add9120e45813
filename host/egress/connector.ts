// Opens the sockets of plugins, and only to where policy allows: the one place in the host where a name becomes a connection. Made by egress.ts.
import type { LookupFunction, Socket } from 'node:net';
import { isIP } from 'node:net';
import { callbackify } from 'node:util';
import { buildConnector } from 'undici';
import { BOUNDS } from '../../schemas/bounds.ts';
import { canonicalAddress, isOwnAddress } from './address.ts';
import type { Resolve } from './resolver.ts';
import { exceptionFor, mayReach, type EgressException } from './target.ts';

/** A connection that policy does not allow. The plugin is not told it from one that failed; the operator is. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';

  constructor() {
    super('the address is not one that plugins may reach');
    this.name = 'AddressRefused';
  }
}

export interface ConnectorParts {
  readonly allow: readonly EgressException[];
  /** Where the host itself listens: not even an exception leads there. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly resolve: Resolve;
}

const ADDRESSES = 16;

/**
 * A connect function for undici. The name is resolved once; if any of its addresses may not be reached, none is, and the socket gets exactly these addresses,
 * so that a second answer (DNS rebinding) is never asked for. TLS goes on checking the certificate against the name. Literals never reach a lookup
 * function, so they are judged before; and what the socket is connected to in the end is judged once more.
 * Node's variables for proxies and for unverified TLS mean nothing here.
 */
export function createConnector({ allow, listen, resolve }: ConnectorParts): buildConnector.connector {
  return ({ hostname, protocol, port, ...rest }, callback) => {
    // undici names IPv6 without brackets here, URLs and exceptions with them.
    const isLiteral = isIP(hostname) !== 0;
    const target = { scheme: protocol === 'https:' ? 'https' : 'http', host: isIP(hostname) === 6 ? `[${hostname}]` : hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) } as const;
    const pinned = exceptionFor(target, allow);
    const isAllowed = (address: string) => mayReach(address, pinned) && !isOwn(address, target.port, pinned !== undefined, listen);
    if (isLiteral && !isAllowed(hostname)) return queueMicrotask(() => callback(new AddressRefused(), null));

    const addressesOf = callbackify(async (name: string) => {
      const addresses = pinned?.length ? pinned : await resolve(name, { excepted: pinned !== undefined });
      if (addresses.length === 0) throw new Error('no such name');
      if (!addresses.every(isAllowed)) throw new AddressRefused();
      return addresses.slice(0, ADDRESSES).map((address) => ({ address, family: isIP(address) }));
    });
    const lookup: LookupFunction = (name, _options, done) => addressesOf(name, (error, addresses) => done(error, addresses));
    const connect = buildConnector({ lookup, autoSelectFamily: true, timeout: BOUNDS.fetchConnectMs, maxCachedSessions: 0, allowH2: false, rejectUnauthorized: true });
    connect({ ...rest, hostname, protocol, port }, (...[error, socket]) => {
      if (error) return callback(error, null);
      if (isAllowed(remoteOf(socket))) return callback(null, socket);
      socket.destroy();
      callback(new AddressRefused(), null);
    });
  };
}

/** This machine's own addresses lead back into it even when they are public. An exception opens them, but for the host's own door. */
function isOwn(address: string, port: number, excepted: boolean, listen: ConnectorParts['listen']): boolean {
  if (excepted && port !== listen.port) return false;
  return isOwnAddress(address) || (canonicalAddress(address) ?? address) === canonicalAddress(listen.host);
}

const remoteOf = ({ remoteAddress }: Socket) => remoteAddress ?? '';
