// defineChannel, defineSkill, defineModeration, defineTool: one per kind of plugin. Each is the single `gatehouse.register` call a plugin makes.
import { ABILITIES, type Ability, type OptionalAbility } from '../schemas/abilities.ts';
import type { HandlerInput, HandlerOutput } from '../schemas/channel.ts';
import type { ChannelRequest, Decision, Delivery, Direction, Message, ReceiveResult, RespondResult, SendResult, Session } from '../schemas/message.ts';
import type { JsonObject, JsonValue, PluginContext } from './context.ts';
import { PluginError } from './plugin-error.ts';

type MaybePromise<Value> = Value | Promise<Value>;

/** What a skill is asked: the message, moderated and accepted, and its conversation's state. */
export interface RespondInput {
  readonly message: Message;
  readonly session: Session;
}

export interface SkillHandlers<Config> {
  /** The replies, or null for "not mine, ask the next skill". An empty list of replies answers with silence and ends the search. */
  respond(input: RespondInput, ctx: PluginContext<Config>): MaybePromise<RespondResult>;
}

export interface EvaluateInput {
  readonly message: Message;
  /** `inbound` before a message is accepted, `outbound` before a reply is. */
  readonly direction: Direction;
}

export interface ModerationHandlers<Config> {
  /** A value, never an exception: a gate that throws lets nothing through (`GATE_FAILED`). */
  evaluate(input: EvaluateInput, ctx: PluginContext<Config>): MaybePromise<Decision>;
}

/**
 * `receive` and `send` are what a channel is; everything else is an ability it may have, and plugin.json names under `channel.abilities`. Where one is missing the host
 * has an answer of its own, which `schemas/channel.ts` says. Failing is the same for all: what is thrown is tried again where that is of use, unless it is a
 * `PluginError` with `{ retry: false }`.
 */
