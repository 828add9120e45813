// Real sandbox processes for tests: a pool, a plugin from inline source, and what it asked of its host.
import { pino } from 'pino';
import { systemClock } from '../../host/clock.ts';
import { SandboxPool } from '../../host/sandbox/pool.ts';
import type { HostCall, HostReply, PluginCall, PluginLogLine, Sandbox, SandboxHooks, SandboxLimits, SandboxSpec } from '../../host/sandbox/sandbox.ts';

export const silentLog = pino({ level: 'silent' });

export function aPool(options: { readonly warm?: number; readonly dataDir?: string } = {}): SandboxPool {
  return new SandboxPool({ warm: 1, clock: systemClock, log: silentLog, ...options });
}

export const LIMITS: SandboxLimits = { heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 2000, concurrency: 64 };

/** A tool whose handler `call` has the given body; `input` and `ctx` are in scope. `top` runs before it is registered. */
export function toolSource(body: string, top = ''): string {
  return `${top}\ngatehouse.register({ kind: 'tool', handlers: { call: async (input, ctx) => { ${body} } } });`;
}

export interface SpecOptions {
  readonly instance?: string;
  readonly source?: string;
  readonly config?: unknown;
  readonly limits?: Partial<SandboxLimits>;
  readonly kind?: SandboxSpec['kind'];
  readonly jitless?: boolean;
}

export function aSpec({ instance = 'subject', source = toolSource('return input'), config = {}, limits = {}, kind = 'tool', jitless = true }: SpecOptions = {}): SandboxSpec {
  return { instance, plugin: `test.${instance}`, kind, source, config, limits: { ...LIMITS, ...limits }, jitless };
}

let calls = 0;

export function aCall(input: unknown = null, handler = 'call'): PluginCall {
  calls += 1;
  return { handler, input, callId: `call-${calls}`, attemptKey: `attempt-${calls}` };
}

export type Serve = (call: HostCall) => HostReply | Promise<HostReply>;

/** Answers nothing but `sleep`; everything else is denied. */
export const serveSleep: Serve = async ({ op, args }) => {
  if (op !== 'sleep') return { ok: false, code: 'CAPABILITY_DENIED', message: `no grant for ${op}` };
  const { ms } = args as { ms: number };
  await new Promise((resolve) => setTimeout(resolve, ms));
  return { ok: true, value: null };
};

export interface RecordingHooks extends SandboxHooks {
  readonly hostCalls: HostCall[];
  readonly logs: PluginLogLine[];
}

export function recordingHooks(serve: Serve = serveSleep): RecordingHooks {
  const hostCalls: HostCall[] = [];
  const logs: PluginLogLine[] = [];
  return {
    hostCalls,
    logs,
    onHostCall: async (call) => {
      hostCalls.push(call);
      return await serve(call);
    },
    onLog: (line) => void logs.push(line),
  };
}

export interface OpenSandbox extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly hooks: RecordingHooks;
}

export async function openSandbox(pool: SandboxPool, { serve, ...options }: SpecOptions & { readonly serve?: Serve } = {}): Promise<OpenSandbox> {
  const hooks = recordingHooks(serve);
  const sandbox = await pool.open(aSpec(options), hooks);
  return { sandbox, hooks, [Symbol.asyncDispose]: () => sandbox.stop(0) };
}
