// Who is the same person on several channels, as the operator says in host.json. inbound.ts asks for every message; reload takes up what changes.
import type { IdentityLinks } from '../../../schemas/host-config.ts';

export class Identities {
  #bySender: ReadonlyMap<string, string> = new Map();

  constructor(links: IdentityLinks = {}) {
    this.learn(links);
  }

  /** From now on. config.ts has refused links that give one sender two identities. */
  learn(links: IdentityLinks): void {
    this.#bySender = new Map(Object.entries(links).flatMap(([identity, senders]) => senders.map((sender) => [sender, identity] as const)));
  }

  /** Ids are compared as they are, like everywhere: a link that differs in case or normal form links nobody. */
  of(instance: string, sender: string): string | undefined {
    return this.#bySender.size === 0 ? undefined : this.#bySender.get(`${instance}:${sender}`);
  }

  has(identity: string): boolean {
    return this.#bySender.values().some((each) => each === identity);
  }
}
