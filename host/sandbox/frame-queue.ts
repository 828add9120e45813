// Frames sent to a child and not yet answered, oldest first, by the call they belong to. Used by sandbox-process.ts on every frame.

export class FrameQueue {
  #calls: number[] = [];
  #head = 0;
  #answered = 0;

  /** How many frames were answered so far; the one that runs now is number `answered + 1`. */
  get answered(): number {
    return this.#answered;
  }

  get size(): number {
    return this.#calls.length - this.#head;
  }

  /** The call whose frame runs now. */
  get first(): number | undefined {
    return this.#calls[this.#head];
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

  /** Forgets all frames before frame `number` (from 1), as far as there are any. */
  skipTo(number: number): void {
    while (this.#answered + 1 < number && this.size > 0) this.shift();
  }
}
