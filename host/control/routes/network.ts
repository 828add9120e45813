// GET /api/v1/config/network: the network policy of the running host, with the source of each value.
import type { X509Certificate } from 'node:crypto';
import { NetworkView } from '../../../schemas/network.ts';
import type { Host } from '../../host.ts';
import { networkView } from '../../network/view.ts';
import type { ApiRoute } from './api.ts';

/** What is known once the server listens. */
export interface Listening {
  readonly address: () => string;
  /** The certificate that is shown now. */
  readonly leaf: () => X509Certificate | undefined;
}

export const networkRoutes = (host: Pick<Host, 'config' | 'clock'>, { address, leaf }: Listening): readonly ApiRoute[] => [
  {
    id: 'getNetworkPolicy', method: 'GET', path: '/config/network', scope: 'config:read',
    summary: 'What the network policy comes to, and where each value comes from.',
    answer: NetworkView,
    run: () => networkView(host.config.policy, address(), leaf(), host.clock.now()),
  },
];
