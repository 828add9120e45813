// Open sockets of channels, by conversation. Frames go to whoever is connected; what nobody received is read after the next `open`.
import { randomUUID } from 'node:crypto';

export interface SocketEnd {
  send(text: string): void;
}

interface Connection extends SocketEnd {
  readonly id: string;
  readonly conversation: string;
}

export class SocketHub {
  readonly #connections = new Map<string, Connection>();
  readonly #byConversation = new Map<string, Set<Connection>>();
  readonly #opening = new Map<string, Set<Promise<void>>>();

  /** Registers a socket; the returned id is what plugins know it by. */
  add(instance: string, conversation: string, end: SocketEnd): { readonly id: string; remove(): void } {
    const connection: Connection = { id: randomUUID(), conversation, send: (text) => end.send(text) };
    const key = keyOf(instance, conversation);
    this.#connections.set(`${instance}\n${connection.id}`, connection);
    const peers = this.#byConversation.get(key) ?? new Set();
    this.#byConversation.set(key, peers.add(connection));
    return {
      id: connection.id,
      remove: () => {
        this.#connections.delete(`${instance}\n${connection.id}`);
        peers.delete(connection);
        if (peers.size === 0) this.#byConversation.delete(key);
      },
    };
  }

  /** Holds deliveries of a conversation back until `opened` has ended, so that missed replies come first. */
  opening(instance: string, conversation: string, opened: Promise<void>): void {
    const key = keyOf(instance, conversation);
    const all = this.#opening.get(key) ?? new Set();
    this.#opening.set(key, all.add(opened));
    void opened.finally(() => {
      all.delete(opened);
      if (all.size === 0) this.#opening.delete(key);
    });
  }

  /** Undefined when no `open` of this conversation is under way. */
  opened(instance: string, conversation: string): Promise<unknown> | undefined {
    const all = this.#opening.get(keyOf(instance, conversation));
    return all ? Promise.allSettled(all) : undefined;
  }

  /** Sends to one connection of the instance, or to all of a conversation; nobody there is not an error. */
  send(instance: string, to: { readonly connection: string } | { readonly conversation: string }, text: string): void {
    if ('connection' in to) {
      this.#connections.get(`${instance}\n${to.connection}`)?.send(text);
      return;
    }
    for (const connection of this.#byConversation.get(keyOf(instance, to.conversation)) ?? []) connection.send(text);
  }

  get size(): number {
    return this.#connections.size;
  }
}

const keyOf = (instance: string, conversation: string) => `${instance}\n${conversation}`;
