// `ctx`, the second argument of every handler: all that plugin code can reach outside its own sandbox. The host builds it, one per call.
import type { ConversationItem } from '../schemas/message.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** One page of a list. Pass `cursor` back as `after` for the next page; null when nothing follows. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly cursor: string | null;
}

/**
 * What a handler works with during one call.
 *
 * Every client is always there. A call to one that the operator did not grant rejects with code `CAPABILITY_DENIED`, and the host records it.
 * Host calls are served only while their handler runs: await them. After it has returned they reject with `CALL_OVER`.
 * A handler may have 64 host calls waiting at once and make 2,000 in all. Its wall clock (`limits.wallMsPerCall`, 2,000 ms by default) pauses while it waits for them, up to four times that limit.
 *
 * @typeParam Config the plugin's own configuration, as its `config` schema in plugin.json allows it.
 */
export interface PluginContext<Config = JsonObject> {
  /** The running instance: two bots of one plugin are two instances. */
  readonly instance: string;
  /** What the operator wrote under `config`, held against the schema in plugin.json, with its defaults filled in. Frozen. */
  readonly config: Config;
  /** Unique for this call. */
  readonly callId: string;
  /** The same for every attempt at the same work: handlers run at least once, so use it as an idempotency key. */
  readonly attemptKey: string;
  /** When the call began, in milliseconds since the epoch. `Date.now()` and `new Date()` say the same; time stands still within a call. */
  readonly now: number;
  /** Lines for the operator: text up to 2 KiB with its fields, 100 lines a second; more is dropped and counted. Needs no grant. */
  readonly log: Logger;
  /** Resolves after `ms` milliseconds, from 10 to 10,000; shorter waits are rounded up. Needs no grant. */
  sleep(ms: number): Promise<void>;
  readonly http: HttpClient;
  readonly kv: KvClient;
  readonly message: MessageClient;
  readonly tool: ToolClient;
  readonly reply: ReplyClient;
}

/** Constant text, data in `fields`: `ctx.log.info('feed read', { items: 12 })`. Never log message text or credentials. */
export interface Logger {
  debug(text: string, fields?: JsonObject): void;
  info(text: string, fields?: JsonObject): void;
  warn(text: string, fields?: JsonObject): void;
  error(text: string, fields?: JsonObject): void;
}

/** Values that outlive the sandbox, private to this instance. Capability `kv`. */
export interface KvClient {
  /** The value, or null when there is none. Sees what this call has written. */
  get(key: string): Promise<JsonValue>;
  /**
   * Keeps `value`. Writes are committed together with the result of the handler: if it throws or is cut off, none of them happened.
   *
   * A key has 1 to 512 bytes and no control characters, a value at most 64 KiB of JSON (`CAPABILITY_ARGUMENT`);
   * keys and values together stay within the granted `quotaBytes` (`KV_QUOTA`).
   */
  set(key: string, value: JsonValue): Promise<void>;
  /** Removes the key; nothing happens when there is none. */
  delete(key: string): Promise<void>;
  /** Keys in byte order, those after `after`. `limit` is 1 to 100, default 100; a page holds at most 128 KiB. */
  list(options?: { readonly prefix?: string; readonly after?: string; readonly limit?: number }): Promise<Page<{ readonly key: string; readonly value: JsonValue }>>;
}

