// runPlugin: calls a plugin's handlers as the host would, call after call, over fakes that a test can look into.
import type { TSchema } from 'typebox';
import { Errors } from 'typebox/value';
import type { OptionalAbility } from '../../schemas/abilities.ts';
import { CHANNEL_HANDLERS, type HandlerInput, type HandlerOutput } from '../../schemas/channel.ts';
import { Decision, Delivery, ReceiveResult, RespondResult, SendResult, type ChannelRequest, type Direction, type Message, type Session } from '../../schemas/message.ts';
import type { JsonObject, JsonValue, PluginContext } from '../context.ts';
import type { ChannelAbilities, ChannelPlugin, ModerationPlugin, Plugin, SkillPlugin, ToolPlugin } from '../define.ts';
import { PluginError } from '../plugin-error.ts';
import { aDelivery, aMessage, aSession } from './samples.ts';
import { asJson, contextIn, worldOf, type LogLine, type SentMessage, type TestOptions } from './test-context.ts';

/** What a test can look into after calls. */
interface Inspected {
  readonly logs: readonly LogLine[];
  /** What was sent by calls that returned. */
  readonly sent: readonly SentMessage[];
  /** Every piece of a reply that was shown, or would be if `streams`. */
  readonly deltas: readonly string[];
  /** What is committed in kv. */
  kv(): Record<string, JsonValue>;
}

export interface SkillRun extends Inspected {
  respond(message?: Partial<Message>, session?: Partial<Session>): Promise<RespondResult>;
}
export interface ModerationRun extends Inspected {
  /** `direction` is `inbound` unless given. */
  evaluate(message?: Partial<Message>, direction?: Direction): Promise<Decision>;
}
export interface ChannelRun extends Inspected {
  receive(request: ChannelRequest): Promise<ReceiveResult>;
  send(delivery?: Partial<Delivery>): Promise<SendResult>;
  /** Calls any other handler of the channel. Rejects with `PLUGIN_HANDLER_MISSING` when it has none of that name. */
  ask<A extends OptionalAbility>(ability: A, input: HandlerInput<A>): Promise<HandlerOutput<A>>;
}
export interface ToolRun extends Inspected {
  call(tool: string, args?: JsonValue): Promise<JsonValue>;
}

/**
 * Prepares calls to `plugin`: what `define…` returned. Message, session and delivery are filled up with defaults.
 *
 * Each call gets a `ctx` of its own; what it wrote to kv and sent is kept when the handler returns and dropped when it throws. Input and result pass through JSON,
 * and a result of the wrong shape throws `RESULT_INVALID` here, as the host would refuse it.
 *
 * @example
 * const skill = runPlugin(plugin, { kv: { count: 2 } });
 * expect(await skill.respond({ text: 'count' })).toEqual({ replies: [{ text: '3' }] });
 * expect(skill.kv()).toEqual({ count: 3 });
 */
export function runPlugin<Config = JsonObject>(plugin: SkillPlugin<Config>, options?: TestOptions<Config>): SkillRun;
export function runPlugin<Config = JsonObject>(plugin: ModerationPlugin<Config>, options?: TestOptions<Config>): ModerationRun;
export function runPlugin<Config = JsonObject>(plugin: ChannelPlugin<Config>, options?: TestOptions<Config>): ChannelRun;
export function runPlugin<Config = JsonObject>(plugin: ToolPlugin<Config>, options?: TestOptions<Config>): ToolRun;
export function runPlugin<Config = JsonObject>(plugin: Plugin<Config>, options: TestOptions<Config> = {}): SkillRun | ModerationRun | ChannelRun | ToolRun {
  const world = worldOf(options);
  const inspected: Inspected = { logs: world.logs, sent: world.sent, deltas: world.deltas, kv: () => contextIn(world, options).kv() };

  /** One call: input as JSON, a fresh ctx, the result checked, then what it wrote and sent committed. */
  async function call<Input, Output>(run: (input: Input, ctx: PluginContext<Config>) => Promise<Output>, input: Input, shape?: TSchema, hops?: number): Promise<Output> {
    const { ctx, commit } = contextIn(world, options, hops);
    const result = await run(asJson(input), ctx);
    if (result === undefined || typeof result === 'function') throw new PluginError('RESULT_INVALID', 'The handler returned nothing that is JSON.');
    const output = asJson(result);
    if (shape) refuseMisfit(shape, output);
    commit();
    return output;
  }

  switch (plugin.kind) {
    case 'skill':
      return { ...inspected, respond: (message, session) => call((input, ctx) => plugin.handlers.respond(input, ctx), { message: aMessage(message), session: aSession(session) }, RespondResult, message?.hops) };
    case 'moderation':
      return { ...inspected, evaluate: (message, direction = 'inbound') => call((input, ctx) => plugin.handlers.evaluate(input, ctx), { message: aMessage(message), direction }, Decision, message?.hops) };
    case 'channel':
      return {
        ...inspected,
        receive: (request) => call((input, ctx) => plugin.handlers.receive(input, ctx), request, ReceiveResult),
        send: (delivery) => call((input, ctx) => plugin.handlers.send(input, ctx), aDelivery(delivery), SendResult, delivery?.hops),
        async ask(ability, input) {
          const abilities: ChannelAbilities<Config> = plugin.handlers;
          const handler = abilities[ability];
          if (!handler) throw new PluginError('PLUGIN_HANDLER_MISSING', `This channel has no handler '${ability}'.`);
          return await call(handler, input, CHANNEL_HANDLERS[ability].output);
        },
      };
    case 'tool':
      return { ...inspected, call: (tool, args = {}) => call((input, ctx) => plugin.handlers.call(input, ctx), { tool, arguments: args }) };
    default:
      return plugin satisfies never;
  }
}

function refuseMisfit(shape: TSchema, output: unknown): void {
  const [first] = Errors(shape, output);
  if (first) throw new PluginError('RESULT_INVALID', `The handler returned something that is not a valid result at ${first.instancePath || '/'}: ${first.message}.`);
}
