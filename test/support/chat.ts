// A person at the webchat, over a real WebSocket: sends messages, waits for frames.
import { randomBytes } from 'node:crypto';

export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly status?: string;
  readonly messageId?: string;
  readonly inReplyTo?: string;
  readonly text?: string;
  readonly code?: string;
  readonly reason?: string;
}

export interface Chat extends AsyncDisposable {
  readonly conversation: string;
  readonly frames: readonly Frame[];
  /** Sends a message and returns its id. */
  say(text: string, id?: string): string;
  /** Sends raw text. */
  raw(text: string): void;
  /** The first frame, past or to come, that fits. Rejects after 20 s. */
  frame(fits: (frame: Frame) => boolean): Promise<Frame>;
  /** Says something and waits for the ack of it. */
  ack(text: string): Promise<Frame>;
  /** Says something and waits for the reply to it. */
  ask(text: string): Promise<string>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export const newConversation = () => randomBytes(24).toString('base64url');

export async function openChat(address: string, { conversation = newConversation(), after = '', channel = 'webchat' }: { readonly conversation?: string; readonly after?: string; readonly channel?: string } = {}): Promise<Chat> {
  const url = `${address.replace('http', 'ws')}/channels/${channel}/ws?conversation=${conversation}&after=${after}`;
  const socket = new WebSocket(url);
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  socket.addEventListener('message', ({ data }) => {
    frames.push(JSON.parse(String(data)) as Frame);
    for (const look of waiting) look();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason })));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`no socket at ${url}`)));
  });
  let count = 0;

  const chat: Chat = {
    conversation,
    frames,
    closed,
    raw: (text) => socket.send(text),
    say(text, id = `m${++count}-${randomBytes(4).toString('hex')}`) {
      socket.send(JSON.stringify({ type: 'message', id, text }));
      return id;
    },
    frame: (fits) =>
      new Promise((resolve, reject) => {
        const deadline = setTimeout(() => finish(() => reject(new Error(`no such frame; seen: ${JSON.stringify(frames).slice(0, 2000)}`))), 120_000);
        const finish = (settle: () => void) => {
          clearTimeout(deadline);
          waiting.delete(look);
          settle();
        };
        const look = () => {
          const found = frames.find(fits);
          if (found) finish(() => resolve(found));
        };
        waiting.add(look);
        look();
      }),
    async ack(text) {
      const id = chat.say(text);
      return await chat.frame((each) => each.type === 'ack' && each.id === id);
    },
    async ask(text) {
      const id = chat.say(text);
      const reply = await chat.frame((each) => each.type === 'message' && each.inReplyTo === id);
      return reply.text ?? '';
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed;
    },
  };
  return chat;
}
