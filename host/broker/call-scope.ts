// What one plugin call has written and sent so far: reads see it, a failed call drops it, a finished one hands it to the commit of its stage.
import { hash } from 'node:crypto';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { Resource } from '../../schemas/costs.ts';
import { GatehouseError } from '../errors.ts';
import type { Turn } from '../store/fair-turns.ts';
import type { MessageRow } from '../store/tables.ts';
import type { Account, Spending } from './meter.ts';
import type { Doing } from '../tracing.ts';

/** A kv entry to be written, or null for a deletion. */
export type KvWrite = { readonly value: unknown; readonly sizeBytes: number } | null;

export interface CallScopeOptions {
  /** The same for every attempt at the same work; empty for calls that are never tried again. Default empty. */
  readonly attemptKey?: string;
  /** The scope of the call that this one is made for. */
  readonly parent?: CallScope;
  /** Sends of plugins that led to the message it is made for. Default: the parent's, else 0. */
  readonly hops?: number;
  /** For whom the call is made, when it has to wait. */
  readonly turn?: Turn | undefined;
  /** False where nobody commits what is sent. Default: the parent's, else true. */
  readonly maySend?: boolean;
  /** Where everything is counted that is spent in the call. Not handed down: tools within it have their own. Default: nobody counts. */
  readonly account?: Account;
  /** Shows what comes of a reply before it is one. Not handed down: only the skill that answers may speak. */
  readonly stream?: (text: string) => boolean;
}

/** What calls of one tool cost together. */
export type ToolCost = Readonly<Required<Spending>>;

/** Keys of nested calls that would grow beyond this are hashed; the frame to the child has room for 200. */
const LONGEST_KEY = 160;

/**
 * Opened before a call and closed after it; tools called from it write into scopes of their own that fold into it. `close` ends what the plugin
 * can do and keeps what it wrote; `release` gives back its reservations. After either, a latecomer's write is refused with CALL_OVER.
 */
export class CallScope {
  readonly callId: string;
  readonly attemptKey: string;
  /** Calls around this one. */
  readonly depth: number;
  readonly hops: number;
  readonly turn: Turn | undefined;
  readonly maySend: boolean;
  readonly stream: ((text: string) => boolean) | undefined;
  /** What this call is a part of: whatever it asks for is done, and logged, as that. */
  doing: Doing | undefined;
  /** instance → key → write; what the scopes around this one wrote is not in here. */
  readonly writes = new Map<string, Map<string, KvWrite>>();
  /** Messages to be stored and delivered; emptied by the commit that stores them. */
  readonly sends: MessageRow[] = [];
  /** Requests made so far, held against BOUNDS.hostCallsTotalPerCall. */
  requests = 0;
  /** What requests to the host have cost so far. */
  hostCalls = 0;
  egressBytes = 0;
  kvBytes = 0;
  /** A tool it called was not there, or lost the call through no fault of its own: when this call then fails, that says nothing about it. */
  toolWasAway = false;
  /** What tools cost that were called within, by instance; the outermost call holds those of all. */
  #tools: Map<string, ToolCost> | undefined;
  readonly #account: Account | undefined;
  readonly #parent: CallScope | undefined;
  #open = true;
  #nestedCalls = 0;
  #sendsAsked = 0;
  readonly #ends: (() => void)[] = [];
  readonly #releases: (() => void)[] = [];

  constructor(callId: string, { attemptKey = '', parent, hops = parent?.hops ?? 0, maySend = parent?.maySend ?? true, turn = parent?.turn, stream, account }: CallScopeOptions = {}) {
    this.callId = callId;
    this.attemptKey = attemptKey;
    this.depth = parent ? parent.depth + 1 : 0;
    this.hops = hops;
    this.turn = turn;
    this.maySend = maySend;
    this.stream = stream;
    this.#account = account;
    this.#parent = parent;
  }

  get open(): boolean {
    return this.#open;
  }

