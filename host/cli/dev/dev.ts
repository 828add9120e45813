// `gatehouse dev`: an author's loop. The plugin runs on a real host in a home made for it; what is typed goes to it, what is saved replaces it. Called by commands/dev.ts.
import { setTimeout as pause } from 'node:timers/promises';
import type { MessageDetail, PluginView } from '../../../schemas/control.ts';
import type { EventEnvelope } from '../../../schemas/event.ts';
import { systemClock } from '../../clock.ts';
import { readAdminToken } from '../../control/admin-token.ts';
import { GatehouseError, problemOf, remedyOf } from '../../errors.ts';
import { clientAt, HostSaidNo, type HostClient } from '../client.ts';
import type { Choices } from '../enable-package.ts';
import { readEvents } from '../event-stream.ts';
import type { Io, Lines } from '../io.ts';
import { openDevChat, type ChatFrame, type DevChat } from './dev-chat.ts';
import { makeDevHome, type DevHome, type Placed } from './dev-home.ts';
import { startDevHost, type DevHost } from './dev-host.ts';
import { toldText, type DevTold } from './dev-teller.ts';
import { watchSources } from './watch-sources.ts';

/** After the last line of a script, answers may still be on their way. */
const LAST_ANSWERS_MS = 10_000;
/** The channel that a channel under development writes to is a conversation of this name. */
const CONVERSATION = 'dev';

