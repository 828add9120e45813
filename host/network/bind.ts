// Which address a bind mode means on this machine. Pure: interfaces are handed in by config.ts.
import type { NetworkInterfaceInfo } from 'node:os';
import type { BindMode } from '../../schemas/network.ts';
import { within } from './addresses.ts';

export type Interfaces = Readonly<Record<string, readonly Pick<NetworkInterfaceInfo, 'address' | 'family'>[] | undefined>>;

/** What Tailscale and its like give to their members: RFC 6598 shared address space, and Tailscale's own ULA prefix. */
const isTailnet = within(['100.64.0.0/10', 'fd7a:115c:a1e0::/48']);

/** Undefined where the machine has no such address. `custom` is the host of `listen`. */
export function hostOf(mode: BindMode, listenHost: string, interfaces: Interfaces): string | undefined {
  const addresses = Object.values(interfaces).flatMap((each) => each ?? []);
  const tailnet = addresses.find(({ address, family }) => family === 'IPv4' && isTailnet(address)) ?? addresses.find(({ address }) => isTailnet(address));
  switch (mode) {
    case 'custom':
      return listenHost;
    case 'loopback':
      return '127.0.0.1';
    case 'lan':
      // `::` takes both families where the machine has the newer one.
      return addresses.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0';
    case 'tailnet':
      return tailnet?.address;
    case 'auto':
      return tailnet?.address ?? '127.0.0.1';
    default:
      return mode satisfies never;
  }
}