export interface ChannelHandlers<Config> {
  /**
   * Something arrived at an ingress route or a socket of the manifest. Its signature has been checked by the host as the manifest says.
   *
   * With `messages` the host answers by itself, once they are durable (or were duplicates, or were denied); `respond` answers requests without messages.
   * The message id is the sender's own: it is the dedupe key, so the same event must always carry the same id. Refuse a payload that makes no sense by throwing
   * a `PluginError` with `{ retry: false }`: its sender is told, and the operator sees it counted.
   */
  receive(request: ChannelRequest, ctx: PluginContext<Config>): MaybePromise<ReceiveResult>;
  /** A message goes out, a reply or what a plugin sent (then `inReplyTo` is null): say what the host is to do for it. No actions means it is delivered by being readable (`ctx.message.list`). */
  send(delivery: Delivery, ctx: PluginContext<Config>): MaybePromise<SendResult>;
  /** Before any traffic, each time a sandbox is new: look whether the remote takes the credentials. While this says no, or throws, the instance is not active. It runs again after every restart, so twice must do no harm. */
  start?(input: HandlerInput<'start'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'start'>>;
  /** The instance leaves for now: switched off, removed, or the host stops. Best effort: a crash does not call it, and nobody waits for long. */
  stop?(input: HandlerInput<'stop'>, ctx: PluginContext<Config>): MaybePromise<void>;
  /** Whether the remote can be reached. Asked every half minute; after three times no the instance is `impaired`, after six it is started anew. */
  health?(input: HandlerInput<'health'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'health'>>;
  /** A second look at a request that the host found to be genuine, before `receive` sees it. It can refuse, never admit. */
  verify?(request: HandlerInput<'verify'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'verify'>>;
  /** The text of a message in the remote's own markup, escaped as the remote wants it. The same text for the same text. */
  sanitize?(input: HandlerInput<'sanitize'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'sanitize'>>;
  /** How to get the bytes behind a media reference: address, headers, and which secrets to send along. */
  media?(input: HandlerInput<'media'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'media'>>;
  /** Changes what a delivered message says. */
  edit?(input: HandlerInput<'edit'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'edit'>>;
  /** Puts a mark on a message, or takes it away. */
  react?(input: HandlerInput<'react'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'react'>>;
  /** Shows that an answer is being written, or no longer is. */
  typing?(input: HandlerInput<'typing'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'typing'>>;
  /** Shows a reply while it comes into being. `send` follows with the whole of it, under the same id. */
  stream?(input: HandlerInput<'stream'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'stream'>>;
  /** Which thread an answer goes to. */
  threads?(input: HandlerInput<'threads'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'threads'>>;
  /** Whether a message speaks to the bot in a way `receive` cannot say. Only ever adds a mention. */
  mentions?(input: HandlerInput<'mentions'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'mentions'>>;
  /** All commands there are, so that the remote can offer them to its users. */
  commands?(input: HandlerInput<'commands'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'commands'>>;
  /** People or rooms of the remote by name, at most `limit`. */
  directory?(query: HandlerInput<'directory'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'directory'>>;
  /** Whether the remote has what was sent under this id. Asked before a send is repeated that may have been carried out; throw where that cannot be told. */
  lookup?(input: HandlerInput<'lookup'>, ctx: PluginContext<Config>): MaybePromise<HandlerOutput<'lookup'>>;
}

/** One function per tool that plugin.json declares, by the tool's name. Arguments were held against its `inputSchema`, the result will be against its `outputSchema`. */
export type ToolHandlers<Arguments extends object, Config> = {
  readonly [Tool in keyof Arguments]: (args: Arguments[Tool], ctx: PluginContext<Config>) => MaybePromise<JsonValue>;
};

export interface SkillPlugin<Config = JsonObject> {
  readonly kind: 'skill';
  readonly handlers: { respond(input: RespondInput, ctx: PluginContext<Config>): Promise<RespondResult> };
}
export interface ModerationPlugin<Config = JsonObject> {
  readonly kind: 'moderation';
  readonly handlers: { evaluate(input: EvaluateInput, ctx: PluginContext<Config>): Promise<Decision> };
}
/** The abilities a channel has beside `receive` and `send`, as it registers them. */
export type ChannelAbilities<Config = JsonObject> = { readonly [A in OptionalAbility]?: (input: HandlerInput<A>, ctx: PluginContext<Config>) => Promise<HandlerOutput<A>> };

export interface ChannelPlugin<Config = JsonObject> {
  readonly kind: 'channel';
  readonly handlers: {
    receive(request: ChannelRequest, ctx: PluginContext<Config>): Promise<ReceiveResult>;
    send(delivery: Delivery, ctx: PluginContext<Config>): Promise<SendResult>;
  } & ChannelAbilities<Config>;
}
export interface ToolPlugin<Config = JsonObject> {
  readonly kind: 'tool';
  readonly handlers: { call(input: { readonly tool: string; readonly arguments: JsonValue }, ctx: PluginContext<Config>): Promise<JsonValue> };
}
export type Plugin<Config = JsonObject> = SkillPlugin<Config> | ModerationPlugin<Config> | ChannelPlugin<Config> | ToolPlugin<Config>;

/**
 * A skill answers messages.
 *
 * @example
 * export default defineSkill({
 *   respond({ message }) {
 *     return message.text === 'ping' ? { replies: [{ text: 'pong' }] } : null;
 *   },
 * });
 */
export function defineSkill<Config = JsonObject>(handlers: SkillHandlers<Config>): SkillPlugin<Config> {
  return register({ kind: 'skill', handlers: { respond: async (input, ctx) => await handlers.respond(input, ctx) } });
}

/**
 * A moderation plugin judges what comes in and what goes out.
 *
 * @example
 * export default defineModeration({
 *   evaluate({ message }) {
 *     return message.text.length > 2000 ? { effect: 'deny', reason: 'Messages here have at most 2,000 characters.' } : { effect: 'pass' };
 *   },
 * });
 */
export function defineModeration<Config = JsonObject>(handlers: ModerationHandlers<Config>): ModerationPlugin<Config> {
  return register({ kind: 'moderation', handlers: { evaluate: async (input, ctx) => await handlers.evaluate(input, ctx) } });
}

/**
 * A channel connects a messaging service: it turns requests into messages, and replies into requests.
 *
 * @example
 * export default defineChannel({
 *   receive(request) {
 *     if (request.kind !== 'http') return {};
 *     const event = JSON.parse(request.body);
 *     return { messages: [{ id: event.id, conversation: event.room, sender: { id: event.user }, text: event.text }] };
 *   },
 *   send: () => ({ actions: [] }),
 * });
 */
export function defineChannel<Config = JsonObject>(handlers: ChannelHandlers<Config>): ChannelPlugin<Config> {
  const registered: Partial<Record<Ability, (input: never, ctx: PluginContext<Config>) => Promise<unknown>>> = {};
  for (const name of ABILITIES) if (handlers[name] !== undefined) registered[name] = async (input, ctx) => (await handlers[name]?.(input, ctx)) ?? null;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each is the author's own of that name, and `receive` and `send` are there by their type
  return register({ kind: 'channel', handlers: registered as ChannelPlugin<Config>['handlers'] });
}

/**
 * A tool plugin offers functions that other plugins call by `<plugin id>/<tool>`.
 * Whatever a handler throws arrives at the caller as `TOOL_FAILED` with up to 200 characters of its message.
 *
 * @example
 * export default defineTool({
 *   add: ({ a, b }: { a: number; b: number }) => ({ sum: a + b }),
 * });
 */
export function defineTool<Arguments extends object, Config = JsonObject>(tools: ToolHandlers<Arguments, Config>): ToolPlugin<Config> {
  return register({
    kind: 'tool',
    handlers: {
      // `never`: the host has held the arguments against the tool's inputSchema, and the author's type says what that schema says.
      async call({ tool, arguments: args }: { readonly tool: string; readonly arguments: never }, ctx) {
        if (!isToolOf(tools, tool)) throw new PluginError('TOOL_UNKNOWN', `This plugin has no tool '${tool}'.`);
        return await tools[tool](args, ctx);
      },
    },
  });
}

const isToolOf = <Tools extends object>(tools: Tools, name: string): name is Extract<keyof Tools, string> => Object.hasOwn(tools, name);

/** The one global the sandbox adds. Absent where a unit test imports the plugin: then the plugin is only returned. */
declare const gatehouse: { register(plugin: { kind: string; handlers: object }): void } | undefined;

function register<Defined extends { readonly kind: string; readonly handlers: object }>(plugin: Defined): Defined {
  if (typeof gatehouse !== 'undefined') gatehouse.register(plugin);
  return plugin;
}
