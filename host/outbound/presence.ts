// What people see while an answer comes into being: that somebody writes, and the answer so far. Of the moment only: never stored, never repeated, lost with the host, and never the reply itself. Begun by stages/respond.ts for each try of a skill.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { MessageId } from '../../schemas/ids.ts';
import type { Ids } from '../ids.ts';
import type { Clock } from '../clock.ts';
import { askChannel } from '../pipeline/channel-calls.ts';
import type { LaneContext } from '../pipeline/context.ts';
import type { PluginCalls } from '../pipeline/plugin-calls.ts';
import type { ChannelEntry, PluginDirectory } from '../pipeline/plugin-directory.ts';
import { mayShowParts } from '../pipeline/delivery/leaving.ts';
import { policyOf } from '../pipeline/policy.ts';
import { sanitizeText } from '../pipeline/stages/sanitize.ts';
import type { Actions } from './actions.ts';
import { maySend } from './rules.ts';

export interface PresenceParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel' | 'gates'>;
  readonly actions: Pick<Actions, 'performAside'>;
  /** Messages that wait in the delivery lane of a conversation: what is shown must not overtake them. */
  readonly deliveryDepth: (instance: string, conversation: string) => number;
}

/** One try at one message, as far as people see it. */
export interface Shown {
  /** Takes what comes next of the reply; false when nobody will see it. */
  readonly stream: (text: string) => boolean;
  /** Nothing is shown any more once this resolves. With true the reply follows; what was shown of it has its id then, else it is withdrawn. */
  end(isAnswered: boolean): Promise<{ readonly id?: MessageId }>;
}

/** A remote forgets within some seconds that somebody writes. */
const TYPING_AGAIN_MS = 4000;

