// Work the host does beside the messages, such as sweeping: a loop that fails alone, is tried again with pauses that grow, and says when it cannot go on. Owned by workers.ts.
import type { WorkerState, WorkerView } from '../../schemas/status.ts';
import type { Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import { publish } from '../events.ts';

export interface WorkerSpec {
  /** Lower case, with dashes: a label of metrics. */
  readonly name: string;
  /** One pass. It must be safe to repeat: what a failed pass left undone, the next one does. `signal` aborts when the host stops or the deadline passed. */
  run(signal: AbortSignal): Promise<void>;
  /** From the end of one pass to the next. Without it a pass runs only when the worker is woken. */
  readonly everyMs?: number;
  /** A pass that takes longer is aborted and counts as failed. */
  readonly deadlineMs: number;
}

/** So many failures within the window and the worker is degraded: tried once in `pauseMs`, and shown until a pass succeeds. */
export interface WorkerBudget {
  readonly failures: number;
  readonly windowMs: number;
  readonly pauseMs: number;
  /** The first pause after a failure; each further one in a row doubles it. */
  readonly firstMs: number;
}

export const WORKER_BUDGET: WorkerBudget = { failures: 6, windowMs: 60_000, pauseMs: 60_000, firstMs: 250 };

/** `stuck`: its pass was aborted at the deadline and has not ended; no second one begins beside it. */
export type { WorkerState, WorkerView };

export class Worker implements AsyncDisposable {
  readonly #spec: WorkerSpec;
  readonly #clock: Clock;
  readonly #budget: WorkerBudget;
  readonly #stopping = new AbortController();
  #state: WorkerState = 'idle';
  #passes = 0;
  #failures = 0;
  /** In a row. */
  #failed = 0;
  /** Monotonic moments of failures within the window. */
  #failedAtMs: readonly number[] = [];
  #problem: string | undefined;
  #isDegraded = false;
  #isWoken = false;
  #timer: NodeJS.Timeout | undefined;
  #pass: Promise<void> = Promise.resolve();

  constructor(spec: WorkerSpec, clock: Clock, budget: WorkerBudget = WORKER_BUDGET) {
    this.#spec = spec;
    this.#clock = clock;
    this.#budget = budget;
    if (spec.everyMs !== undefined) this.#after(spec.everyMs);
  }

  get view(): WorkerView {
    return { name: this.#spec.name, state: this.#isDegraded && this.#state !== 'stuck' ? 'degraded' : this.#state, passes: this.#passes, failures: this.#failures, ...(this.#problem === undefined ? {} : { problem: this.#problem }) };
  }

  /** A pass now, or one more after the one under way. One that pauses after a failure keeps its pause. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#state === 'idle') this.#begin();
    else this.#isWoken = true;
  }

  /** Aborts the pass under way and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#pass;
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#isWoken = false;
    this.#state = 'working';
    this.#pass = this.#onePass();
  }

  async #onePass(): Promise<void> {
    const { name, deadlineMs } = this.#spec;
    const startedAt = this.#clock.monotonicMs();
    const tooLong = new AbortController();
    const deadline = setTimeout(() => {
      this.#state = 'stuck';
      tooLong.abort();
      publish('worker.stuck', { worker: name, deadlineMs });
    }, deadlineMs);
    deadline.unref();
    let problem: string | undefined;
    try {
      await this.#spec.run(AbortSignal.any([this.#stopping.signal, tooLong.signal]));
      if (tooLong.signal.aborted) problem = `a pass took longer than ${deadlineMs} ms`;
    } catch (error) {
      problem = tooLong.signal.aborted ? `a pass took longer than ${deadlineMs} ms` : problemOf(error);
    } finally {
      clearTimeout(deadline);
    }
    this.#passes += 1;
    if (this.#stopping.signal.aborted) return;
    publish('worker.pass', { worker: name, ok: problem === undefined, durationMs: this.#clock.monotonicMs() - startedAt });
    if (problem === undefined) this.#succeed();
    else this.#fail(problem);
  }

  #succeed(): void {
    this.#failed = 0;
    this.#problem = undefined;
    if (this.#isDegraded) publish('worker.recovered', { worker: this.#spec.name });
    this.#isDegraded = false;
    this.#state = 'idle';
    if (this.#isWoken) this.#begin();
    else if (this.#spec.everyMs !== undefined) this.#after(this.#spec.everyMs);
  }

  #fail(problem: string): void {
    const { failures, windowMs, pauseMs, firstMs } = this.#budget;
    const now = this.#clock.monotonicMs();
    this.#failures += 1;
    this.#failed += 1;
    this.#failedAtMs = [...this.#failedAtMs.filter((each) => now - each < windowMs), now].slice(-failures);
    this.#problem = problem;
    const isDegraded = this.#isDegraded || this.#failedAtMs.length >= failures;
    publish('worker.failed', { worker: this.#spec.name, problem, failures: this.#failed });
    if (isDegraded && !this.#isDegraded) publish('worker.degraded', { worker: this.#spec.name, problem });
    this.#isDegraded = isDegraded;
    this.#state = 'waiting';
    this.#after(isDegraded ? pauseMs : Math.min(pauseMs, firstMs * 2 ** (this.#failed - 1)));
  }

  #after(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), delayMs);
    this.#timer.unref();
  }
}
