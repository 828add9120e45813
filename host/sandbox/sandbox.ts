// The sandbox contract: one process, one isolate, one plugin instance. `sandbox-process.ts` implements it; the supervisor is its only user.
import type { Ability } from '../../schemas/abilities.ts';
import type { PluginKind } from '../../schemas/plugin-manifest.ts';
import type { Turn } from '../store/fair-turns.ts';

export interface SandboxLimits {
  readonly heapMb: number;
  readonly cpuMsPerCall: number;
  readonly wallMsPerCall: number;
  readonly concurrency: number;
}

/** Everything a sandbox needs to run one instance; `source` is the verified text of plugin.js. */
export interface SandboxSpec {
  readonly instance: string;
  readonly plugin: string;
  readonly kind: PluginKind;
  /** Of a channel: what its manifest declares. */
  readonly abilities?: readonly Ability[];
  readonly source: string;
  readonly config: unknown;
  readonly limits: SandboxLimits;
  readonly jitless: boolean;
}

export interface PluginCall {
  /** `respond`, `evaluate`, `call`, or an ability of a channel. */
  readonly handler: string;
  /** A JSON value; already bounded by the caller. */
  readonly input: unknown;
  /** Unique per call; what the broker knows the call by. */
  readonly callId: string;
  /** Stable across retries of the same work. */
  readonly attemptKey: string;
  /** For whom it is made: calls that wait for a place take turns among them. */
  readonly turn?: Turn;
  /** Where this call gets less wall time than the instance's `wallMsPerCall`. */
  readonly wallMs?: number;
}

/**
 * How a call ended. `cpuUs` is process CPU as the child reports it. Only `ok: false` with `retry` may be tried again without blaming the plugin for this call.
 * `message` is for people; of CALL_FAILED it is what the plugin threw, at most 600 characters. `errorCode` is the `code` of the thrown error, if it had one; `terminal`: it said `retry: false`.
 */
export type CallResult =
  | { readonly ok: true; readonly value: unknown; readonly cpuUs: number; readonly wallMs: number }
  | { readonly ok: false; readonly code: CallFailure; readonly message: string; readonly retry: boolean; readonly errorCode?: string; readonly terminal?: true; readonly cpuUs: number; readonly wallMs: number };

export type FailedCall = Extract<CallResult, { ok: false }>;

/** Whether the call failed for reasons that lie neither in the plugin nor in the work: it was not there, or its sandbox ended under it. A call that was too slow is not among them. */
export function isLost(result: FailedCall): boolean {
  return result.retry && result.code !== 'CALL_TIMEOUT';
}

/** `retry`: another try may work. `terminal`: it would fail the same way. `crash`: the call broke its sandbox, or used up what one may use. */
export type FailureClass = 'retry' | 'terminal' | 'crash';

/** The one judgement of a failed handler, whichever it was. */
export function failureClassOf({ code, retry, terminal }: Pick<FailedCall, 'code' | 'retry' | 'terminal'>): FailureClass {
  switch (code) {
    case 'CALL_FAILED':
      return terminal ? 'terminal' : 'retry';
    case 'RESULT_TOO_LARGE':
    case 'PLUGIN_HANDLER_MISSING':
      return 'terminal';
    case 'CALL_CPU':
    case 'SANDBOX_FRAME':
      return 'crash';
    case 'SANDBOX_DIED':
    case 'CALL_TIMEOUT':
      // Told apart by whose doing it was: an innocent call may be tried again, and so may one that was merely slow.
      return retry ? 'retry' : 'crash';
    case 'CALL_CANCELLED':
    case 'INSTANCE_UNAVAILABLE':
    case 'INSTANCE_BUSY':
    case 'BUDGET_EXCEEDED':
      return 'retry';
    default:
      return code satisfies never;
  }
}

/** Codes of `errors.ts` that a call can end with. */
export type CallFailure =
  | 'CALL_FAILED' | 'CALL_TIMEOUT' | 'CALL_CPU' | 'CALL_CANCELLED' | 'RESULT_TOO_LARGE' | 'SANDBOX_DIED' | 'SANDBOX_FRAME' | 'INSTANCE_UNAVAILABLE' | 'INSTANCE_BUSY' | 'BUDGET_EXCEEDED' | 'PLUGIN_HANDLER_MISSING';

/** A request of plugin code to the host, as it came through the pipe of this sandbox. */
export interface HostCall {
  readonly callId: string;
  readonly attemptKey: string;
  readonly op: string;
  readonly args: unknown;
}

/** What plugin code gets back: a JSON value, or an error it can read `code` and `message` of. */
export type HostReply = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly code: string; readonly message: string };

export interface PluginLogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  /** The call that it was written in, while the host waits for that. */
  readonly callId?: string;
  readonly fields?: Record<string, unknown>;
  /** Lines that were dropped before this one because there were too many. */
  readonly dropped?: number;
}

/** What the sandbox asks of its owner. `onHostCall` must settle; `onLog` must not throw. */
export interface SandboxHooks {
  onHostCall(call: HostCall): Promise<HostReply>;
  onLog(line: PluginLogLine): void;
}

/** Why a sandbox ended; a strike needs a cause proven in the plugin. */
export interface SandboxExit {
  readonly cause: 'cpu' | 'memory' | 'frames' | 'silence' | 'abort' | 'wall' | 'load' | 'stopped' | 'outside';
  readonly detail: string;
  readonly strike: boolean;
}

export interface Sandbox {
  readonly pid: number;
  /** Highest confinement level reached, see docs/operate.md. */
  readonly level: string;
  readonly handlers: readonly string[];
  /** Calls under way and waiting. */
  readonly pending: number;
  /** What the process occupies, as the kernel says; undefined where it does not. */
  readonly memoryBytes: number | undefined;
  /** Process CPU since the plugin began to load, as the child reports it. */
  readonly cpuUs: number;
  /** Always resolves; rejects only for an input that is not JSON. */
  call(call: PluginCall): Promise<CallResult>;
  /** Ends one call, under way or in the queue, with CALL_CANCELLED. Does nothing for one it does not have. */
  cancel(callId: string, problem: string): void;
  /** False once it takes no more calls: it is ending, or being stopped. */
  readonly accepting: boolean;
  /** Resolves as soon as it is decided that this sandbox is over; all its calls are answered then. The process may need a moment longer. */
  readonly ended: Promise<SandboxExit>;
  /** Resolves once the process is gone, for whatever reason. */
  readonly exited: Promise<SandboxExit>;
  /** Whether the isolate still takes its turn: one empty slice, in which no plugin code runs. False when it ends instead, or has not answered within `withinMs`. */
  answers(withinMs: number): Promise<boolean>;
  /** Takes no new calls and lets those it has, under way or in its queue, finish for `graceMs`; then ends the process. */
  stop(graceMs: number): Promise<void>;
}

/** Failures that say nothing about the work: the instance was not there, or gone before it began. */
export function isAway(code: CallFailure): boolean {
  return code === 'INSTANCE_UNAVAILABLE' || code === 'INSTANCE_BUSY' || code === 'CALL_CANCELLED';
}
