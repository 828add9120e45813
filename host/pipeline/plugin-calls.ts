// One call into a plugin with a broker scope around it. Every stage and every tool call goes through here.
import type { Broker } from '../broker/broker.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { NO_METER, type Account, type Meter } from '../broker/meter.ts';
import type { ActiveTool } from '../capabilities/tool-call.ts';
import type { Turn } from '../store/fair-turns.ts';
import { doing } from '../tracing.ts';
import type { CallResult, PluginCall } from '../sandbox/sandbox.ts';

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

/** A call that threw: nothing is known of what it cost. */
const LOST = { ok: false, code: 'INTERNAL', cpuUs: 0, wallMs: 0 } as const;

/** How long a tool's caller waits for a tool that is restarting. */
const TOOL_WAIT_MS = 2000;

export class PluginCalls {
  readonly #broker: Broker;
  readonly #callInstance: CallInstance;
  readonly #cancelCall: CancelCall;
  readonly #meter: Meter;
  #calls = 0;

  constructor(broker: Broker, callInstance: CallInstance, cancelCall: CancelCall = () => undefined, meter: Meter = NO_METER) {
    this.#broker = broker;
    this.#callInstance = callInstance;
    this.#cancelCall = cancelCall;
    this.#meter = meter;
  }

  async call(instance: string, handler: string, input: unknown, { attemptKey, waitMs, parent, hops, maySend, stream, wallMs, turn, through, caller }: CallOptions): Promise<ScopedResult> {
    const account: Account = { spend: (spending) => this.#meter.spend(instance, scope.subject, spending), hold: (...resources) => this.#meter.hold(instance, scope.subject, resources) };
    const scope = this.#broker.open(`call-${++this.#calls}`, { attemptKey, account, ...(parent && { parent }), ...(hops !== undefined && { hops }), ...(maySend !== undefined && { maySend }), ...(turn && { turn }), ...(stream && { stream }) });
    let result: CallResult | undefined;
    const around = doing();
    const span = around?.span?.child(`${handler} ${instance}`, 'client', { 'rpc.system': 'gatehouse', 'rpc.method': handler, 'gatehouse.instance': instance });
    // What the plugin asks for and says comes through its pipe, in nobody's name but that of the call.
    scope.doing = { ...around, callId: scope.callId, ...(span && { span }) };
    const refusal = this.#meter.begin(instance, scope.subject);
    if (caller) caller.calling = { instance, callId: scope.callId };
    try {
      if (refusal) return { result: (result = { ok: false, code: 'BUDGET_EXCEEDED', message: refusal.message, retry: false, cpuUs: 0, wallMs: 0 }), scope };
      const call: PluginCall = { handler, input, callId: scope.callId, attemptKey, ...(scope.turn && { turn: scope.turn }), ...(wallMs !== undefined && { wallMs }) };
      result = await (through ? through(call) : this.#callInstance(instance, call, { waitMs }));
      span?.set({ 'gatehouse.cpu_us': result.cpuUs });
      return { result, scope };
    } finally {
      if (caller) caller.calling = undefined;
      span?.end(result ? (result.ok ? undefined : result.code) : 'INTERNAL');
      this.#broker.close(scope);
      if (!result?.ok) scope.release();
      if (!refusal) this.#meter.end(instance, scope.subject, result ?? LOST);
    }
  }

  /** Ends a call that is under way: it fails with CALL_CANCELLED, and nothing it wrote is kept. */
  cancel(calling: Calling, problem: string): void {
    this.#cancelCall(calling, problem);
  }

  /** Calls a tool on behalf of another call, one level deeper. */
  async callTool(tool: ActiveTool, args: unknown, parent: CallScope, attemptKey: string): Promise<ScopedResult> {
    const called = await this.call(tool.instance, 'call', { tool: tool.name, arguments: args }, { attemptKey, waitMs: TOOL_WAIT_MS, parent });
    const { result, scope } = called;
    this.#meter.tool(tool.address, result);
    parent.countTool(tool.instance, { cpuUs: result.cpuUs, wallMs: result.wallMs, hostCalls: scope.hostCalls, egressBytes: scope.egressBytes, kvBytes: scope.kvBytes });
    return called;
  }
}
