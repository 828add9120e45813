// How much is taken at once and from one sender: requests in flight, requests of an address and of a token. Called by admission.ts, before anything of a request is worked at.
import type { FastifyReply } from 'fastify';
import { SenderRates } from '../../broker/quota.ts';
import type { Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { senderKey } from '../../network/addresses.ts';
import type { NetworkPolicy } from '../../network/policy.ts';

/** So many seconds' worth may come at once. */
const BURST_SECONDS = 5;

export interface Limits {
  /** Counts it until its answer is over. Throws OVERLOADED. */
  enter(reply: FastifyReply): void;
  /** Throws RATE_LIMITED. */
  ofAddress(address: string): void;
  /** Throws RATE_LIMITED. */
  ofToken(tokenId: string): void;
}

export function createLimits({ inFlight, perAddressPerSecond, perTokenPerSecond }: NetworkPolicy['limits'], clock: Clock): Limits {
  const addresses = new SenderRates(clock);
  const tokens = new SenderRates(clock);
  let depth = 0;
  const take = (rates: SenderRates, name: string, perSecond: number, who: string) => {
    if (perSecond === 0 || rates.take(name, perSecond, perSecond * BURST_SECONDS)) return;
    throw new GatehouseError('RATE_LIMITED', { who, perSecond, retryAfterMs: 1000 });
  };
  return {
    enter(reply) {
      if (depth >= inFlight) throw new GatehouseError('OVERLOADED', { depth });
      depth += 1;
      reply.raw.once('close', () => (depth -= 1));
    },
    ofAddress: (address) => take(addresses, senderKey(address), perAddressPerSecond, 'address'),
    ofToken: (tokenId) => take(tokens, tokenId, perTokenPerSecond, 'token'),
  };
}
