// How much is taken at once and from one sender: requests in flight, requests of an address and of a token. Called by admission.ts, before anything of a request is worked at.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SenderRates } from '../../broker/quota.ts';
import type { Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import type { NetworkPolicy } from '../../network/policy.ts';

/** So many seconds' worth may come at once. */
const BURST_SECONDS = 5;
/** Nobody has more than one in so many of the places: four addresses are needed to keep everybody else out, not one. */
const SENDER_SHARE = 4;

/** Senders are those of `senderOf`; for this machine's own socket nothing here is asked. */
export interface Limits {
  /**
   * Counts it until its answer is over: as one that is answered, or, while its body has not come, among as many that only arrive. What a sender holds back takes no place of those that are
   * worked at. Throws OVERLOADED.
   */
  enter(request: FastifyRequest, reply: FastifyReply, sender: string): void;
  /** Its body is there. Throws OVERLOADED. */
  arrived(request: FastifyRequest): void;
  /** Throws RATE_LIMITED. */
  ofAddress(sender: string): void;
  /** Throws RATE_LIMITED. */
  ofToken(tokenId: string): void;
}

export function createLimits({ inFlight, perAddressPerSecond, perTokenPerSecond }: NetworkPolicy['limits'], clock: Clock): Limits {
  const addresses = new SenderRates(clock);
  const tokens = new SenderRates(clock);
  const answered = new Places(inFlight);
  const arriving = new Places(inFlight);
  /** How each request that still arrives goes on. */
  const arrivals = new WeakMap<FastifyRequest, () => void>();
  const take = (rates: SenderRates, name: string, perSecond: number, who: string) => {
    if (perSecond === 0 || rates.take(name, perSecond, perSecond * BURST_SECONDS)) return;
    throw new GatehouseError('RATE_LIMITED', { who, perSecond, retryAfterMs: 1000 });
  };
  return {
    enter(request, reply, sender) {
      const hasBody = Number(request.headers['content-length'] ?? 0) !== 0 || request.headers['transfer-encoding'] !== undefined;
      let leave: (() => void) | undefined = (hasBody ? arriving : answered).take(sender);
      reply.raw.once('close', () => {
        leave?.();
        leave = undefined;
      });
      if (!hasBody) return;
      arrivals.set(request, () => {
        // Whoever asked may be gone by now, and its place with it.
        if (!leave) return;
        leave();
        leave = undefined;
        leave = answered.take(sender);
      });
    },
    arrived: (request) => arrivals.get(request)?.(),
    ofAddress: (sender) => take(addresses, sender, perAddressPerSecond, 'address'),
    ofToken: (tokenId) => take(tokens, tokenId, perTokenPerSecond, 'token'),
  };
}

/** So many at once, and of one sender its share. */
class Places {
  readonly #most: number;
  readonly #share: number;
  readonly #bySender = new Map<string, number>();
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
    this.#share = Math.ceil(most / SENDER_SHARE);
  }

  /** Returns what gives the place back. Throws OVERLOADED. */
  take(sender: string): () => void {
    const own = this.#bySender.get(sender) ?? 0;
    if (this.#taken >= this.#most) throw new GatehouseError('OVERLOADED', { depth: this.#taken });
    if (own >= this.#share) throw new GatehouseError('OVERLOADED', { depth: own });
    this.#taken += 1;
    this.#bySender.set(sender, own + 1);
    return () => {
      this.#taken -= 1;
      const left = (this.#bySender.get(sender) ?? 1) - 1;
      if (left > 0) this.#bySender.set(sender, left);
      else this.#bySender.delete(sender);
    };
  }
}
