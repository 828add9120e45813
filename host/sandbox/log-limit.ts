// How many log lines of one plugin reach the host's log: its own (sandbox-process.ts), and those about its refusals (telemetry/log-events.ts). What is too much is counted, not kept.
import { BOUNDS } from '../../schemas/bounds.ts';

/** A bucket of one second's lines, refilled evenly. */
export class LogLimit {
  #tokens: number = BOUNDS.logLinesPerSecond;
  #refilledAt = 0;
  #dropped = 0;

  /** How many lines were dropped since the last one that passed, or undefined when this one is dropped too. */
  pass(nowMs: number, droppedBefore: number): number | undefined {
    this.#tokens = Math.min(BOUNDS.logLinesPerSecond, this.#tokens + ((nowMs - this.#refilledAt) * BOUNDS.logLinesPerSecond) / 1000);
    this.#refilledAt = nowMs;
    this.#dropped += droppedBefore;
    if (this.#tokens < 1) {
      this.#dropped += 1;
      return undefined;
    }
    this.#tokens -= 1;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}
