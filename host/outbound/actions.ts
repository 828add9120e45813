// Performs what a channel's handlers ask the host to do for them, under the channel's own grants.
import type { Action } from '../../schemas/message.ts';
import { GatehouseError } from '../errors.ts';
import type { SocketHub } from './sockets.ts';

/** Throws CAPABILITY_DENIED for requests: this host has no egress, so no grant for one can be in force. */
export function performActions(instance: string, actions: readonly Action[], sockets: SocketHub): void {
  for (const action of actions) {
    if ('request' in action) throw new GatehouseError('CAPABILITY_DENIED', { instance, capability: 'http.fetch', value: ` for '${originOf(action.request.url)}'` });
    sockets.send(instance, action.frame, action.text);
  }
}

const originOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : 'an invalid URL');
