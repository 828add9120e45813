// Asks a channel for one of its abilities, or answers in its place where it has none. Every handler of a channel but `receive` and `send` is called here.
import type { OptionalAbility } from '../../schemas/abilities.ts';
import { CHANNEL_HANDLERS, type HandlerInput, type HandlerOutput } from '../../schemas/channel.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { GatehouseError, type ErrorCode } from '../errors.ts';
import { failureClassOf, isAway, type FailureClass } from '../sandbox/sandbox.ts';
import { compileSchema } from '../schema.ts';
import { DEFAULTS } from './channel-defaults.ts';
import type { CallOptions, PluginCalls } from './plugin-calls.ts';
import type { ChannelEntry } from './plugin-directory.ts';

/** `failure` says what is to be done about it; `away`: it was not there, which says nothing about the work. */
export interface AbilityFailure {
  readonly ok: false;
  readonly failure: FailureClass;
  readonly away: boolean;
  readonly code: ErrorCode;
  /** For people; it may hold what the plugin threw. */
  readonly problem: string;
}

export type AbilityAnswer<A extends OptionalAbility> =
  | { readonly ok: true; readonly by: 'host'; readonly value: HandlerOutput<A> }
  /** `scope` holds what the handler wrote: the caller's to commit or to release. */
  | { readonly ok: true; readonly by: 'channel'; readonly value: HandlerOutput<A>; readonly scope: CallScope; readonly wallMs: number; readonly cpuUs: number }
  | AbilityFailure;

export interface AskOptions {
  /** Stable across tries of the same work. */
  readonly attemptKey: string;
  /** How long a channel that restarts is waited for. Default: not at all. */
  readonly waitMs?: number;
  readonly hops?: number | undefined;
  /** True only where what the handler sends is committed. Default false. */
  readonly maySend?: boolean;
  /** Less wall time than the ability has anyway. */
  readonly wallMs?: number;
  /** The sandbox to call, where it is not the one that takes the calls of the instance. */
  readonly through?: CallOptions['through'];
}

/** As much of a channel as has to be known to ask it. */
export interface Asked extends Pick<ChannelEntry, 'can'> {
  readonly instance: string;
}

/** Where a handler gets less than the instance's `wallMsPerCall`: work that others wait for, or that is stale a moment later. Time in host calls does not count. */
const BUDGET_MS: Readonly<Partial<Record<OptionalAbility, number>>> = { verify: 500, sanitize: 200, typing: 1000, stream: 1000, threads: 500, mentions: 200 };

/** Never rejects: the default of an ability the channel lacks, its answer, or how it failed. */
export async function askChannel<A extends OptionalAbility>(calls: PluginCalls, channel: Asked, ability: A, input: HandlerInput<A>, options: AskOptions): Promise<AbilityAnswer<A>> {
  if (!channel.can(ability)) return { ok: true, by: 'host', value: DEFAULTS[ability](input) };
  const { instance } = channel;
  const { attemptKey, waitMs = 0, hops, maySend = false, wallMs = BUDGET_MS[ability], through } = options;
  const { result, scope } = await calls.call(instance, ability, input, { attemptKey, waitMs, hops, maySend, ...(wallMs !== undefined && { wallMs }), ...(through && { through }) });
  if (!result.ok) return { ok: false, failure: failureClassOf(result), away: isAway(result.code), code: result.code, problem: result.message };
  const { value, cpuUs } = result;
  if (isOutput(ability, value)) return { ok: true, by: 'channel', value, scope, wallMs: result.wallMs, cpuUs };
  scope.release();
  const wrong = compileSchema<unknown>(CHANNEL_HANDLERS[ability].output).explain(value);
  return { ok: false, failure: 'terminal', away: false, code: 'RESULT_INVALID', problem: new GatehouseError('RESULT_INVALID', { handler: ability, instance, path: wrong?.path, problem: wrong?.problem }).message };
}

function isOutput<A extends OptionalAbility>(ability: A, value: unknown): value is HandlerOutput<A> {
  return compileSchema<unknown>(CHANNEL_HANDLERS[ability].output).is(value);
}
