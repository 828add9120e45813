// Whose turn it is: parties take turns, and within a party its members, so that whoever brings much waits for his own. `lanes.ts` keeps its ready lanes in it.
//
// Deficit round robin with turns of equal size (Shreedhar and Varghese, 1995), over two levels: channel instances by their weight, senders within one. Every step
// costs the same, however many wait. Nothing is held back: with one party alone, it has every turn.
import { Fifo } from './fifo.ts';

/** For whom something waits. */
export interface Turn {
  /** A channel instance. */
  readonly party: string;
  /** A sender. */
  readonly member: string;
}

interface Member<T> {
  readonly name: string;
  readonly items: Fifo<T>;
}

interface Party<T> {
  readonly name: string;
  readonly members: Map<string, Member<T>>;
  readonly rotation: Fifo<Member<T>>;
  /** Turns it still has before the next party's. */
  left: number;
}

export class FairTurns<T> {
  readonly #parties = new Map<string, Party<T>>();
  readonly #rotation = new Fifo<Party<T>>();
  readonly #weightOf: (party: string) => number;
  #size = 0;

  /** `weightOf`: turns in a row, 1 or more; asked whenever a party's turns begin. */
  constructor(weightOf: (party: string) => number = () => 1) {
    this.#weightOf = weightOf;
  }

  get size(): number {
    return this.#size;
  }

  push(item: T, party = '', member = ''): void {
    let known = this.#parties.get(party);
    if (!known) {
      known = { name: party, members: new Map(), rotation: new Fifo(), left: 0 };
      this.#parties.set(party, known);
      this.#rotation.push(known);
    }
    let own = known.members.get(member);
    if (!own) {
      own = { name: member, items: new Fifo() };
      known.members.set(member, own);
      known.rotation.push(own);
    }
    own.items.push(item);
    this.#size += 1;
  }

  shift(): T | undefined {
    const party = this.#rotation.peek();
    const member = party?.rotation.shift();
    if (!party || !member) return undefined;
    const item = member.items.shift();
    this.#size -= 1;
    if (member.items.size > 0) party.rotation.push(member);
    else party.members.delete(member.name);

    if (party.left === 0) party.left = Math.max(1, Math.floor(this.#weightOf(party.name)));
    party.left -= 1;
    if (party.members.size === 0) {
      this.#rotation.shift();
      this.#parties.delete(party.name);
    } else if (party.left === 0) {
      this.#rotation.shift();
      this.#rotation.push(party);
    }
    return item;
  }
}