/** Resolves when the author leaves: Ctrl-C, or the end of what is piped in. Throws what the first build and start throw; what comes later is only told. */
export async function runDev(source: string, choices: Choices, io: Io): Promise<void> {
  const early: DevTold[] = [];
  const home = await makeDevHome(source, choices);
  let lines: Lines | undefined;
  const tell = (told: DevTold) => (lines ? lines.tell(toldText(io, told)) : void early.push(told));
  try {
    const host = await startDevHost({ home: home.config.home, env: io.env, onLog: (line) => tell({ event: 'log', ...line }) });
    try {
      lines = io.lines('> ');
      const run = new DevRun({ home, host, tell, lines });
      await run.begin();
      early.splice(0).forEach(tell);
      const watch = watchSources(source, () => void run.replace());
      const leave = () => lines?.close();
      for (const signal of SIGNALS) process.on(signal, leave);
      void host.ended.then(leave);
      try {
        for await (const line of lines) if (line.trim() !== '') await run.say(line);
        await run.lastAnswers();
      } finally {
        for (const signal of SIGNALS) process.off(signal, leave);
        watch.close();
        run.end();
      }
    } finally {
      await host.stop();
    }
  } finally {
    lines?.close();
    await home.remove();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface DevRunParts {
  readonly home: DevHome;
  readonly host: DevHost;
  readonly tell: (told: DevTold) => void;
  readonly lines: Lines;
}

class DevRun {
  readonly #parts: DevRunParts;
  readonly #host: HostClient;
  readonly #ending = new AbortController();
  /** What was said and has not come to an end, by its own id. */
  readonly #open = new Set<string>();
  /** The host's id of what was said, and what it came to where that is known first. */
  readonly #said = new Map<string, string>();
  readonly #outcomes = new Map<string, Outcome>();
  #placed: Placed;
  #chat: DevChat | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isWaiting = false;

  constructor(parts: DevRunParts) {
    const { config, first } = parts.home;
    this.#parts = parts;
    this.#placed = first;
    this.#host = clientAt({ address: parts.host.address, token: readAdminToken(config.dataDir) ?? '', unreachable: (problem, cause) => new GatehouseError('HOST_UNREACHABLE', { home: config.home, problem }, { cause }) });
  }

  async begin(): Promise<void> {
    const { home, host, tell } = this.#parts;
    const { manifest: { id, version, kind, channel }, instance, madeUp, warnings } = this.#placed;
    const stream = await this.#host.stream('/events?types=message.outcome', { accept: 'text/event-stream' });
    this.#ending.signal.addEventListener('abort', () => stream.destroy());
    void this.#follow(stream);
    if (home.talks) this.#chat = await openDevChat(host.address, (frame) => this.#heard(frame));
    const ingress = (channel?.ingress ?? []).map(({ method, path }) => `${method} ${host.address}/channels/${instance}${path}`);
    tell({ event: 'ready', plugin: id, version, kind, instance, address: host.address, home: home.config.home, ingress, secrets: madeUp });
    for (const message of warnings) tell({ event: 'warning', message });
    const view = await this.#host.get<PluginView>(`/plugins/${encodeURIComponent(instance)}`);
    if (view.code !== undefined) tell({ event: 'replaced', version, ms: 0, state: view.state, code: view.code, ...(view.message === undefined ? {} : { message: view.message }) });
  }

  async say(text: string): Promise<void> {
    if (this.#chat) {
      this.#open.add(this.#chat.say(text));
      return;
    }
    await this.#telling(async () => {
      await this.#host.post('/messages', { channel: this.#placed.instance, to: CONVERSATION, text });
    });
  }

  /** One at a time; saves that come meanwhile are one more. */
  replace(): Promise<void> {
    if (this.#isWaiting) return this.#turn;
    this.#isWaiting = true;
    const savedMs = systemClock.monotonicMs();
    this.#turn = this.#turn.then(() => {
      this.#isWaiting = false;
      return this.#telling(() => this.#takeUp(savedMs));
    });
    return this.#turn;
  }

  async lastAnswers(): Promise<void> {
    await this.#turn;
    for (let waitedMs = 0; this.#open.size > 0 && waitedMs < LAST_ANSWERS_MS; waitedMs += 20) await pause(20);
  }

  end(): void {
    this.#ending.abort();
    this.#chat?.close();
  }

  async #takeUp(savedMs: number): Promise<void> {
    const { home, tell } = this.#parts;
    const before = this.#placed;
    const placed = await home.place();
    for (const message of placed.warnings) tell({ event: 'warning', message });
    if (placed.digest === before.digest) return;
    this.#placed = placed;
    const path = `/plugins/${encodeURIComponent(placed.instance)}`;
    const { state: earlier } = await this.#host.get<PluginView>(path);
    if (earlier === 'quarantined') await this.#host.post(`${path}/release`, { reason: 'its author saved it again' });
    const { state, code, message } = await this.#host.post<PluginView>(`${path}/enable`);
    tell({ event: 'replaced', version: placed.manifest.version, ms: Math.round(systemClock.monotonicMs() - savedMs), state, ...(code === undefined ? {} : { code }), ...(message === undefined ? {} : { message }) });
  }

  #heard({ type, id = '', inReplyTo, text, status = '', messageId, code, reason, message }: ChatFrame): void {
    const { tell } = this.#parts;
    const why = { ...(code === undefined ? {} : { code }), ...(reason ?? message) === undefined ? {} : { reason: reason ?? message ?? '' } };
    if (type === 'message') {
      if (inReplyTo !== undefined) this.#open.delete(inReplyTo);
      tell({ event: 'reply', text: text ?? '', ...(inReplyTo === undefined ? {} : { inReplyTo }) });
    } else if (type === 'ack' && status === 'accepted' && messageId !== undefined) {
      this.#said.set(messageId, id);
      const outcome = this.#outcomes.get(messageId);
      if (outcome) void this.#cameTo(outcome);
    } else if (type === 'ack' || type === 'error') {
      this.#open.delete(id);
      tell({ event: 'refused', status: type === 'ack' ? status : type, ...why });
    }
  }

  async #follow(stream: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const told of readEvents(stream)) if (told !== 'caught up' && told.event.type === 'message.outcome') void this.#cameTo(outcomeOf(told.event));
    } catch (thrown) {
      if (!this.#ending.signal.aborted) this.#parts.tell({ event: 'warning', message: `What becomes of messages is not told any more: ${problemOf(thrown)}` });
    }
  }

  /** Told of what was not simply answered, and of everything that a channel under development brings and takes. */
  async #cameTo(outcome: Outcome): Promise<void> {
    const { messageId, instance, direction, outcome: what, code } = outcome;
    const isOurs = this.#chat === undefined ? instance === this.#placed.instance : direction === 'inbound' && !UNTOLD.has(what);
    const said = this.#said.get(messageId);
    if (!isOurs) return;
    if (this.#chat !== undefined && said === undefined) return void this.#outcomes.set(messageId, outcome);
    if (said !== undefined) this.#open.delete(said);
    await this.#telling(async () => {
      const { stages = [] } = await this.#host.get<MessageDetail>(`/messages/${encodeURIComponent(messageId)}`);
      this.#parts.tell({ event: 'outcome', direction, instance, messageId, outcome: what, stages, ...(code === undefined ? {} : { code }) });
    });
  }

  /** A mistake of the author, or a word of the host, ends nothing. */
  async #telling(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (this.#ending.signal.aborted) return;
      const { code, message, fix } = thrown instanceof GatehouseError || thrown instanceof HostSaidNo ? thrown : { code: 'INTERNAL', message: problemOf(thrown), fix: remedyOf('INTERNAL') ?? '' };
      this.#parts.tell({ event: 'problem', code, message, fix });
    }
  }
}

/** On its way, or said by the chat itself. */
const UNTOLD: ReadonlySet<string> = new Set(['accepted', 'answered', 'denied']);

interface Outcome {
  readonly messageId: string;
  readonly instance: string;
  readonly direction: string;
  readonly outcome: string;
  readonly code?: string;
}

const outcomeOf = ({ data }: EventEnvelope): Outcome => {
  const { messageId, instance, direction, outcome, code }: Record<string, unknown> = Object(data);
  return { messageId: word(messageId), instance: word(instance), direction: word(direction), outcome: word(outcome), ...(code === undefined ? {} : { code: word(code) }) };
};

const word = (value: unknown): string => (typeof value === 'string' ? value : '');
