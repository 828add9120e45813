// Senders and receivers under fire: conversations over signed HTTP and over WebSockets, each of which says one thing after the other, repeats what was not
// acknowledged, and writes down what it was told and what reached it.
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WEBHOOK_SECRET } from '../support/first-party.ts';
import type { Received, ReceiverAnswer } from '../support/receiver.ts';
import { webhookClient } from '../support/webhook.ts';
import type { Frame } from '../support/chat.ts';
import { saying, type Canaries, type Saying } from './messages.ts';
import type { Ack, Delivery } from './records.ts';

const AGAIN_MS = 15;
const PATIENCE_MS = 60_000;
/** Of the posted replies, one in so many is taken and not answered. */
const LOSE_EVERY = 25;

type Told = Pick<Ack, 'status' | 'messageId'>;

export interface TrafficOptions {
  /** Where acks.jsonl and deliveries.jsonl are written. */
  readonly dir: string;
  readonly canaries: Canaries;
  readonly hooks: number;
  readonly posts: number;
  readonly chats: number;
}

export class Traffic implements AsyncDisposable {
  readonly #conversations: readonly Conversation[];
  readonly #folder: string;
  #posted = 0;

  constructor({ dir, canaries, hooks, posts, chats }: TrafficOptions) {
    this.#folder = dir;
    for (const file of ['acks.jsonl', 'deliveries.jsonl']) appendFileSync(join(dir, file), '');
    const ledger: Ledger = {
      ack: (ack) => appendFileSync(join(dir, 'acks.jsonl'), `${JSON.stringify(ack)}\n`),
      delivery: (delivery) => appendFileSync(join(dir, 'deliveries.jsonl'), `${JSON.stringify(delivery)}\n`),
    };
    this.#conversations = [
      ...Array.from({ length: hooks }, (_, index) => new HookConversation(`hook-${index}`, canaries, ledger)),
      ...Array.from({ length: posts }, (_, index) => new PostConversation(`post-${index}`, canaries, ledger)),
      ...Array.from({ length: chats }, () => new ChatConversation(randomBytes(24).toString('base64url'), canaries, ledger)),
    ];
  }

  get folder(): string {
    return this.#folder;
  }

  get acknowledged(): number {
    return this.#conversations.reduce((sum, each) => sum + each.acknowledged, 0);
  }

  /** What the receiver of posted replies makes of one. Some it takes and never answers: the host cannot know, and must post them again under the same key. */
  received({ headers, body }: Received): ReceiverAnswer | 'reset' {
    const { id, conversation, inReplyTo, text } = JSON.parse(body) as Pick<Delivery, 'id' | 'conversation' | 'inReplyTo' | 'text'>;
    const receiver = this.#conversations.find((each) => each instanceof PostConversation && each.id === conversation);
    if (!(receiver instanceof PostConversation) || headers['idempotency-key'] !== id) return { status: 400 };
    receiver.take({ id, inReplyTo, text });
    this.#posted += 1;
    return this.#posted % LOSE_EVERY === 0 ? 'reset' : { status: 200 };
  }

  /** The host answers here now. Whoever was cut off goes on there. */
  attach(address: string): void {
    for (const each of this.#conversations) each.attach(address);
  }

  /** Every conversation says so many more; resolves once all of it is acknowledged, on whatever host by then. */
  async send(each: number): Promise<void> {
    await Promise.all(this.#conversations.map((conversation) => conversation.send(each)));
  }

  /** Every conversation goes on and on; resolves after `stop`, once what was said last is acknowledged. */
  async flow(stop: AbortSignal): Promise<void> {
    await Promise.all(this.#conversations.map(async (conversation) => {
      while (!stop.aborted) await conversation.send(1);
    }));
  }

  /** Resolves once everything that asks for a reply has one in its receiver's hands. */
  async answered(withinMs = PATIENCE_MS): Promise<void> {
    await Promise.all(this.#conversations.map((each) => each.answered(withinMs)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#conversations.map((each) => each[Symbol.asyncDispose]()));
  }
}

interface Ledger {
  ack(ack: Ack): void;
  delivery(delivery: Delivery): void;
}

abstract class Conversation implements AsyncDisposable {
  abstract readonly channel: string;
  readonly id: string;
  readonly #canaries: Canaries;
  readonly #ledger: Ledger;
  readonly #unanswered = new Set<string>();
  /** Ids that have their reply: it may come before the acknowledgement that was lost the first time. */
  readonly #answered = new Set<string>();
  /** Why tries came to nothing since the last that did not, and how often. */
  readonly #trouble = new Map<string, number>();
  #next = 0;
  #changed = Promise.withResolvers<void>();
  protected address: string | undefined;
  protected closed = false;

  constructor(id: string, canaries: Canaries, ledger: Ledger) {
    this.id = id;
    this.#canaries = canaries;
    this.#ledger = ledger;
  }

  get acknowledged(): number {
    return this.#next;
  }

  get waiting(): number {
    return this.#unanswered.size;
  }

  attach(address: string): void {
    this.address = address;
    this.wake();
  }

