// Frames sent to a child and not yet answered, oldest first, by the call they belong to. Used by sandbox-process.ts on every frame.

export class FrameQueue {
  #calls: number[] = [];
  #head = 0;
  #answered = 0;

  /** How many frames were answered so far. */
  get answered(): number {
    return this.#answered;
  }

  get size(): number {
    return this.#calls.length - this.#head;
  }

  push(call: number): void {
    this.#calls.push(call);
  }

  shift(): number | undefined {
    if (this.size === 0) return undefined;
    const call = this.#calls[this.#head];
    this.#head += 1;
    this.#answered += 1;
    if (this.#head === this.#calls.length) {
      this.#calls = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#calls = this.#calls.slice(this.#head);
      this.#head = 0;
    }
    return call;
  }

  includes(call: number): boolean {
    return this.#calls.includes(call, this.#head);
  }

  /** The call of frame `number` (from 1), or of the oldest there is when that one was answered already. */
  callOf(number: number): number | undefined {
    return this.#calls[this.#head + Math.max(0, number - this.#answered - 1)];
  }
}
