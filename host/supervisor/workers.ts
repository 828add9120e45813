// The host's own workers, each in a loop of its own: what stops one never pauses another. Started by the pipeline, shown by `gatehouse status`, ended with the host.
import type { Clock } from '../clock.ts';
import { Worker, type WorkerBudget, type WorkerSpec, type WorkerView } from './worker.ts';

export class Workers implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #budget: WorkerBudget | undefined;
  readonly #workers = new Map<string, Worker>();

  constructor(clock: Clock, budget?: WorkerBudget) {
    this.#clock = clock;
    this.#budget = budget;
  }

  /** Throws for a name that is taken: two workers would be told apart by nobody. */
  start(spec: WorkerSpec): Pick<Worker, 'wake' | 'view'> {
    if (this.#workers.has(spec.name)) throw new Error(`there is a worker '${spec.name}' already`);
    const worker = new Worker(spec, this.#clock, this.#budget);
    this.#workers.set(spec.name, worker);
    return worker;
  }

  /** By name. */
  views(): readonly WorkerView[] {
    return [...this.#workers.values()].map(({ view }) => view).toSorted((a, b) => a.name.localeCompare(b.name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers.values()].map((each) => each[Symbol.asyncDispose]()));
  }
}
