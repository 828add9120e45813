// The real pipeline, broker and store with functions in place of sandboxes: for what stages, scopes and commits do to each other, without a process in between.
import { NO_TRACING } from '../../host/tracing.ts';
import { join } from 'node:path';
import { Broker } from '../../host/broker/broker.ts';
import { MinuteQuotas, SenderRates } from '../../host/broker/quota.ts';
import { KvLedger } from '../../host/capabilities/kv-ledger.ts';
import { kvOperations } from '../../host/capabilities/kv.ts';
import { messageList } from '../../host/capabilities/message-read.ts';
import { messageSend } from '../../host/capabilities/message-send.ts';
import { replyDelta } from '../../host/capabilities/reply-delta.ts';
import { toolCall } from '../../host/capabilities/tool-call.ts';
import { systemClock, type Clock } from '../../host/clock.ts';
import { createIds } from '../../host/ids.ts';
import { PRESSURE_DEFAULTS } from '../../host/pipeline/pressure.ts';
import { Pairings } from '../../host/pipeline/pairing/pairings.ts';
import { LETTER_RETENTION_DEFAULTS } from '../../host/pipeline/sweeper.ts';
import { RETENTION_DEFAULTS } from '../../schemas/retention.ts';
import type { ActionParts } from '../../host/outbound/actions.ts';
import { HeldSeal } from '../../host/pipeline/gating/held-seal.ts';
import { Identities } from '../../host/pipeline/sessions/identities.ts';
import { MediaLinks } from '../../host/media/links.ts';
import { MediaStore } from '../../host/media/media-store.ts';
import { createPipeline, type Pipeline } from '../../host/pipeline/wiring.ts';
import type { ChannelPolicy } from '../../host/pipeline/policy.ts';
import { PluginCalls } from '../../host/pipeline/plugin-calls.ts';
import { reachesOut, type ChannelEntry, type GateEntry, type SkillEntry } from '../../host/pipeline/plugin-directory.ts';
import type { CallResult, PluginCall } from '../../host/sandbox/sandbox.ts';
import { compileSchema } from '../../host/schema.ts';
import { openStore } from '../../host/store/lmdb.ts';
import { readMessage, withEnding } from '../../host/store/messages.ts';
import type { Commit, RangeOptions, Store, Table } from '../../host/store/store.ts';
import { conversations, deliveries, messages, type MessageRow } from '../../host/store/tables.ts';
import type { Grant } from '../../schemas/capability.ts';
import type { PipelineSettings } from '../../schemas/host-config.ts';
import type { ChannelSection } from '../../schemas/plugin-manifest.ts';
import { Type } from 'typebox';
import { silentLog } from './sandboxes.ts';
import { tempDir } from './temp.ts';
import { instanceId } from './ids.ts';

/** Thrown by a handler to end its call as the death of its sandbox would. */
export class SandboxDied extends Error {}

/** What a handler's host calls look like from inside: the value, or an Error with `code`. */
export interface StandInContext {
  readonly instance: string;
  readonly call: PluginCall;
  ask<Value = unknown>(op: string, args: unknown): Promise<Value>;
}

/** `input` is what the host hands to this handler; tests know its shape. */
// oxlint-disable-next-line typescript/no-explicit-any -- one type for the inputs of every handler
type Handler = (input: any, ctx: StandInContext) => unknown;

export interface StandIn {
  readonly kind: 'channel' | 'skill' | 'gate' | 'observer' | 'tool';
  readonly grants?: readonly Grant[];
  /** Default receive and send. */
  readonly abilities?: ChannelSection['abilities'];
  /** Of gates and observers; default both. */
  readonly directions?: readonly ('inbound' | 'outbound')[];
  readonly quarantined?: boolean;
  readonly onQuarantine?: 'hold' | 'bypass';
  /** Of channels: what the operator says about their traffic. */
  readonly policy?: ChannelPolicy;
  readonly handlers?: Readonly<Record<string, Handler>>;
}

