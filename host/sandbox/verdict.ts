// Why a sandbox ended and whether its plugin is to blame: pure judgements over what was measured. Used by sandbox-process.ts.
import type { SandboxLimits } from './sandbox.ts';
import type { SandboxExit } from './sandbox.ts';
import type { ProcessEnd } from './confined-process.ts';

/** A slice is timed by the wall clock, and on a busy machine an innocent 8 ms can take 60: the limit is generous, and blame goes by CPU. */
export const sliceMs = ({ cpuMsPerCall }: SandboxLimits): number => Math.max(500, 10 * cpuMsPerCall);

/** CPU that one call may use over all its slices before its sandbox is ended. */
export const callCpuUs = (limits: SandboxLimits): number => sliceMs(limits) * 1000;

/** Longest a call may take: its own wall time, plus the time spent in host calls, up to four times as much. */
export const callDeadlineMs = (wallMs: number, pausedMs: number): number => wallMs + Math.min(pausedMs, 4 * wallMs);

/** A blank process with one isolate needs some 50 MB; V8 overshoots an isolate's limit two- or threefold before it gives up. */
export const memoryCapBytes = ({ heapMb }: SandboxLimits): number => Math.max(160, 64 + 3 * heapMb) * 1024 * 1024;

/** The signals by which a process ends through its own doing. */
const OWN_DOING: ReadonlySet<NodeJS.Signals> = new Set<NodeJS.Signals>(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGTRAP', 'SIGFPE', 'SIGSYS', 'SIGXFSZ']);

/** Judges a process that ended without the host ending it. `running` says whether plugin code was running. */
export function judgeEnd({ code, signal, said }: ProcessEnd, running: boolean): SandboxExit {
  if (signal !== null && !OWN_DOING.has(signal)) return { cause: 'outside', detail: `${signal} from outside`, strike: false };
  if (/is_heap_oom|out of memory/i.test(said)) return { cause: 'memory', detail: 'V8 ran out of memory', strike: running };
  return { cause: 'abort', detail: signal === null ? `the process exited with code ${code}` : `the process ended by ${signal}`, strike: running };
}

/** What a process that does not answer is doing, by the state letter of proc(5). */
export function judgeSilence(state: string | undefined, limitMs: number): SandboxExit {
  if (state === 'T' || state === 't') return { cause: 'outside', detail: 'the process was stopped by a signal or a debugger', strike: false };
  if (state === 'R' || state === 'D') return { cause: 'wall', detail: `a slice did not end within ${limitMs} ms on a machine that gave it no time`, strike: false };
  return { cause: 'silence', detail: `no answer within ${limitMs} ms`, strike: true };
}