  async send(count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += 1) {
      const said = saying(this.id, this.#next, this.#canaries);
      const told = await this.#until(said);
      if (typeof said.expect === 'object' && !this.#answered.has(said.id)) this.#unanswered.add(said.id);
      this.#ledger.ack({ channel: this.channel, conversation: this.id, ...said, ...told });
      this.#next += 1;
    }
  }

  async answered(withinMs: number): Promise<void> {
    const giveUpAt = performance.now() + withinMs;
    while (this.#unanswered.size > 0) {
      if (performance.now() > giveUpAt) throw new Error(`${this.channel} ${this.id}: no reply to ${[...this.#unanswered].join()}`);
      await this.look();
      await Promise.race([this.#changed.promise, sleep(AGAIN_MS)]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    this.wake();
  }

  /** Says it, at whatever host there is, until it is told what became of it. */
  async #until(said: Saying): Promise<Told> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const told = await this.say(said);
      if (told) {
        this.#trouble.clear();
        return told;
      }
      if (performance.now() > giveUpAt) throw new Error(`${this.channel} ${this.id}: no acknowledgement of ${said.id}; ${[...this.#trouble].map(([why, times]) => `${times} times ${why}`).join(', ')}`);
      await Promise.race([this.#changed.promise, sleep(AGAIN_MS)]);
    }
  }

  protected arrived({ id, inReplyTo, text }: Pick<Delivery, 'id' | 'inReplyTo' | 'text'>, via: Delivery['via']): void {
    this.#ledger.delivery({ channel: this.channel, conversation: this.id, id, inReplyTo, text, via });
    if (inReplyTo === null) return;
    this.#answered.add(inReplyTo);
    if (this.#unanswered.delete(inReplyTo)) this.wake();
  }

  protected failed(why: string): undefined {
    this.#trouble.set(why, (this.#trouble.get(why) ?? 0) + 1);
  }

  protected wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Once; undefined when it must be said again. */
  protected abstract say(said: Saying): Promise<Told | undefined>;
  /** Looks for replies, where they do not come by themselves. */
  protected abstract look(): Promise<void>;
}

/** Posts, and reads its replies page by page from where it left off. */
class HookConversation extends Conversation {
  override readonly channel: string = 'webhook';
  #cursor = '';
  #said = 0;

  protected override async say({ id, text }: Saying): Promise<Told | undefined> {
    if (!this.address) return this.failed('no host yet');
    if (++this.#said % 8 === 0) await this.look();
    try {
      const { status, body } = await webhookClient(this.address, WEBHOOK_SECRET, this.channel).post({ id, conversation: this.id, sender: `${this.id}-sender`, text });
      if (status === 202 || status === 200) return { status: status === 202 ? 'accepted' : 'duplicate', messageId: String(body['messageId']) };
      if (status === 403) return { status: 'denied' };
      return this.failed(`${status} ${String(body['code'])}`);
    } catch (error) {
      this.#expectAway(error);
      return this.failed(String(error));
    }
  }

  protected override async look(): Promise<void> {
    if (!this.address) return;
    try {
      for (;;) {
        const { items, cursor } = await webhookClient(this.address, WEBHOOK_SECRET).replies(this.id, this.#cursor);
        for (const item of items) this.arrived(item, 'page');
        this.#cursor = cursor ?? '';
        if (items.length === 0) return;
      }
    } catch (error) {
      this.#expectAway(error);
    }
  }

  /** Broken connections and refusals are what these tests make; anything else is a defect of the test. */
  #expectAway(error: unknown): void {
    if (!(error instanceof TypeError || error instanceof SyntaxError || (error instanceof Error && error.message.startsWith('reading replies: ')))) throw error;
  }
}

/** Posts, and has its replies posted to it. */
class PostConversation extends HookConversation {
  override readonly channel = 'poster';

  take(reply: Pick<Delivery, 'id' | 'inReplyTo' | 'text'>): void {
    this.arrived(reply, 'post');
  }

  protected override async look(): Promise<void> {}
}

/** Speaks over a socket that it opens again whenever it breaks, from the last reply it saw. */
class ChatConversation extends Conversation {
  override readonly channel = 'webchat';
  #socket: WebSocket | undefined;
  #lastSeen = '';
  #saying: { readonly id: string; tell(told: Told | undefined): void } | undefined;

  override attach(address: string): void {
    super.attach(address);
    this.#connect();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#socket?.close();
  }

  protected override async say({ id, text }: Saying): Promise<Told | undefined> {
    this.#connect();
    if (this.#socket?.readyState !== WebSocket.OPEN) return this.failed('not connected');
    const { promise, resolve } = Promise.withResolvers<Told | undefined>();
    this.#saying = { id, tell: resolve };
    this.#socket.send(JSON.stringify({ type: 'message', id, text }));
    return await promise;
  }

  protected override async look(): Promise<void> {
    this.#connect();
  }

  #connect(): void {
    if (!this.address || this.closed || (this.#socket && this.#socket.readyState <= WebSocket.OPEN)) return;
    const socket = new WebSocket(`${this.address.replace('http', 'ws')}/channels/webchat/ws?conversation=${this.id}&after=${this.#lastSeen}`);
    this.#socket = socket;
    socket.addEventListener('open', () => this.wake());
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(String(data)) as Frame));
    const over = () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#refused('cut off');
    };
    socket.addEventListener('close', over);
    socket.addEventListener('error', over);
  }

  #hear(frame: Frame): void {
    if (frame.type === 'message') {
      const { id = '', inReplyTo = null, text = '' } = frame;
      this.arrived({ id, inReplyTo, text }, 'frame');
      if (id > this.#lastSeen) this.#lastSeen = id;
    } else if (frame.type === 'ack' && frame.id === this.#saying?.id) {
      if (frame.status === 'accepted' || frame.status === 'duplicate') this.#told({ status: frame.status, messageId: frame.messageId ?? '' });
      else if (frame.code === 'MODERATION_DENIED') this.#told({ status: 'denied' });
      else this.#refused(`${frame.status} ${frame.code}`);
    } else if (frame.type === 'error') this.#refused(`error ${frame.code}`);
    else if (frame.type === 'more') this.#socket?.close();
  }

  #refused(why: string): void {
    this.failed(why);
    this.#told(undefined);
  }

  #told(told: Told | undefined): void {
    const saying = this.#saying;
    this.#saying = undefined;
    saying?.tell(told);
  }
}