export interface MessageClient {
  /**
   * Reads a conversation of this instance, oldest first, both directions; `after` is a message id. Capability `message.read`.
   * A message is there once its turn is over (answered, unanswered or given up), with its replies after it; the message being answered is not.
   * `limit` is 1 to 100, default 100; a page holds at most 128 KiB of text. `cursor` is the id of the last item, or null when there was none.
   */
  list(conversation: string, options?: { readonly after?: string; readonly limit?: number }): Promise<Page<ConversationItem>>;
  /**
   * Writes to a conversation of a channel instance that the grant names. Capability `message.send`. To answer a message, return replies from `respond`
   * instead: that needs no grant.
   *
   * Resolves, once the gates have let it pass, with the id the message will have. It is sent together with the result of the handler: if that throws or
   * is cut off, or the message it works on is refused, nothing is sent; however often it is tried, it is sent once. The host says who sent it.
   *
   * Rejects with `MESSAGE_TARGET` (no channel of that name, or one that only receives), `REPLY_DENIED` (a gate refused it; the message says why),
   * `GATE_UNAVAILABLE`, `GATE_TIMEOUT`, `GATE_FAILED` (no verdict now), `LANE_FULL`, `HOST_BUSY` (too many messages wait), `QUOTA_EXCEEDED` (16 in one
   * call, or the grant's quota), `MESSAGE_HOPS` (plugins answer each other: more than 4 sends in a row), `MESSAGE_UNKEPT` (from an observer).
   */
  send(message: { readonly instance: string; readonly conversation: string; readonly text: string }): Promise<{ readonly messageId: string }>;
}

/** The reply that a skill is about to give, while it comes into being. Needs no grant: a skill may answer anyway. */
export interface ReplyClient {
  /**
   * Shows what comes next of the first reply that `respond` will return, to people on channels that can show it. At most 16 KiB at once and 64 KiB in all; the
   * host gathers pieces and shows them every 50 ms, so hand over what you have, but mind that a call has 2,000 host calls.
   *
   * Resolves with whether anybody sees it; with false, stop asking. Nobody does outside of `respond`, on a channel without the ability `stream`, where gates
   * judge what leaves, and after a piece had to be left out. What is shown is never stored and never counts: return the whole text all the same.
   */
  delta(text: string): Promise<boolean>;
}

/** Capability `tool.call`. */
export interface ToolClient {
  /**
   * Calls a tool by its address, `<plugin id>/<tool>`, and resolves to its result.
   *
   * Rejects with `TOOL_UNKNOWN` (nobody offers it now), `TOOL_ARGUMENT` (it does not take these arguments), `TOOL_FAILED` (it said no;
   * the message carries up to 200 characters of why), `TOOL_DEPTH` (more than 4 tools calling each other), `QUOTA_EXCEEDED`.
   */
  call(name: string, args: JsonValue): Promise<JsonValue>;
}

/** Capability `http.fetch`: https to the granted origins and methods only, performed by the host. */
export interface HttpClient {
  /**
   * Sends a request and resolves for every status. Within 10 s, redirects included, after waiting for a turn at most as long: four at once for each instance.
   * Up to 3 redirects are followed, each judged like the first request; at another origin neither secrets nor credentials of yours go along.
   *
   * Rejects with `CAPABILITY_DENIED` (origin or method not granted), `CAPABILITY_ARGUMENT`, `EGRESS_DENIED` (a header, body, redirect or address that is refused; says which),
   * `EGRESS_FAILED` (no name, connection, TLS or HTTP: one code for all), `EGRESS_TIMEOUT`, `EGRESS_TOO_LARGE`, `EGRESS_RESPONSE` (an answer that cannot be used),
   * `EGRESS_BUSY` (too many wait), `QUOTA_EXCEEDED`, `SECRET_LEAK` (the answer held one of your secrets).
   */
  fetch(url: string, init?: FetchInit): Promise<FetchResponse>;
}

export interface FetchInit {
  /** Default `GET`. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Lines of visible ASCII, at most 64 with 8 KiB together. Not yours are `host`, `cookie`, `accept-encoding`, what frames the message or speaks for a proxy, and what a secret writes. */
  readonly headers?: Readonly<Record<string, string>>;
  /** At most 64 KiB of UTF-8. Not with `GET` and `HEAD`. */
  readonly body?: string;
  /** Handles of granted secrets (`secret.use`) to put into this request. The plugin never sees their values. */
  readonly secrets?: readonly string[];
}

export interface FetchResponse {
  readonly status: number;
  /** Lower-case names, repeated ones joined with `, `. Without `set-cookie`, and without what speaks of the connection or the encoding. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed text, at most 256 KiB; what is not UTF-8 is replaced. */
  readonly body: string;
}
