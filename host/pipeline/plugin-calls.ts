// One call into a plugin with a broker scope around it. Every stage and every tool call goes through here.
import type { Broker } from '../broker/broker.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { ActiveTool } from '../capabilities/tool-call.ts';
import type { Turn } from '../store/fair-turns.ts';
import type { CallFailure, CallResult, PluginCall } from '../sandbox/sandbox.ts';

/** The supervisor's half: finds the sandbox of an instance, waits at most `waitMs` while it restarts. */
export type CallInstance = (instance: string, call: PluginCall, options: { readonly waitMs: number }) => Promise<CallResult>;

/** Ends a call that is under way with CALL_CANCELLED; one that has ended stays as it is. */
export type CancelCall = (calling: Calling, problem: string) => void;

export interface Calling {
  readonly instance: string;
  readonly callId: string;
}

export interface ScopedResult {
  readonly result: CallResult;
  /** What the call wrote; the caller commits it or releases it. Released already when the call failed. */
  readonly scope: CallScope;
}

export interface CallOptions {
  readonly attemptKey: string;
  /** How long to wait for an instance that is restarting; 0 answers INSTANCE_UNAVAILABLE at once. */
  readonly waitMs: number;
  /** The call it is made for, when a plugin calls a tool or sends a message that gates judge. */
  readonly parent?: CallScope;
  /** Hops of the message it is made for. */
  readonly hops?: number | undefined;
  /** For whom it is made: calls that wait for a place take turns among them. Default: as the parent's. */
  readonly turn?: Turn;
  /** False for calls whose sends nobody commits. */
  readonly maySend?: boolean;
  /** Takes what a skill shows of its reply before it is one. */
  readonly stream?: (text: string) => boolean;
  /** Less wall time than the instance has. */
  readonly wallMs?: number;
  /** A sandbox that does not take the calls of the instance: not yet, or not any more. */
  readonly through?: (call: PluginCall) => Promise<CallResult>;
  /** Shows the call while it is under way, so that it can be cancelled. */
  readonly caller?: { calling?: Calling | undefined };
}

/** How long a tool's caller waits for a tool that is restarting. */
const TOOL_WAIT_MS = 2000;

export class PluginCalls {
  readonly #broker: Broker;
  readonly #callInstance: CallInstance;
  readonly #cancelCall: CancelCall;
  #calls = 0;

  constructor(broker: Broker, callInstance: CallInstance, cancelCall: CancelCall = () => undefined) {
    this.#broker = broker;
    this.#callInstance = callInstance;
    this.#cancelCall = cancelCall;
  }

  async call(instance: string, handler: string, input: unknown, { attemptKey, waitMs, parent, hops, maySend, stream, wallMs, turn, through, caller }: CallOptions): Promise<ScopedResult> {
    const scope = this.#broker.open(`call-${++this.#calls}`, { attemptKey, ...(parent && { parent }), ...(hops !== undefined && { hops }), ...(maySend !== undefined && { maySend }), ...(turn && { turn }), ...(stream && { stream }) });
    let worked = false;
    if (caller) caller.calling = { instance, callId: scope.callId };
    try {
      const call: PluginCall = { handler, input, callId: scope.callId, attemptKey, ...(scope.turn && { turn: scope.turn }), ...(wallMs !== undefined && { wallMs }) };
      const result = await (through ? through(call) : this.#callInstance(instance, call, { waitMs }));
      worked = result.ok;
      return { result, scope };
    } finally {
      if (caller) caller.calling = undefined;
      this.#broker.close(scope);
      if (!worked) scope.release();
    }
  }

  /** Ends a call that is under way: it fails with CALL_CANCELLED, and nothing it wrote is kept. */
  cancel(calling: Calling, problem: string): void {
    this.#cancelCall(calling, problem);
  }

  /** Calls a tool on behalf of another call, one level deeper. */
  callTool(tool: ActiveTool, args: unknown, parent: CallScope, attemptKey: string): Promise<ScopedResult> {
    return this.call(tool.instance, 'call', { tool: tool.name, arguments: args }, { attemptKey, waitMs: TOOL_WAIT_MS, parent });
  }
}

/** Failures that say nothing about the work: the instance was not there, or gone before it began. */
export function isAway(code: CallFailure): boolean {
  return code === 'INSTANCE_UNAVAILABLE' || code === 'INSTANCE_BUSY' || code === 'CALL_CANCELLED';
}
