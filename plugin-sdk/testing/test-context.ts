// A `ctx` for unit tests. What an option provides counts as granted; every other client refuses as the host would.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { ConversationItem } from '../../schemas/message.ts';
import type { FetchInit, FetchResponse, JsonObject, JsonValue, PluginContext } from '../context.ts';
import { PluginError } from '../plugin-error.ts';
import { fakeKv, type KvStore } from './fake-kv.ts';
import { fakeSend, type SentMessage } from './fake-send.ts';

export interface TestOptions<Config = JsonObject> {
  /** Default `{}`. Defaults of the schema in plugin.json are not filled in here: pass the whole configuration. */
  readonly config?: Config;
  /** Default `test`. */
  readonly instance?: string;
  /** Milliseconds since the epoch; default 2026-11-21T08:00:00Z. `Date.now()` is Node's own, in the sandbox it would be this. */
  readonly now?: number;
  /** Grants `kv`, with these values in it. */
  readonly kv?: Readonly<Record<string, JsonValue>>;
  /** Grants `tool.call` for these addresses. What a tool throws arrives as `TOOL_FAILED`. */
  readonly tools?: Readonly<Record<string, (args: JsonValue) => JsonValue | Promise<JsonValue>>>;
  /** Grants `message.read`: the conversations there are, oldest item first. */
  readonly messages?: Readonly<Record<string, readonly ConversationItem[]>>;
  /** Grants `message.send` to these instances; what calls sent that have committed is in `sent`. */
  readonly sendTo?: readonly string[];
  /** Whether people would see pieces of a reply; default false. They are in `deltas` either way. */
  readonly streams?: boolean;
  /** Grants `http.fetch` and answers it. */
  readonly fetch?: (url: string, init: FetchInit) => FetchResponse | Promise<FetchResponse>;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  readonly fields?: JsonObject;
}

export type { SentMessage };

export interface TestContext<Config = JsonObject> {
  readonly ctx: PluginContext<Config>;
  /** Every line logged so far. */
  readonly logs: readonly LogLine[];
  /** Every message that was sent and committed so far. */
  readonly sent: readonly SentMessage[];
  /** Every piece of a reply that was shown, or would be if `streams`. */
  readonly deltas: readonly string[];
  /** What the next call would find in kv. */
  kv(): Record<string, JsonValue>;
  /** Commits what the call wrote to kv and sent, as the host does when a handler has returned. */
  readonly commit: () => void;
}

/** What calls of one plugin share in a test. */
export interface TestWorld {
  readonly store: KvStore;
  readonly logs: LogLine[];
  readonly sent: SentMessage[];
  readonly deltas: string[];
  calls: number;
}

/** One call's `ctx`, for testing a function of a plugin by itself. To test handlers, use `runPlugin`. */
export function testContext<Config = JsonObject>(options: TestOptions<Config> = {}): TestContext<Config> {
  return contextIn(worldOf(options), options);
}

export function worldOf<Config>(options: TestOptions<Config>): TestWorld {
  return { store: new Map(Object.entries(options.kv ?? {}).map(([key, value]) => [key, JSON.stringify(value)])), logs: [], sent: [], deltas: [], calls: 0 };
}

/** A context for the next call in `world`, made for a message with so many hops. */
export function contextIn<Config>(world: TestWorld, options: TestOptions<Config>, hops = 0): TestContext<Config> {
  const { instance = 'test', now = Date.UTC(2026, 10, 21, 8), tools, messages, sendTo, fetch } = options;
  const kv = fakeKv(world.store);
  const outbox = fakeSend(world.sent, { instance, sendTo, hops });
  const callId = `call-${++world.calls}`;
  const line = (level: LogLine['level']) => (text: string, fields?: JsonObject) => void world.logs.push({ level, text, ...(fields === undefined ? {} : { fields: asJson(fields) }) });
  const denied = async (capability: string) => Promise.reject(new PluginError('CAPABILITY_DENIED', `'${instance}' may not use ${capability}. A unit test grants it through the options of runPlugin or testContext.`));

  const ctx: PluginContext<Config> = {
    instance,
    config: frozenJson(options.config),
    callId,
    attemptKey: `attempt-${callId}`,
    now,
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    async sleep(ms) {
      if (!(ms >= 0 && ms <= BOUNDS.sleepMaxMs)) throw new PluginError('CAPABILITY_ARGUMENT', `'sleep' takes 0 to ${BOUNDS.sleepMaxMs} milliseconds.`);
    },
    kv: options.kv === undefined ? { get: () => denied('kv'), set: () => denied('kv'), delete: () => denied('kv'), list: () => denied('kv') } : kv.client,
    tool: {
      async call(name, args) {
        const tool = tools !== undefined && Object.hasOwn(tools, name) ? tools[name] : undefined;
        if (tool === undefined) return await denied(`tool.call for '${name}'`);
        try {
          return asJson(await tool(asJson(args)));
        } catch (error) {
          throw new PluginError('TOOL_FAILED', `The tool '${name}' failed: ${(error instanceof Error ? error.message : String(error)).slice(0, BOUNDS.toolFailureText)}`);
        }
      },
    },
    message: {
      async list(conversation, { after, limit = BOUNDS.messageListItems } = {}) {
        if (messages === undefined) return await denied('message.read');
        const all = messages[conversation] ?? [];
        const items = all.slice(after === undefined ? 0 : all.findIndex((item) => item.id === after) + 1).slice(0, limit);
        return asJson({ items, cursor: items.at(-1)?.id ?? null });
      },
      send: (message) => outbox.send(asJson(message)),
    },
    reply: {
      async delta(text) {
        world.deltas.push(asJson(text));
        return options.streams ?? false;
      },
    },
    http: { fetch: async (url, init = {}) => (fetch === undefined ? await denied('http.fetch') : asJson(await fetch(url, asJson(init)))) },
  };
  return {
    ctx,
    logs: world.logs,
    sent: world.sent,
    deltas: world.deltas,
    kv: () => Object.fromEntries([...world.store].map(([key, json]) => [key, parseJson(json)])),
    commit: () => {
      kv.commit();
      outbox.commit();
    },
  };
}

/** Only JSON crosses between plugin and host: what it cannot say is lost here as it is there. */
export const asJson = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value));

/** A plugin without a configuration sees an empty one, as with the host. */
const frozenJson = <Config>(config?: Config): Config => JSON.parse(JSON.stringify(config ?? {}), (_key, value: unknown) => Object.freeze(value));

const parseJson = (json: string): JsonValue => JSON.parse(json);
