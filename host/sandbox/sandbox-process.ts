// A sandbox: one process with one plugin in it. Loads the plugin, carries calls and host calls, watches, and says why it ended. The supervisor is its only user.
//
// The child answers every frame after `load` with one `slice`, in order. So the oldest frame without an answer is the one whose plugin code is running, and
// when the process ends, that call is to blame and all others are innocent. Slices are judged here, by the kernel's count of the process's CPU: an innocent
// one that a busy machine gives no time is left alone, and no timer is set in the child, where one costs as much as a trivial call. Only where there is no
// such count (no /proc) the child times its slices itself.
import { randomInt } from 'node:crypto';
import { BOUNDS } from '../../schemas/bounds.ts';
import type { ChildFrame, IsolateBounds, Post } from '../../schemas/sandbox-protocol.ts';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf, type Fields } from '../errors.ts';
import { publish } from '../events.ts';
import { CallQueue } from './call-queue.ts';
import { isShallow, readChildFrame } from './child-frames.ts';
import type { ConfinedProcess, ProcessEnd } from './confined-process.ts';
import { FrameQueue } from './frame-queue.ts';
import { LogLimit } from './log-limit.ts';
import { appetiteOf, stepBehind, type Appetite, type Rank } from './niceness.ts';
import { ProcessMeter, type Meter } from './process-meter.ts';
import type { CallFailure, CallResult, HostReply, PluginCall, Sandbox, SandboxExit, SandboxHooks, SandboxSpec } from './sandbox.ts';
import { callCpuUs, callDeadlineMs, judgeEnd, judgeSilence, memoryCapBytes, sliceMs } from './verdict.ts';
import type { Watchdog, Watched } from './watchdog.ts';

export interface SandboxParts {
  /** Ready and blank; from here on it belongs to the sandbox. */
  readonly process: ConfinedProcess;
  readonly level: string;
  readonly spec: SandboxSpec;
  readonly hooks: SandboxHooks;
  readonly clock: Clock;
  readonly watchdog: Watchdog;
  /** Where it stands when processor time is short, default in front. */
  readonly rank?: Rank;
  /** Longest the top level of the script may run, default 5 s. */
  readonly loadMs?: number;
  /** What the machine says about the process; by default what /proc says. */
  readonly meter?: Meter;
}

/**
 * Loads the plugin into a blank process. Rejects with PLUGIN_LOAD_FAILED when the plugin is at fault (it threw, registered nothing, took too long, broke the
 * process) and SANDBOX_START_FAILED when it is not; the process is gone then.
 */
export async function loadSandbox(parts: SandboxParts): Promise<Sandbox> {
  const sandbox = new SandboxProcess(parts);
  await sandbox.load();
  return sandbox;
}

const ISOLATE_BOUNDS: IsolateBounds = {
  hostCallsPerCall: BOUNDS.hostCallsPerCall,
  hostCallsPerProcess: BOUNDS.hostCallsPerProcess,
  hostCallBytes: BOUNDS.hostCallBytes,
  resultBytes: BOUNDS.resultBytes,
  postsPerSlice: BOUNDS.postsPerSlice,
  logLinesPerSlice: BOUNDS.logLinesPerSlice,
  logLineBytes: BOUNDS.logLineBytes,
};

/** A slice may outlast its time by this much before silence is called that. */
const OVERTIME_MS = 250;
/** A slice that runs for longer than this is looked at closely. */
const LONG_SLICE_MS = 8;
const MEMORY_CHECK_MS = 250;
const CPU_CHECK_MS = 1000;
/** CPU a process may use without telling: start-up of threads, clock steps of 10 ms, and the slice under way. */
const UNTOLD_CPU_MS = 500;

/** Calls count from 1: a frame about this one is an empty slice. */
const NO_CALL = 0;

