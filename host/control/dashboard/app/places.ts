// Every view that has a place in the navigation: in which order, under which name, and what a token must permit for it to be offered.
import type { Scope } from '../../scopes.ts';
import type { IconName } from './parts/icon.tsx';

export interface Place {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  readonly scope: Scope;
  /** Second key after `g`. */
  readonly key: string;
}

export const PLACES: readonly { readonly group: string; readonly places: readonly Place[] }[] = [
  { group: '', places: [{ path: '', name: 'Overview', icon: 'overview', scope: 'status:read', key: 'o' }] },
  {
    group: 'Traffic',
    places: [
      { path: 'messages', name: 'Messages', icon: 'messages', scope: 'messages:read', key: 'm' },
      { path: 'dead-letters', name: 'Dead letters', icon: 'letters', scope: 'dead-letters:read', key: 'd' },
      { path: 'deliveries', name: 'Deliveries', icon: 'deliveries', scope: 'messages:read', key: 'v' },
      { path: 'lanes', name: 'Lanes', icon: 'lanes', scope: 'messages:read', key: 'l' },
      { path: 'sessions', name: 'Sessions', icon: 'sessions', scope: 'messages:read', key: 's' },
      { path: 'pairing', name: 'Pairing', icon: 'pairing', scope: 'pairing:read', key: 'i' },
    ],
  },
  {
    group: 'Plugins',
    places: [
      { path: 'plugins', name: 'Plugins', icon: 'plugins', scope: 'plugins:read', key: 'p' },
      { path: 'costs', name: 'Costs', icon: 'costs', scope: 'costs:read', key: 'b' },
      { path: 'quarantine', name: 'Quarantine', icon: 'quarantine', scope: 'review', key: 'q' },
      { path: 'approvals', name: 'Approvals', icon: 'approvals', scope: 'plugins:read', key: 'a' },
    ],
  },
  {
    group: 'Host',
    places: [
      { path: 'events', name: 'Live events', icon: 'events', scope: 'events:read', key: 'e' },
      { path: 'audit', name: 'Audit log', icon: 'audit', scope: 'audit:read', key: 'u' },
      { path: 'tokens', name: 'Tokens', icon: 'tokens', scope: 'tokens:read', key: 't' },
      { path: 'settings', name: 'Settings', icon: 'settings', scope: 'config:read', key: 'c' },
    ],
  },
];
