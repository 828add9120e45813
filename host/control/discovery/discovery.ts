// How others find the host: an announcement to the local network, and what the tailnet calls this machine. Started and stopped by server.ts with the address it listens on.
import type { DiscoveryPolicy, DiscoveryView } from '../../../schemas/discovery.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { VERSION } from '../../version.ts';
import { announce, SERVICE } from './announcement.ts';
import { tailnetProbe } from './tailnet.ts';

export interface DiscoveryParts {
  readonly settings: DiscoveryPolicy;
  /** Where it listens, and the port that was really taken. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Discovery extends AsyncDisposable {
  view(): Promise<DiscoveryView>;
}

/** Returns at once; what it comes to is in the view. */
export function startDiscovery({ settings: { mdns, tailnet }, host, port, tls, clock, log }: DiscoveryParts): Discovery {
  const announcement = mdns.enabled ? announce({ name: mdns.name, interface: mdns.interface, host, port, log, txt: { version: VERSION, api: 'v1', tls: tls ? '1' : '0', path: '/api/v1' } }) : undefined;
  const probe = tailnet.enabled ? tailnetProbe(clock) : undefined;
  return {
    view: async () => ({ mdns: announcement?.view ?? { state: 'off', service: SERVICE }, tailnet: (await probe?.look()) ?? { state: 'off' } }),
    async [Symbol.asyncDispose]() {
      probe?.close();
      await announcement?.[Symbol.asyncDispose]();
    },
  };
}
