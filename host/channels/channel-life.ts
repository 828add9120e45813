// The life of channels beyond that of their sandboxes: held against their manifest and asked to `start` before any traffic, probed while they run, told to `stop` when they leave.
// host.ts gives it to the supervisor, plugin-life.ts tells it of states.
import { randomUUID } from 'node:crypto';
import { OPTIONAL_ABILITIES, type Ability, type OptionalAbility } from '../../schemas/abilities.ts';
import { WITHOUT, type HandlerInput } from '../../schemas/channel.ts';
import type { ChannelView, DirectoryItem } from '../../schemas/control.ts';
import type { Action } from '../../schemas/message.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { subscribe } from '../events.ts';
import type { Log } from '../log.ts';
import { textLimits } from '../outbound/rules.ts';
import { askChannel, type AbilityAnswer, type Asked, type AskOptions } from '../pipeline/channel-calls.ts';
import { commandsOf } from '../pipeline/commands/registry.ts';
import type { PluginCalls } from '../pipeline/plugin-calls.ts';
import type { ChannelEntry, PluginDirectory } from '../pipeline/plugin-directory.ts';
import { policyOf } from '../pipeline/policy.ts';
import { DELIVERY_TRIES } from '../pipeline/stages/deliver.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { isAvailable } from '../registry/lifecycle.ts';
import type { Registry } from '../registry/registry.ts';
import type { Sandbox, SandboxSpec } from '../sandbox/sandbox.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { effectiveAbilities, lacksRequired, mismatchInWords, mismatchOf } from './abilities.ts';
import { HealthProbes } from './health.ts';
import { menuOf, Menus, type Menu } from './menus.ts';
import { ChannelTroubles } from './troubles.ts';

export interface ChannelLifeParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly supervisor: Pick<Supervisor, 'handlers' | 'reconnect'>;
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'channel' | 'skills'>;
  /** Commits what a handler wrote, in a commit of its own. */
  readonly keep: (scope: CallScope) => Promise<void>;
  /** Performs actions that nobody waits for. */
  readonly perform: (instance: string, actions: readonly Action[]) => void;
}

/** Who says goodbye may take so long of its own time; the host waits for no more than five times that, requests included. */
const FAREWELL_MS = 1000;
/** An operator who looks for somebody waits for a channel that restarts. */
const FIND_WAIT_MS = 2000;

export class ChannelLife implements Disposable {
  readonly #parts: ChannelLifeParts;
  readonly #troubles: ChannelTroubles;
  readonly #health: HealthProbes;
  readonly #menus: Menus;
  readonly #unsubscribe: () => void;

