// Open sockets of channels, by conversation. Frames go to whoever is connected; what nobody received is read after the next `open`.
import { randomUUID } from 'node:crypto';

export interface SocketEnd {
  send(text: string): void;
  close(code: number, reason: string): void;
}

/** One socket, to whoever opened it. */
export interface HubSocket {
  /** What plugins know it by. */
  readonly id: string;
  /**
   * Holds back what is for its conversation until `opened` has ended, so that missed replies come first: a reader that saw a later one would not ask for them
   * again. Nothing comes any more when it ended with false.
   */
  opening(opened: Promise<boolean>): void;
  remove(): void;
}

interface Connection {
  readonly id: string;
  readonly end: SocketEnd;
  /** Frames for its conversation, while it is being opened. */
  held: string[] | undefined;
}

/** Frames one socket may have waiting while it is being opened: more than any one call can bring. */
const MOST_HELD = 1024;
const POLICY_VIOLATION = 1008; // RFC 6455 §7.4.1
const TRY_AGAIN_LATER = 1013; // RFC 6455 §7.4.1 and its registry

export class SocketHub {
  readonly #connections = new Map<string, Connection>();
  readonly #byConversation = new Map<string, Set<Connection>>();
  readonly #opening = new Map<string, Set<Promise<void>>>();

  add(instance: string, conversation: string, end: SocketEnd): HubSocket {
    const connection: Connection = { id: randomUUID(), end, held: undefined };
    const key = keyOf(instance, conversation);
    this.#connections.set(`${instance}\n${connection.id}`, connection);
    const peers = this.#byConversation.get(key) ?? new Set();
    this.#byConversation.set(key, peers.add(connection));
    const remove = () => {
      this.#connections.delete(`${instance}\n${connection.id}`);
      peers.delete(connection);
      if (peers.size === 0) this.#byConversation.delete(key);
    };
    return { id: connection.id, opening: (opened) => this.#hold(key, connection, opened.then((ok) => (ok ? undefined : remove()))), remove };
  }

  /** Undefined when no `open` of this conversation is under way. */
  opened(instance: string, conversation: string): Promise<unknown> | undefined {
    const all = this.#opening.get(keyOf(instance, conversation));
    return all ? Promise.allSettled(all) : undefined;
  }

  /** Sends to one connection of the instance, or to all of a conversation; nobody there is not an error. */
  send(instance: string, to: { readonly connection: string } | { readonly conversation: string }, text: string): void {
    if ('connection' in to) {
      this.#connections.get(`${instance}\n${to.connection}`)?.end.send(text);
      return;
    }
    for (const { end, held } of this.#byConversation.get(keyOf(instance, to.conversation)) ?? []) {
      if (!held) end.send(text);
      else if (held.push(text) > MOST_HELD) end.close(TRY_AGAIN_LATER, 'too many frames at once');
    }
  }

  /** Ends every connection of an instance whose conversation fits. */
  end(instance: string, fits: (conversation: string) => boolean, reason: string): void {
    for (const [key, peers] of this.#byConversation) {
      if (!key.startsWith(`${instance}\n`) || !fits(key.slice(instance.length + 1))) continue;
      for (const { end } of peers) end.close(POLICY_VIOLATION, reason);
    }
  }

  get size(): number {
    return this.#connections.size;
  }

  #hold(key: string, connection: Connection, opened: Promise<void>): void {
    connection.held = [];
    const all = this.#opening.get(key) ?? new Set();
    this.#opening.set(key, all.add(opened));
    void opened.finally(() => {
      all.delete(opened);
      if (all.size === 0) this.#opening.delete(key);
      // From a `send` that was under way when the socket was added.
      const held = connection.held ?? [];
      connection.held = undefined;
      if (this.#byConversation.get(key)?.has(connection)) for (const text of held) connection.end.send(text);
    });
  }
}

const keyOf = (instance: string, conversation: string) => `${instance}\n${conversation}`;
