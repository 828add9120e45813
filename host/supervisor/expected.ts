// Instances that will be started and are not yet: whoever calls one meanwhile waits for it, as for one that restarts. Owned by supervisor.ts.

/** Callers waiting for one instance; more are told that it is not there. */
const MOST_WAITING = 1024;

interface Coming {
  readonly begun: PromiseWithResolvers<void>;
  waiting: number;
}

export class Expected {
  readonly #coming = new Map<string, Coming>();

  announce(instances: readonly string[]): void {
    for (const instance of instances) if (!this.#coming.has(instance)) this.#coming.set(instance, { begun: Promise.withResolvers(), waiting: 0 });
  }

  /** Its start has begun, or will not come after all. */
  over(instance: string): void {
    this.#coming.get(instance)?.begun.resolve();
    this.#coming.delete(instance);
  }

  /** Resolves when it is over, at most after so long; undefined when there is nothing to wait for. */
  wait(instance: string, waitMs: number): Promise<void> | undefined {
    const coming = this.#coming.get(instance);
    if (!coming || waitMs <= 0 || coming.waiting >= MOST_WAITING) return undefined;
    coming.waiting += 1;
    return new Promise((resolve) => {
      let isOver = false;
      const over = () => {
        if (isOver) return;
        isOver = true;
        coming.waiting -= 1;
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(over, waitMs);
      void coming.begun.promise.then(over);
    });
  }

  /** Nobody comes any more. */
  close(): void {
    for (const instance of this.#coming.keys()) this.over(instance);
  }
}