/** A call that the child knows by `id`. */
interface LiveCall {
  readonly id: number;
  readonly call: PluginCall;
  readonly resolve: (result: CallResult) => void;
  readonly startedAt: number;
  cpuUs: number;
  /** Host calls without an answer; while there are any, the call's clock stands still. */
  openHostCalls: number;
  hostCalls: number;
  pausedMs: number;
  pausedAt: number;
}

interface WaitingCall {
  readonly text: string;
  readonly call: PluginCall;
  readonly id: number;
  readonly resolve: (result: CallResult) => void;
  readonly waitingSince: number;
}

interface Blame {
  readonly live: LiveCall | undefined;
  readonly code: CallFailure;
  readonly fields?: Fields;
}

class SandboxProcess implements Sandbox, Watched {
  readonly pid: number;
  readonly level: string;
  readonly ended: Promise<SandboxExit>;
  readonly exited: Promise<SandboxExit>;
  readonly #process: ConfinedProcess;
  readonly #spec: SandboxSpec;
  readonly #hooks: SandboxHooks;
  readonly #clock: Clock;
  readonly #watchdog: Watchdog;
  readonly #meter: Meter;
  readonly #loadMs: number;
  readonly #sliceMs: number;
  readonly #callCpuUs: number;
  readonly #memoryCapBytes: number;
  readonly #logLimit = new LogLimit();
  readonly #live = new Map<number, LiveCall>();
  readonly #waiting = new CallQueue<WaitingCall>();
  /** Frames sent and not answered, by the call they belong to. */
  readonly #frames = new FrameQueue();
  /** Calls given up by the host whose cancel the child has not yet answered: what it still says about them is no offence. */
  readonly #cancelled = new Set<number>();
  /** Told, oldest first, of the empty slices they wait for. */
  readonly #probes: (() => void)[] = [];

  #handlers: ReadonlySet<string> = new Set();
  #phase: 'loading' | 'running' | 'ended' = 'loading';
  #loading = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<SandboxExit>();
  #stopping = false;
  #drained: (() => void) | undefined;
  readonly #rank: Rank;
  #appetite: Appetite = 'usual';
  #attended = false;
  #lastCall = 0;
  #lastRequest = 0;
  #openHostCalls = 0;
  #unknownPosts = 0;
  #framesInSlice = 0;
  #cpuUs = 0;
  /** Kernel's count of this process's CPU when loading began, and when the frame now running was first seen to take long. */
  #kernelCounts = false;
  #cpuAtLoadMs = 0;
  #longFrame = { number: -1, cpuMs: 0 };
  #runningSince = 0;
  #memoryCheckedAt = 0;
  #cpuCheckedAt = 0;
  #sweptCpuMs: number | undefined;