export interface PipelineWorld extends AsyncDisposable {
  readonly pipeline: Pipeline;
  readonly store: Store;
  readonly ledger: KvLedger;
  readonly broker: Broker;
  readonly calls: PluginCalls;
  /** Changed by tests between messages. */
  readonly plugins: Map<string, StandIn>;
  /** Throw from here to fail a commit. */
  beforeCommit: (commit: Commit) => void | Promise<void>;
  beforeRange: (table: Table<unknown>, options?: RangeOptions) => void | Promise<void>;
  /** What the request actions of channels get. */
  request: ActionParts['request'];
  /** Posts a message to a channel, whose `receive` hands it over as it is unless it says otherwise. */
  post(channel: string, message: object): Promise<{ readonly status: number; readonly body: string }>;
  /** Every outbound message, in the order of its conversation. */
  outbound(instance: string, conversation: string): Promise<MessageRow[]>;
  everyMessage(): Promise<MessageRow[]>;
  waitingDeliveries(): Promise<number>;
}

const CHANNEL: Readonly<Record<string, Handler>> = { receive: ({ body }: { body: string }) => ({ messages: [JSON.parse(body)] }), send: () => ({ actions: [] }) };
const anything = compileSchema<unknown>(Type.Unknown());

/** One object for each stand-in, as the registry has one for each enablement: policies are resolved once for it. */
const policies = new WeakMap<StandIn, ChannelPolicy>();

function policyFor(plugin: StandIn): ChannelPolicy {
  const known = policies.get(plugin) ?? { admit: { senderPerSecond: 100_000 }, ...plugin.policy };
  policies.set(plugin, known);
  return known;
}

/** What a later world over the same store opens held messages with. */
const seals = new WeakMap<Store, HeldSeal>();

export interface WorldOptions {
  /** A store of an earlier world, to go on where it stopped; it is not closed here. */
  readonly store?: Store;
  /** What host.json says under `pipeline`. */
  readonly settings?: PipelineSettings;
  /** Default the system's; a hand clock stamps and expires, and timers go on as ever. */
  readonly clock?: Clock;
  readonly identities?: Identities;
  /** Default true: what the store holds is taken up. */
  readonly recover?: boolean;
}