export class Presence {
  readonly #parts: PresenceParts;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
  }

  /** Undefined when the channel can show neither, or may not: then it costs nothing more. */
  begin(context: LaneContext): Shown | undefined {
    const { directory } = this.#parts;
    const channel = directory.channel(context.instance);
    if (!channel) return undefined;
    const { outbound } = policyOf(channel.policy, context.row.conversation);
    const typing = outbound.typing && channel.can('typing') ? outbound.typing : undefined;
    const streams = channel.can('stream') && outbound.stream !== 'deny' && mayShowParts(channel, context.row.conversation);
    if ((!typing && !streams) || !maySend(outbound, context.row.room?.kind)) return undefined;
    const writing = typing && new Writing(this.#parts, channel, context, typing.afterMs);
    const draft = streams ? new Draft(this.#parts, channel, context) : undefined;
    return {
      stream: (text) => draft?.take(text) ?? false,
      async end(isAnswered) {
        writing?.end();
        return (await draft?.end(isAnswered)) ?? {};
      },
    };
  }
}

/** Says again and again that somebody writes, until it ends. */
class Writing {
  readonly #parts: PresenceParts;
  readonly #channel: ChannelEntry;
  readonly #context: LaneContext;
  #timer: NodeJS.Timeout;
  #wasSaid = false;
  #isOver = false;

  constructor(parts: PresenceParts, channel: ChannelEntry, context: LaneContext, afterMs: number) {
    this.#parts = parts;
    this.#channel = channel;
    this.#context = context;
    this.#timer = setTimeout(() => void this.#say(true), afterMs);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#wasSaid) void this.#say(false);
  }

  async #say(on: boolean): Promise<void> {
    const { calls, actions } = this.#parts;
    const { conversation, thread } = this.#context.row;
    this.#wasSaid = true;
    const answer = await askChannel(calls, this.#channel, 'typing', { conversation, ...(thread === undefined ? {} : { thread }), on }, { attemptKey: `${this.#context.messageId}/typing` });
    if (answer.ok && answer.by === 'channel') answer.scope.release();
    if (on && this.#isOver) return; // it took until after the reply
    if (answer.ok) actions.performAside(this.#channel.instance, answer.value.actions);
    if (on) this.#timer = setTimeout(() => void this.#say(true), TYPING_AGAIN_MS);
  }
}

/** The reply so far. Gathers what comes and hands it on, one frame at a time and not too often. */
class Draft {
  readonly #parts: PresenceParts;
  readonly #channel: ChannelEntry;
  readonly #context: LaneContext;
  readonly #id: MessageId;
  /** What was handed on, what is still to be, and how much was taken in all. */
  #shown = '';
  #waiting = '';
  #taken = 0;
  #sequence = 0;
  #nextAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;
  /** A gap would make nonsense of what follows it: after the first nothing more is shown. */
  #isOver = false;

  constructor(parts: PresenceParts, channel: ChannelEntry, context: LaneContext) {
    this.#parts = parts;
    this.#channel = channel;
    this.#context = context;
    this.#id = parts.ids.next();
  }

  take(text: string): boolean {
    if (this.#isOver) return false;
    this.#waiting += text;
    this.#taken += Buffer.byteLength(text);
    if (this.#taken > BOUNDS.streamBytes || Buffer.byteLength(this.#waiting) > BOUNDS.streamWaitingBytes || !this.#mayShow()) {
      this.#stop();
      return false;
    }
    this.#schedule();
    return true;
  }

  async end(isAnswered: boolean): Promise<{ readonly id?: MessageId }> {
    const wasBroken = this.#isOver;
    this.#stop();
    await this.#underWay;
    if (this.#sequence === 0) return {};
    // What people have seen and no message holds must not be seen without a trace.
    this.#context.stages.push({ stage: 'stream', decision: isAnswered ? 'shown' : 'withdrawn', reason: `${Buffer.byteLength(this.#shown)} bytes`, durationMs: 0 });
    if (!isAnswered) this.#waiting = '';
    await this.#show({ done: true, ...(isAnswered ? {} : { withdrawn: true as const }), withRest: isAnswered && !wasBroken });
    return { id: this.#id };
  }

  /** Where a gate judges what leaves, only what it let pass may be seen; and nothing is seen before what was said earlier. */
  #mayShow(): boolean {
    const { directory, deliveryDepth } = this.#parts;
    return directory.gates('outbound').length === 0 && deliveryDepth(this.#channel.instance, this.#context.row.conversation) === 0;
  }

  #stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer || this.#underWay) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#underWay = this.#show({ done: false, withRest: false }).finally(() => {
        this.#underWay = undefined;
        if (this.#waiting !== '' && !this.#isOver) this.#schedule();
      });
    }, Math.max(0, this.#nextAtMs - this.#parts.clock.monotonicMs()));
  }

  async #show({ done, withdrawn, withRest }: { readonly done: boolean; readonly withdrawn?: true; readonly withRest: boolean }): Promise<void> {
    const { calls, clock, actions } = this.#parts;
    if (!withdrawn && !this.#mayShow()) return this.#stop();
    const raw = this.#waiting;
    // The next piece may bring the other half of a pair, or the second character of a line end.
    const held = withRest || done ? 0 : /[\r\ud800-\udbff]$/.test(raw) ? 1 : 0;
    this.#waiting = raw.slice(raw.length - held);
    const delta = sanitizeText(raw.slice(0, raw.length - held));
    if (delta === '' && !done) return;
    this.#shown += delta;
    this.#sequence += 1;
    this.#nextAtMs = clock.monotonicMs() + BOUNDS.streamFrameMs;
    const { conversation, thread, senderMessageId } = this.#context.row;
    const input = { id: this.#id, conversation, ...(thread === undefined ? {} : { thread }), inReplyTo: senderMessageId ?? null, text: this.#shown, delta, sequence: this.#sequence, done, ...(withdrawn ? { withdrawn } : {}) };
    const answer = await askChannel(calls, this.#channel, 'stream', input, { attemptKey: `${this.#id}/${this.#sequence}` });
    if (!answer.ok) return this.#stop();
    if (answer.by === 'channel') answer.scope.release();
    actions.performAside(this.#channel.instance, answer.value.actions);
  }
}