  constructor(parts: ChannelLifeParts) {
    this.#parts = parts;
    const { clock, registry, supervisor } = parts;
    this.#troubles = new ChannelTroubles(registry);
    this.#health = new HealthProbes({
      clock,
      troubles: this.#troubles,
      policyOf: (instance) => registry.find(instance)?.enablement.health ?? {},
      ask: (instance, attemptKey) => this.#ask({ instance, can: () => true }, 'health', {}, { attemptKey }),
      reconnect: (instance, why) => supervisor.reconnect(instance, why),
    });
    this.#menus = new Menus({ wanted: () => this.#wantedMenus(), tell: (instance, menu) => this.#tellMenu(instance, menu) });
    this.#unsubscribe = subscribe('plugin.state', () => this.#menus.changed());
  }

  /**
   * Between the loading of a sandbox and its first call. Throws CHANNEL_ABILITY_MISMATCH where the manifest says something else and that cannot be lived with,
   * CHANNEL_START_FAILED where another try may do better, CHANNEL_START_REFUSED where only the operator can, PLUGIN_LOAD_FAILED where `start` broke its sandbox.
   */
  async prepare({ instance, kind, abilities = [] }: SandboxSpec, sandbox: Sandbox): Promise<void> {
    if (kind !== 'channel') return;
    const mismatch = mismatchOf(abilities, sandbox.handlers);
    if (mismatch && (lacksRequired(mismatch) || this.#parts.registry.find(instance)?.required === true)) throw mismatchError(instance, mismatchInWords(mismatch));
    const can = (ability: Ability) => abilities.includes(ability) && sandbox.handlers.includes(ability);
    const answer = await this.#ask({ instance, can }, 'start', {}, { attemptKey: randomUUID(), through: (call) => sandbox.call(call) });
    if (answer.ok && answer.value.ok) return;
    const problem = answer.ok ? (answer.value.ok ? '' : answer.value.reason) : answer.problem;
    if (!answer.ok && answer.failure === 'crash') throw new GatehouseError('PLUGIN_LOAD_FAILED', { instance, problem });
    const isFinal = answer.ok ? !answer.value.ok && answer.value.retry === false : answer.failure === 'terminal';
    throw new GatehouseError(isFinal ? 'CHANNEL_START_REFUSED' : 'CHANNEL_START_FAILED', { instance, problem });
  }

  /** Before a sandbox is ended for good. Never rejects: who leaves cannot be kept. */
  async farewell({ instance, kind, abilities = [] }: SandboxSpec, sandbox: Sandbox): Promise<void> {
    if (kind !== 'channel') return;
    const can = (ability: Ability) => abilities.includes(ability) && sandbox.handlers.includes(ability);
    const answer = await this.#ask({ instance, can }, 'stop', {}, { attemptKey: randomUUID(), wallMs: FAREWELL_MS, through: (call) => sandbox.call(call) });
    if (!answer.ok) this.#parts.log.warn({ instance, code: answer.code, problem: answer.problem }, 'a channel left without its last word');
  }

  /** A sandbox of it takes calls: one more, or the first. */
  onActive(instance: string): void {
    const mismatch = this.#mismatchOf(instance);
    if (mismatch) this.#troubles.raise(instance, 'abilities', mismatchError(instance, mismatchInWords(mismatch)));
    else this.#troubles.clear(instance, 'abilities');
    if (this.#effective(instance).includes('health')) this.#health.begin(instance);
    else this.#health.end(instance);
  }

  /** It takes no calls any more. */
  onDown(instance: string): void {
    this.#health.end(instance);
    this.#troubles.clear(instance, 'abilities');
  }

  /** Names at the channel's service; nobody is found by one that cannot look. Throws PLUGIN_NOT_FOUND, INSTANCE_UNAVAILABLE while it is away, and CALL_FAILED or RESULT_INVALID as the handler ends. */
  async find(instance: string, query: HandlerInput<'directory'>): Promise<readonly DirectoryItem[]> {
    const { state } = this.#parts.registry.get(instance);
    const can = (ability: Ability) => this.#effective(instance).includes(ability);
    const answer = await this.#ask({ instance, can }, 'directory', query, { attemptKey: randomUUID(), waitMs: FIND_WAIT_MS });
    if (answer.ok) return answer.value.items.slice(0, query.limit);
    if (answer.away) throw new GatehouseError('INSTANCE_UNAVAILABLE', { instance, state });
    throw new GatehouseError(answer.code === 'RESULT_INVALID' ? 'RESULT_INVALID' : 'CALL_FAILED', { instance, handler: 'directory', path: '/', problem: answer.problem });
  }

  diagnostics() {
    return this.#troubles.diagnostics();
  }

  /** Undefined for what is no channel. */
  view(instance: string): ChannelView | undefined {
    const declared = this.#declared(instance);
    if (declared === undefined) return undefined;
    const effective = this.#effective(instance);
    const health = this.#health.state(instance);
    const channel = this.#parts.directory.channel(instance);
    const absent = OPTIONAL_ABILITIES.filter((ability) => !effective.includes(ability));
    return { declared: [...declared], effective, without: Object.fromEntries(absent.map((ability) => [ability, WITHOUT[ability]])), ...(channel ? outboundView(channel) : {}), ...(health ? { health } : {}) };
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#menus[Symbol.dispose]();
    this.#health[Symbol.dispose]();
    this.#troubles[Symbol.dispose]();
  }

  #declared(instance: string): readonly Ability[] | undefined {
    return this.#parts.registry.find(instance)?.resolved?.release.manifest.channel?.abilities;
  }

  /** Before the first sandbox has registered anything, nothing. */
  #effective(instance: string): Ability[] {
    return effectiveAbilities(this.#declared(instance) ?? [], this.#parts.supervisor.handlers(instance) ?? []);
  }

  #mismatchOf(instance: string) {
    const declared = this.#declared(instance);
    const handlers = this.#parts.supervisor.handlers(instance);
    return declared && handlers && mismatchOf(declared, handlers);
  }

  #wantedMenus(): ReadonlyMap<string, Menu> {
    const { registry, directory } = this.#parts;
    const table = commandsOf(directory.skills());
    const wanted = registry.list().flatMap(({ instance, state }): [string, Menu][] => {
      const channel = isAvailable(state) && this.#effective(instance).includes('commands') ? directory.channel(instance) : undefined;
      return channel ? [[instance, menuOf(table, policyOf(channel.policy, ''))]] : [];
    });
    return new Map(wanted);
  }

  async #tellMenu(instance: string, commands: Menu): Promise<boolean> {
    const answer = await this.#ask({ instance, can: () => true }, 'commands', { commands }, { attemptKey: randomUUID() });
    if (answer.ok) this.#parts.perform(instance, answer.value.actions);
    else this.#parts.log.warn({ instance, code: answer.code, problem: answer.problem }, 'a channel could not be told of the commands');
    return answer.ok;
  }

  /** What these handlers write belongs to no message: it is committed by itself. */
  async #ask<A extends OptionalAbility>(channel: Asked, ability: A, input: HandlerInput<A>, options: AskOptions): Promise<AbilityAnswer<A>> {
    const answer = await askChannel(this.#parts.calls, channel, ability, input, options);
    if (answer.ok && answer.by === 'channel') {
      await this.#parts.keep(answer.scope).catch((error: unknown) => this.#parts.log.warn({ instance: channel.instance, ability, err: problemOf(error) }, 'what a handler wrote could not be kept'));
    }
    return answer;
  }
}

/** What holds for its deliveries, but for what single rooms say. */
function outboundView({ section, policy }: ChannelEntry): Pick<ChannelView, 'tries' | 'limits'> {
  const { retry, chunk } = policyOf(policy, '').outbound;
  const limits = textLimits(section.limits, chunk);
  const tries = Object.fromEntries(Object.entries({ ...DELIVERY_TRIES, remote: { ...DELIVERY_TRIES.remote, ...retry } }).map(([what, { attempts, firstMs, mostMs }]) => [what, { attempts, firstMs, mostMs }]));
  return { tries, ...(limits ? { limits } : {}) };
}

const mismatchError = (instance: string, problem: string) => new GatehouseError('CHANNEL_ABILITY_MISMATCH', { instance, problem });
