// A person at the web chat of a running host, over its WebSocket: for `gatehouse dev`, which has no browser. Called by dev.ts.
import { randomBytes } from 'node:crypto';
import { GatehouseError } from '../../errors.ts';

/** What the web chat sends, as plugins/webchat/README.md has it. */
export interface ChatFrame {
  readonly type: string;
  readonly id?: string;
  readonly inReplyTo?: string;
  readonly text?: string;
  readonly status?: string;
  readonly messageId?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface DevChat {
  /** Sends a message; what comes of it comes to `onFrame`. */
  say(text: string): string;
  close(): void;
}

const OPEN_MS = 10_000;

/** Throws HOST_UNREACHABLE. */
export async function openDevChat(address: string, onFrame: (frame: ChatFrame) => void): Promise<DevChat> {
  const conversation = randomBytes(24).toString('base64url');
  const socket = new WebSocket(`${address.replace(/^http/, 'ws')}/channels/webchat/ws?conversation=${conversation}&after=`);
  socket.addEventListener('message', ({ data }) => onFrame(JSON.parse(String(data)))); // of our own host
  const opened = Promise.withResolvers<void>();
  socket.addEventListener('open', () => opened.resolve());
  socket.addEventListener('error', () => opened.reject(new GatehouseError('HOST_UNREACHABLE', { home: address, problem: 'its web chat takes no connection' })));
  const late = setTimeout(() => socket.close(), OPEN_MS);
  socket.addEventListener('close', () => opened.reject(new GatehouseError('HOST_UNREACHABLE', { home: address, problem: 'its web chat closed the connection' })));
  await opened.promise;
  clearTimeout(late);
  return {
    say(text) {
      const id = randomBytes(9).toString('base64url');
      socket.send(JSON.stringify({ type: 'message', id, text }));
      return id;
    },
    close: () => socket.close(),
  };
}