  constructor({ process, level, spec, hooks, clock, watchdog, rank = 'front', loadMs = BOUNDS.loadMs, meter = new ProcessMeter(process.pid) }: SandboxParts) {
    this.pid = process.pid;
    this.level = level;
    this.#process = process;
    this.#spec = spec;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#watchdog = watchdog;
    this.#meter = meter;
    this.#rank = rank;
    this.#loadMs = loadMs;
    this.#sliceMs = sliceMs(spec.limits);
    this.#callCpuUs = callCpuUs(spec.limits);
    this.#memoryCapBytes = memoryCapBytes(spec.limits);
    process.attach({ onFrame: (text) => this.#onFrame(text), onFrameProblem: (problem) => this.#breach(problem) });
    this.ended = this.#over.promise;
    this.exited = process.ended.then((end) => this.#onProcessEnd(end));
  }

  get handlers(): readonly string[] {
    return [...this.#handlers];
  }

  get pending(): number {
    return this.#live.size + this.#waiting.size;
  }

  get accepting(): boolean {
    return this.#phase === 'running' && !this.#stopping;
  }

  get memoryBytes(): number | undefined {
    return this.#phase === 'ended' ? undefined : this.#meter.memoryBytes();
  }

  get cpuUs(): number {
    return this.#cpuUs;
  }

  async load(): Promise<void> {
    const { kind, instance, source, config, limits } = this.#spec;
    this.#watchdog.enroll(this);
    if (this.#rank === 'back') stepBehind(this.pid, this.#rank, 'usual');
    const reading = this.#meter.read();
    this.#kernelCounts = reading !== undefined;
    this.#cpuAtLoadMs = reading?.cpuMs ?? 0;
    this.#runningSince = this.#clock.monotonicMs();
    const frame = { t: 'load', kind, instance, source, config, heapMb: limits.heapMb, sliceMs: this.#kernelCounts ? 0 : this.#sliceMs, loadMs: this.#loadMs, seed: randomInt(2 ** 32), now: this.#clock.now(), bounds: ISOLATE_BOUNDS };
    if (!this.#process.send(JSON.stringify(frame))) this.#failLoad('the script is larger than a frame may be');
    this.#attend();
    await this.#loading.promise;
  }

  call(call: PluginCall): Promise<CallResult> {
    if (!this.accepting) return Promise.resolve(this.#failure(call, 'INSTANCE_UNAVAILABLE', { state: 'stopped' }, true));
    if (!this.#handlers.has(call.handler)) return Promise.resolve(this.#failure(call, 'PLUGIN_HANDLER_MISSING', { kind: this.#spec.kind }, false));
    return new Promise((resolve) => {
      const id = ++this.#lastCall;
      const { handler, callId, attemptKey, input } = call;
      const text = JSON.stringify({ t: 'call', call: id, handler, callId, attemptKey, now: this.#clock.now(), input });
      const waiting = { text, call, id, resolve, waitingSince: this.#clock.monotonicMs() };
      if (this.#live.size < this.#spec.limits.concurrency) this.#begin(waiting);
      else if (this.#waiting.size < BOUNDS.callsWaitingPerInstance) this.#waiting.push(waiting);
      else resolve(this.#failure(call, 'INSTANCE_BUSY', { depth: this.#waiting.size }, true));
    });
  }

  cancel(callId: string, problem: string): void {
    const queued = this.#waiting.take(callId);
    queued?.resolve(this.#failure(queued.call, 'CALL_CANCELLED', { problem }, true));
    for (const live of this.#live.values()) if (live.call.callId === callId) this.#giveUp(live, this.#failure(live.call, 'CALL_CANCELLED', { problem }, true, live));
  }

  async answers(withinMs: number): Promise<boolean> {
    if (this.#phase !== 'running' || !this.#send(NO_CALL, `{"t":"cancel","call":${NO_CALL}}`)) return false;
    const answered = Promise.withResolvers<boolean>();
    this.#probes.push(() => answered.resolve(true));
    void this.ended.then(() => answered.resolve(false));
    const timer = setTimeout(() => answered.resolve(false), withinMs);
    try {
      return await answered.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#phase === 'running' && this.#live.size > 0 && graceMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      const timer = setTimeout(resolve, graceMs);
      await promise;
      clearTimeout(timer);
    }
    this.#end({ cause: 'stopped', detail: 'the host ended it', strike: false });
    await this.exited;
  }

  // --- Frames of the child --------------------------------------------------------------------------------------------------------------------------

  #onFrame(text: string): void {
    if (this.#phase === 'ended') return;
    let frame: ChildFrame;
    try {
      frame = readChildFrame(text);
    } catch (error) {
      this.#breach(problemOf(error));
      return;
    }
    if (this.#phase === 'loading') this.#onLoadFrame(frame);
    else this.#onRunFrame(frame);
  }

  #onLoadFrame(frame: ChildFrame): void {
    switch (frame.t) {
      case 'loaded':
        this.#cpuUs += frame.cpuUs;
        this.#handlers = new Set(frame.handlers);
        this.#phase = 'running';
        this.#loading.resolve();
        return;
      case 'load-failed':
        this.#failLoad(frame.reason);
        return;
      case 'timeout':
        this.#failLoad(`its top level did not finish within ${this.#loadMs} ms`);
        return;
      case 'fatal':
        this.#failLoad(frame.reason);
        return;
      case 'late':
        return;
      default:
        this.#breach(`a '${frame.t}' frame while loading`);
    }
  }

  #onRunFrame(frame: ChildFrame): void {
    switch (frame.t) {
      case 'slice':
      case 'timeout':
        this.#onSlice(frame);
        return;
      case 'posts':
        if (this.#isWithinSlice()) for (const post of frame.posts) this.#onPost(post);
        return;
      case 'late':
        if (this.#isWithinSlice() && this.#logLimit.pass(this.#clock.monotonicMs(), 0) !== undefined) publish('sandbox.late-rejection', { instance: this.#spec.instance, message: frame.message });
        return;
      case 'fatal':
        if (frame.cause === 'memory') this.#end({ cause: 'memory', detail: frame.reason, strike: true }, this.#blame('SANDBOX_DIED', { problem: 'it ran out of memory' }));
        else this.#end({ cause: 'abort', detail: frame.reason, strike: this.#frames.size > 0 }, this.#blame('SANDBOX_DIED', { problem: 'it crashed' }));
        return;
      default:
        this.#breach(`a '${frame.t}' frame while running`);
    }
  }

  /** Posts and rejections come while a slice runs, and no more of them than plugin code could cause. */
  #isWithinSlice(): boolean {
    const most = 2 * this.#spec.limits.concurrency + BOUNDS.hostCallsPerProcess;
    if (this.#frames.size > 0 && ++this.#framesInSlice <= most) return true;
    this.#breach(this.#frames.size === 0 ? 'posts outside a slice' : `more than ${most} frames in one slice`);
    return false;
  }

  /** One timed run of plugin code has ended: charge it, hear what it posted, and look at the next. */
  #onSlice(frame: Extract<ChildFrame, { t: 'slice' | 'timeout' }>): void {
    const owner = this.#frames.shift();
    if (owner === undefined) {
      this.#breach('an answer to a frame that was never sent');
      return;
    }
    this.#runningSince = this.#clock.monotonicMs();
    this.#framesInSlice = 0;
    this.#cpuUs += frame.cpuUs;
    if (owner === NO_CALL) this.#probes.shift()?.();
    const live = this.#live.get(owner);
    if (live) live.cpuUs += frame.cpuUs;
    for (const post of frame.posts) this.#onPost(post);
    if (this.#cancelled.size > 0 && !this.#frames.includes(owner)) this.#cancelled.delete(owner);
    if (frame.t === 'timeout') this.#onTimeout(live, frame.cpuUs);
    else if (live && live.cpuUs > this.#callCpuUs) this.#endForCpu(live, live.cpuUs / 1000, this.#callCpuUs / 1000);
  }

  /** The child stopped its isolate in the middle of something; it cannot be trusted again. Whether that is held against the plugin goes by CPU. */
  #onTimeout(live: LiveCall | undefined, cpuUs: number): void {
    const limitMs = this.#spec.limits.cpuMsPerCall;
    const usedMs = cpuUs / 1000;
    if (usedMs > limitMs) {
      this.#endForCpu(live, usedMs, limitMs);
      return;
    }
    // Its time ran out on a busy machine: like all others in the process, the call may be tried again.
    if (live) this.#finish(live, this.#failure(live.call, 'CALL_TIMEOUT', { limitMs: this.#sliceMs }, true, live));
    this.#end({ cause: 'wall', detail: `a slice did not end within ${this.#sliceMs} ms, with ${Math.round(usedMs)} ms of CPU`, strike: false });
  }

  #onPost(post: Post): void {
    const live = this.#live.get(post.call);
    if (live) {
      if (post.t === 'result') this.#onResult(live, post);
      else if (post.t === 'request') this.#onHostCall(live, post);
      else this.#onLog(post);
      return;
    }
    if (post.t === 'log' && post.call <= this.#lastCall) this.#onLog(post); // a log line may come after its call
    else if (!this.#cancelled.has(post.call) && ++this.#unknownPosts > BOUNDS.unknownFrames) this.#breach(`${this.#unknownPosts} posts for calls it was not given`);
  }

  #onResult(live: LiveCall, post: Extract<Post, { t: 'result' }>): void {
    if (post.ok) {
      if (isShallow(post.value)) this.#finish(live, { ok: true, value: post.value, cpuUs: live.cpuUs, wallMs: this.#wallMs(live) });
      else this.#finish(live, this.#thrown(live, `the result nests deeper than ${BOUNDS.valueDepth} levels`));
      return;
    }
    const { name, message, code, retry } = post.error;
    if (code === 'RESULT_TOO_LARGE') this.#finish(live, this.#failure(live.call, 'RESULT_TOO_LARGE', { limit: BOUNDS.resultBytes }, false, live));
    else this.#finish(live, this.#thrown(live, name === 'Error' || name === '' ? message : `${name}: ${message}`, { code, terminal: retry === false }));
  }

  #onLog({ call, level, text, fields, dropped = 0 }: Extract<Post, { t: 'log' }>): void {
    const droppedNow = this.#logLimit.pass(this.#clock.monotonicMs(), dropped);
    if (droppedNow === undefined) return;
    const callId = this.#live.get(call)?.call.callId;
    this.#hooks.onLog({ level, text, ...(callId !== undefined && { callId }), ...(fields && isShallow(fields) ? { fields } : {}), ...(droppedNow > 0 ? { dropped: droppedNow } : {}) });
  }

  // --- Calls ----------------------------------------------------------------------------------------------------------------------------------------

  #begin({ text, call, id, resolve }: WaitingCall): void {
    const live: LiveCall = { id, call, resolve, startedAt: this.#clock.monotonicMs(), cpuUs: 0, openHostCalls: 0, hostCalls: 0, pausedMs: 0, pausedAt: 0 };
    this.#live.set(id, live);
    if (!this.#send(id, text)) this.#finish(live, this.#thrown(live, 'the input is larger than a frame may be'));
  }

  #send(callId: number, text: string): boolean {
    if (!this.#process.send(text)) return false;
    if (this.#frames.size === 0) this.#runningSince = this.#clock.monotonicMs();
    this.#frames.push(callId);
    this.#attend();
    return true;
  }

  #finish(live: LiveCall, result: CallResult): void {
    if (!this.#live.delete(live.id)) return;
    this.#openHostCalls -= live.openHostCalls;
    live.resolve(result);
    if (this.#phase === 'ended') return;
    const next = this.#waiting.shift();
    if (next) this.#begin(next);
    else if (this.#live.size === 0) this.#drained?.();
  }

  #onHostCall(live: LiveCall, { request, op, args }: Extract<Post, { t: 'request' }>): void {
    if (request <= this.#lastRequest) {
      if (++this.#unknownPosts > BOUNDS.unknownFrames) this.#breach('requests with numbers used before');
      return;
    }
    this.#lastRequest = request;
    if (live.openHostCalls === 0) live.pausedAt = this.#clock.monotonicMs();
    live.openHostCalls += 1;
    live.hostCalls += 1;
    this.#openHostCalls += 1;
    const { callId, attemptKey } = live.call;
    const refused = this.#refusalOf(live, args);
    if (refused) {
      this.#settle(live, request, refused);
      return;
    }
    this.#hooks.onHostCall({ callId, attemptKey, op, args }).then(
      (reply) => this.#settle(live, request, reply),
      () => this.#settle(live, request, { ok: false, code: 'INTERNAL', message: 'The host could not do this.' }),
    );
  }

  /** What the isolate holds a plugin to, held again: the child may be somebody else's by now. */
  #refusalOf(live: LiveCall, args: unknown): Extract<HostReply, { ok: false }> | undefined {
    if (live.openHostCalls > BOUNDS.hostCallsPerCall || this.#openHostCalls > BOUNDS.hostCallsPerProcess) return { ok: false, code: 'QUOTA_EXCEEDED', message: 'Too many host calls wait for an answer.' };
    if (live.hostCalls > BOUNDS.hostCallsTotalPerCall) return { ok: false, code: 'QUOTA_EXCEEDED', message: `One call may make at most ${BOUNDS.hostCallsTotalPerCall} host calls.` };
    if (!isShallow(args)) return { ok: false, code: 'CAPABILITY_ARGUMENT', message: `The arguments nest deeper than ${BOUNDS.valueDepth} levels.` };
    return undefined;
  }

  #settle(live: LiveCall, request: number, reply: HostReply): void {
    if (this.#live.get(live.id) !== live) return; // the call is over
    this.#openHostCalls -= 1;
    live.openHostCalls -= 1;
    if (live.openHostCalls === 0) live.pausedMs += this.#clock.monotonicMs() - live.pausedAt;
    const head = { t: 'settle', call: live.id, request };
    const sent = reply.ok
      ? this.#send(live.id, JSON.stringify({ ...head, ok: true, value: reply.value ?? null }))
      : this.#send(live.id, JSON.stringify({ ...head, ok: false, error: { code: reply.code.slice(0, 100), message: reply.message.slice(0, 500) } }));
    if (!sent) this.#send(live.id, JSON.stringify({ ...head, ok: false, error: { code: 'RESULT_TOO_LARGE', message: 'The answer is larger than a frame may be.' } }));
  }

  // --- Watching -------------------------------------------------------------------------------------------------------------------------------------

  #attend(): void {
    if (this.#attended) return;
    this.#attended = true;
    this.#watchdog.attend(this);
  }

  tick(nowMs: number): boolean {
    const running = this.#phase === 'loading' || this.#frames.size > 0;
    const ranMs = running ? nowMs - this.#runningSince : 0;
    if (ranMs >= LONG_SLICE_MS) this.#lookAtSlice(nowMs, ranMs);
    else {
      if (nowMs - this.#memoryCheckedAt >= MEMORY_CHECK_MS) this.#lookAtMemory(nowMs);
      if (nowMs - this.#cpuCheckedAt >= CPU_CHECK_MS) this.#lookAtCpuClaims(nowMs);
    }
    this.#lookAtDeadlines(nowMs);
    this.#attended = this.#phase !== 'ended' && (running || this.pending > 0);
    return this.#attended;
  }

  /** An idle sandbox owns no core: whatever runs there is not a call. */
  sweep(nowMs: number): void {
    if (this.#phase === 'ended') return;
    this.#lookAtMemory(nowMs);
    const cpuMs = this.#meter.read()?.cpuMs;
    const before = this.#sweptCpuMs;
    this.#sweptCpuMs = cpuMs;
    if (cpuMs === undefined || before === undefined || this.#cpuCheckedAt > nowMs - 2 * CPU_CHECK_MS) return;
    if (cpuMs - before > 2 * UNTOLD_CPU_MS) this.#end({ cause: 'cpu', detail: `it used ${cpuMs - before} ms of CPU with nothing to do`, strike: true });
  }

  #lookAtSlice(nowMs: number, ranMs: number): void {
    this.#lookAtMemory(nowMs);
    const reading = this.#meter.read();
    const number = this.#frames.answered;
    if (this.#longFrame.number !== number) this.#longFrame = { number, cpuMs: reading?.cpuMs ?? 0 };
    const usedMs = reading ? reading.cpuMs - this.#longFrame.cpuMs : 0;
    this.#giveWay(appetiteOf(usedMs, this.#phase === 'loading'));
    if (this.#phase === 'loading') {
      // The child's own timer comes first; this is for code that no timer stops.
      if (ranMs >= this.#loadMs + OVERTIME_MS) this.#failLoad(`its top level did not finish within ${this.#loadMs} ms`);
      return;
    }
    if (ranMs < this.#sliceMs) return;
    const patienceMs = Math.max(this.#spec.limits.wallMsPerCall, this.#sliceMs + OVERTIME_MS);
    if (usedMs > this.#spec.limits.cpuMsPerCall) this.#endForCpu(this.#runningCall(), usedMs, this.#spec.limits.cpuMsPerCall);
    else if (ranMs >= patienceMs) {
      const exit = judgeSilence(reading?.state, patienceMs);
      this.#end(exit, exit.strike ? this.#blame('CALL_TIMEOUT', { limitMs: patienceMs }) : undefined);
    }
  }

  /** For as long as it lives: it would be the next slice that keeps the others waiting. */
  #giveWay(appetite: Appetite): void {
    if (appetite === 'usual' || appetite === this.#appetite || this.#appetite === 'hog') return;
    this.#appetite = appetite;
    stepBehind(this.pid, this.#rank, appetite);
  }

  #lookAtMemory(nowMs: number): void {
    this.#memoryCheckedAt = nowMs;
    const bytes = this.#meter.memoryBytes() ?? 0;
    if (bytes <= this.#memoryCapBytes) return;
    const detail = `it occupies ${Math.round(bytes / 2 ** 20)} MB; the limit is ${this.#memoryCapBytes / 2 ** 20}`;
    if (this.#phase === 'loading') this.#failLoad(detail);
    else this.#end({ cause: 'memory', detail, strike: true }, this.#blame('SANDBOX_DIED', { problem: detail }));
  }

  /** The child counts its own CPU; the kernel counts too. */
  #lookAtCpuClaims(nowMs: number): void {
    this.#cpuCheckedAt = nowMs;
    const reading = this.#meter.read();
    if (!reading) return;
    const usedMs = reading.cpuMs - this.#cpuAtLoadMs;
    const toldMs = this.#cpuUs / 1000;
    if (usedMs - toldMs > UNTOLD_CPU_MS + usedMs / 4) this.#end({ cause: 'cpu', detail: `it used ${usedMs} ms of CPU and reported ${Math.round(toldMs)}`, strike: true }, this.#blame('SANDBOX_DIED', { problem: 'it reported less CPU than it used' }));
  }

  #lookAtDeadlines(nowMs: number): void {
    const { wallMsPerCall, cpuMsPerCall } = this.#spec.limits;
    for (const live of this.#live.values()) {
      const pausedMs = live.pausedMs + (live.openHostCalls > 0 ? nowMs - live.pausedAt : 0);
      const wallMs = Math.min(wallMsPerCall, live.call.wallMs ?? wallMsPerCall);
      if (nowMs - live.startedAt <= callDeadlineMs(wallMs, pausedMs)) continue;
      const usedMs = live.cpuUs / 1000 + (this.#runningCall() === live ? this.#cpuOfLongFrameMs() : 0);
      const timedOut = usedMs > cpuMsPerCall ? this.#failure(live.call, 'CALL_CPU', { usedMs: Math.round(usedMs), limitMs: cpuMsPerCall }, false, live) : this.#failure(live.call, 'CALL_TIMEOUT', { limitMs: wallMs }, true, live);
      this.#giveUp(live, timedOut);
    }
    for (const { call, resolve } of this.#waiting.expire(nowMs - wallMsPerCall)) resolve(this.#failure(call, 'INSTANCE_BUSY', { depth: this.#waiting.size + 1 }, true));
  }

  /** What the child still says about it is no offence. */
  #giveUp(live: LiveCall, result: CallResult): void {
    this.#cancelled.add(live.id);
    this.#send(live.id, `{"t":"cancel","call":${live.id}}`);
    this.#finish(live, result);
  }

  #cpuOfLongFrameMs(): number {
    if (this.#longFrame.number !== this.#frames.answered) return 0;
    return (this.#meter.read()?.cpuMs ?? this.#longFrame.cpuMs) - this.#longFrame.cpuMs;
  }

  // --- The end --------------------------------------------------------------------------------------------------------------------------------------

  /** The call whose slice runs now, if the host still waits for it. Answers may lie unsent in the process, so it notes how far it has come. */
  #runningCall(): LiveCall | undefined {
    const call = this.#frames.callOf(this.#process.lastFrameBegun());
    return call === undefined ? undefined : this.#live.get(call);
  }

  #blame(code: CallFailure, fields: Fields): Blame {
    return { live: this.#runningCall(), code, fields };
  }

  #endForCpu(live: LiveCall | undefined, usedMs: number, limitMs: number): void {
    const used = Math.round(usedMs);
    this.#end({ cause: 'cpu', detail: `a call used ${used} ms of CPU; the limit is ${limitMs}`, strike: true }, { live, code: 'CALL_CPU', fields: { usedMs: used, limitMs } });
  }

  /** The child does not speak the protocol: a defect of ours, or somebody else speaks. */
  #breach(problem: string): void {
    if (this.#phase === 'loading') this.#failLoad(`it broke the frame protocol: ${problem}`);
    else this.#end({ cause: 'frames', detail: problem, strike: true }, this.#blame('SANDBOX_FRAME', { problem }));
  }

  #failLoad(problem: string): void {
    this.#loading.reject(new GatehouseError('PLUGIN_LOAD_FAILED', { instance: this.#spec.instance, problem }));
    this.#end({ cause: 'load', detail: problem, strike: true });
  }

  /** Ends the process and answers every call: the one to blame with what it did, the innocent with leave to try again. */
  #end(exit: SandboxExit, blame?: Blame): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#process.kill();
    this.#watchdog.retire(this);
    this.#meter.close();
    this.#loading.reject(new GatehouseError('SANDBOX_START_FAILED', { instance: this.#spec.instance, problem: exit.detail }));
    this.#loading.promise.catch(() => {}); // nobody may be waiting for it any more
    const innocent: [CallFailure, Fields] = exit.cause === 'stopped' ? ['CALL_CANCELLED', { problem: 'the instance is stopping' }] : ['SANDBOX_DIED', { problem: exit.detail }];
    for (const live of this.#live.values()) {
      const [code, fields] = live === blame?.live ? [blame.code, blame.fields] : innocent;
      this.#finish(live, this.#failure(live.call, code, fields, live !== blame?.live, live));
    }
    for (const { call, resolve } of this.#waiting.clear()) resolve(this.#failure(call, innocent[0], innocent[1], true));
    this.#drained?.();
    this.#over.resolve(exit);
  }

  async #onProcessEnd(end: ProcessEnd): Promise<SandboxExit> {
    if (this.#phase === 'loading') {
      const exit = judgeEnd(end, true);
      if (exit.strike) this.#failLoad(exit.detail);
      else this.#end(exit);
    } else if (this.#phase === 'running') {
      const exit = judgeEnd(end, this.#frames.size > 0);
      this.#end(exit, exit.strike ? this.#blame('SANDBOX_DIED', { problem: exit.detail }) : undefined);
    }
    this.#process.release();
    return await this.ended;
  }

  // --- Results --------------------------------------------------------------------------------------------------------------------------------------

  #wallMs(live: LiveCall): number {
    return this.#clock.monotonicMs() - live.startedAt;
  }

  #thrown(live: LiveCall, message: string, { code, terminal = false }: { readonly code?: string | undefined; readonly terminal?: boolean } = {}): CallResult {
    return { ok: false, code: 'CALL_FAILED', message, retry: false, ...(code === undefined ? {} : { errorCode: code }), ...(terminal ? { terminal } : {}), cpuUs: live.cpuUs, wallMs: this.#wallMs(live) };
  }

  #failure(call: PluginCall, code: CallFailure, fields: Fields | undefined, retry: boolean, live?: LiveCall): CallResult {
    const { message } = new GatehouseError(code, { instance: this.#spec.instance, handler: call.handler, ...fields });
    return { ok: false, code, message, retry, cpuUs: live?.cpuUs ?? 0, wallMs: live ? this.#wallMs(live) : 0 };
  }
}
