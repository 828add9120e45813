// Messages that keep flowing through the webhook while something else happens: several conversations, each sending one after the other, and an account of what became of all of them.
import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import { webhookClient, type WebhookClient } from './webhook.ts';
import { WEBHOOK_SECRET } from './first-party.ts';

export interface Exchange {
  readonly id: string;
  readonly text: string;
}

export interface Traffic {
  /** Answers other than 202, as they came. */
  readonly refusals: readonly string[];
  /** How many messages were accepted so far. */
  readonly accepted: () => number;
  /** Resolves once every conversation has had a message accepted that was sent since. */
  goesOn(): Promise<void>;
  /** Stops sending; resolves once the last answer to what was sent is here. */
  stop(): Promise<void>;
  /** Stops sending and waits for every reply. Fails unless each accepted message was answered once, in order. Returns the replies of each conversation. */
  finish(): Promise<readonly (readonly Exchange[])[]>;
}

export interface TrafficOptions {
  readonly conversations?: number;
  /** Between two messages of a conversation. */
  readonly pauseMs?: number;
  readonly text?: (n: number) => string;
}

export function startTraffic(address: string, { conversations = 4, pauseMs = 10, text = (n) => `echo ${n}` }: TrafficOptions = {}): Traffic {
  const client = webhookClient(address, WEBHOOK_SECRET);
  const refusals: string[] = [];
  const sent = Array.from({ length: conversations }, (): string[] => []);
  const stop = new AbortController();

  const send = async (lane: number) => {
    for (let n = 0; !stop.signal.aborted; n += 1) {
      const id = `c${lane}-${n}`;
      const answer = await client.post({ id, conversation: `c${lane}`, sender: `s${lane}`, text: text(n) }).catch((error: unknown) => ({ status: 0, body: { code: String(error) } }));
      if (answer.status === 202) sent[lane]?.push(id);
      else refusals.push(`${answer.status} ${String(answer.body['code'])}`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const loops = sent.map((_, lane) => send(lane));
  const halt = async () => {
    stop.abort();
    await Promise.all(loops);
  };

  return {
    refusals,
    accepted: () => sent.reduce((sum, ids) => sum + ids.length, 0),
    async goesOn() {
      // The first may have been on its way already.
      const before = sent.map((ids) => ids.length);
      await eventually(() => expect(sent.every((ids, lane) => ids.length > (before[lane] ?? 0) + 1)).toBe(true));
    },
    stop: halt,
    async finish() {
      await halt();
      return await Promise.all(sent.map((ids, lane) => eventually(async () => {
        const replies = await allReplies(client, `c${lane}`);
        expect(replies.map(({ id }) => id)).toEqual(ids);
        return replies;
      }, 120_000)));
    },
  };
}

/** Every reply of a conversation, page by page, by the id of the message it answers. */
export async function allReplies(client: WebhookClient, conversation: string): Promise<Exchange[]> {
  const replies: Exchange[] = [];
  let after = '';
  for (;;) {
    const { items, cursor } = await client.replies(conversation, after);
    replies.push(...items.map(({ inReplyTo, text }) => ({ id: inReplyTo, text })));
    if (items.length === 0 || cursor === null) return replies;
    after = cursor;
  }
}