export async function aPipeline(named: Readonly<Record<string, StandIn>>, { store: given, settings = {}, recover = true, clock = systemClock, identities = new Identities() }: WorldOptions = {}): Promise<PipelineWorld> {
  const plugins = new Map(Object.entries(named));
  const dir = await tempDir();
  const real = given ?? (await openStore({ dir: dir.path, clock }));
  const store: Store = {
    get: (table, key) => real.get(table, key),
    async range(table, prefix, options) {
      await world.beforeRange(table, options);
      return await real.range(table, prefix, options);
    },
    count: (table) => real.count(table),
    watch: (table, onChange) => real.watch(table, onChange),
    async commit(commit) {
      await world.beforeCommit(commit);
      return await real.commit(commit);
    },
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
  const heldSeal = (given && seals.get(given)) ?? new HeldSeal(join(dir.path, 'held.key'));
  seals.set(store, heldSeal);
  const ledger = new KvLedger(store);
  const of = (kind: StandIn['kind']) => [...plugins].filter(([, each]) => each.kind === kind);
  const links = await MediaLinks.open(join(dir.path, 'media.key'), clock);
  const broker: Broker = new Broker({
    log: silentLog,
    quotas: new MinuteQuotas(clock),
    operations: [
      replyDelta,
      ...kvOperations(store, ledger),
      messageList(store, links),
      toolCall({ find: (address) => (plugins.has(address.split('/')[1] ?? '') ? { address, instance: address.split('/')[1] ?? '', name: 'run', input: anything, output: anything } : undefined), call: (...call) => calls.callTool(...call) }),
      messageSend({ take: (letter, scope) => world.pipeline.outbox.take(letter, scope) }),
    ],
  });
  const calls: PluginCalls = new PluginCalls(broker, async (instance, call): Promise<CallResult> => {
    const plugin = plugins.get(instance);
    const handler = plugin?.handlers?.[call.handler] ?? (plugin?.kind === 'channel' ? CHANNEL[call.handler] : undefined);
    if (!plugin || !handler) return { ok: false, code: 'INSTANCE_UNAVAILABLE', message: 'not there', retry: true, cpuUs: 0, wallMs: 0 };
    const ask = async <Value>(op: string, args: unknown): Promise<Value> => {
      const reply = await broker.serve({ instance, plugin: `test.${instance}`, grants: plugin.grants ?? [] }, { callId: call.callId, attemptKey: call.attemptKey, op, args });
      if (!reply.ok) throw Object.assign(new Error(reply.message), { code: reply.code });
      return reply.value as Value;
    };
    try {
      return { ok: true, value: (await handler(call.input, { instance, call, ask })) ?? null, cpuUs: 1, wallMs: 1 };
    } catch (error) {
      if (error instanceof SandboxDied) return { ok: false, code: 'SANDBOX_DIED', message: 'killed from outside', retry: true, cpuUs: 1, wallMs: 1 };
      return { ok: false, code: 'CALL_FAILED', message: error instanceof Error ? error.message : 'thrown', retry: false, ...(error instanceof Error && 'retry' in error && error.retry === false ? { terminal: true as const } : {}), cpuUs: 1, wallMs: 1 };
    }
  });
  const moderating = (kind: 'gate' | 'observer', direction: 'inbound' | 'outbound') =>
    of(kind)
      .filter(([, { directions = ['inbound', 'outbound'] }]) => directions.includes(direction))
      .map(([instance, { quarantined = false, onQuarantine }]): GateEntry => ({ instance: instanceId(instance), wallMs: 1000, available: !quarantined, quarantined, ...(onQuarantine && { onQuarantine }), onTimeout: 'refuse', relaxTo: 'skip' }));
  const channel = (instance: string): ChannelEntry | undefined => {
    const plugin = plugins.get(instance);
    if (plugin?.kind !== 'channel') return undefined;
    const { abilities = ['receive', 'send'] } = plugin;
    return { instance: instanceId(instance), wallMs: 1000, section: { abilities, ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] }, policy: policyFor(plugin), reachesOut: reachesOut(plugin.grants ?? []), can: (ability) => abilities.includes(ability), secret: () => undefined };
  };
  const pipeline = createPipeline({ tracing: NO_TRACING,
    settings,
    letterRetention: LETTER_RETENTION_DEFAULTS,
    retention: RETENTION_DEFAULTS,
    pressure: PRESSURE_DEFAULTS,
    clock,
    ids: createIds(clock),
    log: silentLog,
    store,
    ledger,
    heldSeal,
    rates: new SenderRates(clock),
    identities,
    calls,
    directory: {
      gates: (direction) => moderating('gate', direction),
      observers: (direction) => moderating('observer', direction),
      skills: () => of('skill').map(([instance]): SkillEntry => ({ instance: instanceId(instance), wallMs: 1000, available: true, triggers: undefined })),
      channel,
      isFrozen: () => false,
    },
    media: await MediaStore.open({ dir: join(dir.path, 'media'), store: real, clock, log: silentLog, totalBytes: 1024 ** 3 }),
    links,
    pairings: new Pairings({ store, clock, onRevoked: () => undefined }),
    sweepPairing: async () => undefined,
    filesUrl: '',
    download: () => Promise.reject(new Error('nothing is fetched here')),
    request: (...asked) => world.request(...asked),
    onGateExit: () => undefined,
  });
  const rowOf = (id: string) => readMessage(store, id);
  const world: PipelineWorld = {
    pipeline,
    store,
    ledger,
    broker,
    calls,
    plugins,
    beforeCommit: () => undefined,
    beforeRange: () => undefined,
    request: () => Promise.resolve({ status: 200, headers: {} }),
    async post(instance, message) {
      const entry = channel(instance);
      if (!entry) throw new Error(`no channel '${instance}'`);
      const answer = await pipeline.ingress.http(entry, { method: 'POST', path: '/in', target: `/channels/${instance}/in`, query: {}, headers: {}, body: Buffer.from(JSON.stringify(message)) });
      return { status: answer.status, body: String(answer.body) };
    },
    async outbound(instance, conversation) {
      const rows = await store.range(conversations, conversations.prefix(instance, conversation));
      const all = await Promise.all(rows.filter(({ value }) => value.direction === 'outbound').map(({ key, value }) => rowOf(value.messageId ?? String(key[3]))));
      return all.filter((row) => row !== undefined);
    },
    everyMessage: async () => Promise.all((await store.range(messages, messages.prefix())).map(({ value }) => withEnding(store, value))),
    waitingDeliveries: async () => (await store.range(deliveries, deliveries.prefix())).length,
    async [Symbol.asyncDispose]() {
      await pipeline.drain(1000);
      if (!given) await real[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
  if (recover) await pipeline.recover();
  return world;
}

/** A message as a channel hands it over. */
export const arriving = (id: string, text: string, conversation = 'c') => ({ id, conversation, sender: { id: 'someone' }, text });
