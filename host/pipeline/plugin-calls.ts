// One call into a plugin with a broker scope around it. Every stage and every tool call goes through here.
import type { Broker } from '../broker/broker.ts';
import type { CallScope } from '../broker/call-scope.ts';
import type { CallResult, PluginCall } from '../sandbox/sandbox.ts';

/** The supervisor's half: finds the sandbox of an instance, waits at most `waitMs` while it restarts. */
export type CallInstance = (instance: string, call: PluginCall, options: { readonly waitMs: number }) => Promise<CallResult>;

export interface ScopedResult {
  readonly result: CallResult;
  /** What the call wrote; the caller commits it or releases it. Released already when the call failed. */
  readonly scope: CallScope;
}

export interface CallOptions {
  readonly attemptKey: string;
  /** How long to wait for an instance that is restarting; 0 answers INSTANCE_UNAVAILABLE at once. */
  readonly waitMs: number;
  /** Tools deep, for calls made by tools. */
  readonly depth?: number;
}

export class PluginCalls {
  readonly #broker: Broker;
  readonly #callInstance: CallInstance;
  #calls = 0;

  constructor(broker: Broker, callInstance: CallInstance) {
    this.#broker = broker;
    this.#callInstance = callInstance;
  }

  async call(instance: string, handler: string, input: unknown, { attemptKey, waitMs, depth = 0 }: CallOptions): Promise<ScopedResult> {
    const scope = this.#broker.open(`call-${++this.#calls}`, depth);
    const result = await this.#callInstance(instance, { handler, input, callId: scope.callId, attemptKey }, { waitMs });
    this.#broker.close(scope);
    if (!result.ok) scope.release();
    return { result, scope };
  }
}
