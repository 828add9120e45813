// What the core tells the world about itself, on node:diagnostics_channel. Metrics, logs and event streams subscribe; the core never waits for them.
import { channel } from 'node:diagnostics_channel';
import type { DeliveryFailure, Diagnostic, PluginState, ReloadChange } from '../schemas/control.ts';
import type { Resource } from '../schemas/costs.ts';
import type { Outcome } from '../schemas/message.ts';
import type { ScanFinding } from '../schemas/scan.ts';

/** Every event: its name and its fields. Never message text, secrets or raw payloads. */
export interface Events {
  'plugin.state': { instance: string; plugin: string; from: PluginState; to: PluginState; actor: string; reason: string; code?: string };
  'plugin.degraded': { diagnostic: Diagnostic };
  /** The package on disk is no longer what runs. */
  'plugin.drift': { instance: string; problem: string; expected: string; actual: string | null };
  /** The bytes of a package were looked through; `isBig` ones in a process of their own, while the host went on. */
  'scan.ended': { plugin: string; version: string; packageDigest: string; isBig: boolean; durationMs: number };
  /** What runs may run no more, by the scan of its package. */
  'scan.blocked': { instance: string; packageDigest: string; rules: string; findings: readonly ScanFinding[] };
  /** A look at the home while the host runs: what took effect, and what stands there and did not. */
  'reload.judged': { changes: readonly ReloadChange[]; refused: readonly Diagnostic[]; durationMs: number };
  'plugin.strike': { instance: string; plugin: string; cause: string; strikes: number };
  /** A sandbox is to be started again after `delayMs`, because of `reason`. */
  'plugin.restarted': { instance: string; restarts: number; delayMs: number; reason: string };
  /** A channel was asked how it does. `failures`: in a row, this one included. */
  'channel.probed': { instance: string; result: 'ok' | 'failed' | 'late'; failures: number; durationMs: number };
  'plugin.log': { instance: string; plugin: string; level: 'debug' | 'info' | 'warn' | 'error'; text: string; fields?: Record<string, unknown>; dropped?: number };
  'plugin.call': { instance: string; handler: string; ok: boolean; code?: string; cpuUs: number; wallMs: number };
  /** A daily budget is nearly or wholly spent; told once a day for each. */
  'budget.reached': { instance: string; resource: Resource; level: 'warned' | 'exceeded'; spent: number; most: number };
  /** A call or a request of plugin code that a budget refused. */
  'budget.refused': { instance: string; period: 'day' | 'message'; resource: Resource };
  'capability.denied': { instance: string; capability: string; code: string; value?: string };
  /** What came to a channel and could not be read; its source was told. Never anything of what it brought. */
  'channel.unread': { instance: string; kind: 'http' | 'open' | 'frame' | 'close'; code: string; failure: 'retry' | 'terminal' | 'crash' };
  /** A request that a channel's route did not believe. Never anything of what it brought. */
  'ingress.refused': { instance: string; route: string; scheme: string; cause: string; /** What the channel says of its doubt. */ reason?: string };
  /** A text was changed on its way out, or refused for a link: words of a fixed set, never any of it. */
  'text.sanitized': { instance: string; dialect: string; changes: readonly string[] };
  /** One hop of a fetch. `cause` is what the plugin is not told. Never path, query or headers. */
  'egress.request': { instance: string; method: string; origin: string; status?: number; code?: string; cause?: string; bytes: number; durationMs: number };
  'secret.leaked': { instance: string; plugin: string; origin: string; handle: string; where: 'status' | 'headers' | 'body'; /** Whether the plugin would have had the answer. */ isRead: boolean };
  'message.outcome': { messageId: string; instance: string; direction: 'inbound' | 'outbound'; outcome: Outcome; /** Outbound: the host's id of the message it answers. */ answers?: string; code?: string; durationMs?: number };
  /** What one gate came to on one message. `code` where it let nothing pass for want of a verdict, `failure` where it was asked and gave none. */
  'gate.verdict': { instance: string; direction: 'inbound' | 'outbound'; effect: string; code?: string; failure?: string };
  /** Files of a message, when policy has them stored: kept, or why not. */
  'media.taken': { instance: string; files: number; result: string };
  /** Somebody asked to be let in, and was told a code. `id` is of the pairing; never who. */
  'pairing.requested': { id: string; instance: string };
  'pairing.decided': { id: string; instance: string; state: 'approved' | 'denied' | 'revoked'; actor: string };
  'message.stage': { messageId: string; stage: string; decision: string; durationMs: number; instance?: string };
  /** Where to write to a session or a person: the latest place, an earlier one, none that is good any more, none at all. */
  'route.resolved': { result: 'hit' | 'fallback' | 'stale' | 'unknown' };
  /** One try at the remote, of a message or a piece of one. */
  'delivery.tried': { messageId: string; instance: string; result: 'sent' | DeliveryFailure };
  'dead-letter.created': { id: string; messageId: string; instance: string; stage: string; code: string };
  /** A run was told to end without an answer. */
  'lane.interrupted': { instance: string; messageId: string; why: 'newer' | 'stopped' | 'stuck' };
  /** A run that made no step for too long; `action`: what the host did, and `none` where its answer is being stored. */
  'lane.stuck': { instance: string; messageId: string; step: string; idleMs: number; action: 'cancelled' | 'none' };
  /** It is over, and its lane goes on: it ended when it was told to, or was given up, or ended after all. */
  'lane.freed': { instance: string; messageId: string; how: 'cancelled' | 'given up' | 'by itself'; afterMs: number };
  'sandbox.started': { instance: string; pid: number; level: string; startMs: number };
  'sandbox.ended': { instance: string; pid: number; cause: string };
  'sandbox.late-rejection': { instance: string; message: string };
  /** `copy`: where the store is as it was before. */
  'store.unreadable': { table: string };
  'store.migrated': { from: number; to: number; copy: string };
  'store.commit': { rows: number; durationMs: number; outcome: 'committed' | 'conflict' | 'failed' };
  /** Entries of the transparency log that one commit wrote, or could not. `size`: of the whole log since. */
  'audit.written': { entries: number; size: number; outcome: 'written' | 'failed'; durationMs: number };
  /** A pass over what is over and old. */
  'retention.swept': { messages: number; sessions: number; durationMs: number };
  'pressure.changed': { from: string; to: string; ratio: number; queue: string };
  /** Of the host's own workers. `problem` is the message of an error of ours. */
  'worker.pass': { worker: string; ok: boolean; durationMs: number };
  'worker.failed': { worker: string; problem: string; /** In a row. */ failures: number };
  'worker.stuck': { worker: string; deadlineMs: number };
  'worker.degraded': { worker: string; problem: string };
  'worker.recovered': { worker: string };
  /** A request to the control plane, without sockets and streams. `route`: its pattern, or `unknown`. */
  'http.began': { route: string; method: string };
  'http.request': { route: string; method: string; status: number; durationMs: number };
  /** Streams of events that are open now. */
  'http.stream': { open: number };
  /** Somebody was not let in. `locksOut`: with this, its address is shut out for a while. */
  'auth.refused': { why: 'missing' | 'wrong' | 'locked-out'; locksOut: boolean };
  'host.ready': { address: string };
  'host.stopping': { reason: string };
}

export type EventName = keyof Events;

const channels = new Map<EventName, ReturnType<typeof channel>>();

function channelOf(name: EventName) {
  let found = channels.get(name);
  if (!found) channels.set(name, (found = channel(`gatehouse.${name}`)));
  return found;
}

/** Whether anyone listens; ask before building fields on a hot path. */
export function hasListeners(name: EventName): boolean {
  return channelOf(name).hasSubscribers;
}

/** Tells every listener at once. A listener that throws never harms the publisher (diagnostics_channel reports it as an uncaught error, so listeners must not). */
export function publish<N extends EventName>(name: N, fields: Events[N]): void {
  const target = channelOf(name);
  if (target.hasSubscribers) target.publish(fields);
}

/** Listens until the returned function is called. */
export function subscribe<N extends EventName>(name: N, listener: (fields: Events[N]) => void): () => void {
  const target = channelOf(name);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `publish` is the only writer of these channels, and typed
  const handle = (fields: unknown) => listener(fields as Events[N]);
  target.subscribe(handle);
  return () => {
    target.unsubscribe(handle);
  };
}