  /** The message that all of it is done for, or a name of its own where there is none. */
  get subject(): string {
    if (this.#parent) return this.#parent.subject;
    const end = this.attemptKey.indexOf('/');
    return (end === -1 ? this.attemptKey : this.attemptKey.slice(0, end)) || this.callId;
  }

  get tools(): ReadonlyMap<string, ToolCost> {
    return this.#tools ?? NO_TOOLS;
  }

  /** Asked again whenever something is about to be spent: others of this call may have spent it since the broker asked. Throws BUDGET_EXCEEDED. */
  hold(resource: Resource): void {
    this.#account?.hold(resource);
  }

  spend(spending: Spending): void {
    this.hostCalls += spending.hostCalls ?? 0;
    this.egressBytes += spending.egressBytes ?? 0;
    this.kvBytes += spending.kvBytes ?? 0;
    this.#account?.spend(spending);
  }

  /** A tool that was called within has ended. */
  countTool(instance: string, cost: Omit<ToolCost, 'calls'>): void {
    if (this.#parent) {
      this.#parent.countTool(instance, cost);
      return;
    }
    this.#tools ??= new Map();
    const { calls, wallMs, cpuUs, hostCalls, egressBytes, kvBytes } = this.#tools.get(instance) ?? { calls: 0, wallMs: 0, cpuUs: 0, hostCalls: 0, egressBytes: 0, kvBytes: 0 };
    this.#tools.set(instance, { calls: calls + 1, wallMs: wallMs + cost.wallMs, cpuUs: cpuUs + cost.cpuUs, hostCalls: hostCalls + cost.hostCalls, egressBytes: egressBytes + cost.egressBytes, kvBytes: kvBytes + cost.kvBytes });
  }

  get hasWrites(): boolean {
    return this.writes.size > 0 || this.sends.length > 0;
  }

  /** The latest write of this call or of those around it; undefined when the store has the say. */
  read(instance: string, key: string): KvWrite | undefined {
    const own = this.writes.get(instance)?.get(key);
    return own === undefined ? this.#parent?.read(instance, key) : own;
  }

  /** Every write to this instance's keys that `read` would find. */
  visible(instance: string): ReadonlyMap<string, KvWrite> {
    const own = this.writes.get(instance) ?? NONE;
    return this.#parent ? new Map([...this.#parent.visible(instance), ...own]) : own;
  }

  write(instance: string, key: string, value: KvWrite): void {
    if (!this.#open) throw new GatehouseError('CALL_OVER');
    let own = this.writes.get(instance);
    if (!own) this.writes.set(instance, (own = new Map()));
    own.set(key, value);
  }

  /** Counts one more message to be sent; false beyond BOUNDS.sendsPerCall. The outermost call counts for all that are made within it. */
  maySendOneMore(): boolean {
    if (this.#parent) return this.#parent.maySendOneMore();
    this.#sendsAsked += 1;
    return this.#sendsAsked <= BOUNDS.sendsPerCall;
  }

  send(message: MessageRow): void {
    if (!this.#open) throw new GatehouseError('CALL_OVER');
    this.sends.push(message);
  }

  /** What was sent is not to be: the message it belongs to was refused or seen before. kv writes stay. */
  unsend(): void {
    this.sends.length = 0;
  }

  /** Runs when no request is served for this call any more, or at once when that is past; ends what still works for it. */
  onClose(end: () => void): void {
    if (this.#open) this.#ends.push(end);
    else end();
  }

  /** Runs when the scope is dropped or its writes are committed, or at once when that is past; gives back quota reservations. */
  onRelease(release: () => void): void {
    if (this.#open) this.#releases.push(release);
    else release();
  }

  /** Takes over what a finished nested call wrote and sent. */
  absorb(nested: CallScope): void {
    if (!this.#open) {
      nested.release();
      throw new GatehouseError('CALL_OVER');
    }
    for (const [instance, writes] of nested.writes) for (const [key, value] of writes) this.write(instance, key, value);
    this.sends.push(...nested.sends);
    this.onRelease(() => nested.release());
  }

  /**
   * The attempt key of the next call made for this one. Counted, so that the same call made again gives those within it the same keys; with the caller's
   * name, because several plugins work on one message and each of their calls has its key.
   */
  nextKey(caller: string): string {
    this.#nestedCalls += 1;
    const key = `${this.attemptKey || this.callId}/${caller}/${this.#nestedCalls}`;
    return key.length <= LONGEST_KEY ? key : hash('sha256', key, 'hex');
  }

  /** No request is served for this call any more. */
  close(): void {
    this.#open = false;
    for (const end of this.#ends.splice(0)) end();
  }

  release(): void {
    this.close();
    for (const release of this.#releases.splice(0)) release();
  }
}

const NONE: ReadonlyMap<string, KvWrite> = new Map();
const NO_TOOLS: ReadonlyMap<string, ToolCost> = new Map();
