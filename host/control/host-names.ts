// Which names a request may address this host by. A page whose name was made to resolve here (DNS rebinding) is turned away. Called by server.ts for every request.
import type { ResolvedConfig } from '../config.ts';
import { isLoopback, listensEverywhere, plainAddress } from '../network/addresses.ts';

/** Tells whether a `Host` header is loopback, the listen address (of a host that listens on every one, the address it was reached at) or a configured name; the port does not matter. */
export function hostNames({ listen, hosts }: Pick<ResolvedConfig, 'listen' | 'hosts'>): (header: string | undefined, localAddress?: string) => boolean {
  const names = new Set([listen.host.toLowerCase(), ...hosts.map((name) => name.toLowerCase())]);
  const isEverywhere = listensEverywhere(listen.host);
  return (header, localAddress) => {
    const name = nameOf(header);
    return name !== undefined && (isLoopback(name) || names.has(name) || (isEverywhere && localAddress !== undefined && name === plainAddress(localAddress)));
  };
}

/** `[::1]:4280` → `::1`, `Example.org:80` → `example.org`; undefined for what is neither. */
function nameOf(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@?#]+))(?::\d{1,5})?$/.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** Whether an `Origin` is this host under the name the request was addressed to. Either scheme: a proxy may have ended TLS. */
export function isSameOrigin(origin: string, host: string | undefined): boolean {
  const lower = origin.toLowerCase();
  return host !== undefined && (lower === `http://${host.toLowerCase()}` || lower === `https://${host.toLowerCase()}`);
}
