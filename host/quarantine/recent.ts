// What happened lately to each instance, in memory and bounded, for the day when somebody has to find out what it did. Listens to the host's events; plugin-life.ts asks it when it gives an instance up.
import { BOUNDS } from '../../schemas/bounds.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { subscribe } from '../events.ts';

/** One fact, with when it was. */
export type Fact = { readonly at: string } & Readonly<Record<string, unknown>>;

export interface Lately {
  /** States, ends of its sandbox, strikes, drift, findings of the scanner, leaks. */
  readonly history: readonly Fact[];
  /** What it asked for and was refused. */
  readonly refused: readonly Fact[];
  /** Lines it logged, as it wrote them. */
  readonly log: readonly (Fact & { readonly text: string })[];
}

type Kept<F> = { readonly atMs: number; readonly fact: F }[];

interface Remembered {
  readonly history: Kept<object>;
  readonly refused: Kept<object>;
  readonly log: Kept<{ readonly level: string; readonly text: string; readonly dropped?: number }>;
}

const NOTHING: Remembered = { history: [], refused: [], log: [] };

const told = <F extends object>({ atMs, fact }: Kept<F>[number]) => ({ at: toTimestamp(atMs), ...fact });

const KEPT = { history: BOUNDS.evidenceFacts, refused: BOUNDS.evidenceFacts, log: BOUNDS.evidenceLogLines } as const satisfies Record<keyof Lately, number>;

export class Recent implements Disposable {
  readonly #clock: Clock;
  readonly #instances = new Map<string, Remembered>();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#unsubscribe = [
      subscribe('plugin.state', ({ instance, plugin: _plugin, ...event }) => this.#remember(instance, 'history', { event: 'plugin.state', ...event })),
      subscribe('sandbox.ended', ({ instance, ...event }) => event.cause !== 'stopped' && this.#remember(instance, 'history', { event: 'sandbox.ended', ...event })),
      subscribe('plugin.strike', ({ instance, plugin: _plugin, ...event }) => this.#remember(instance, 'history', { event: 'plugin.strike', ...event })),
      subscribe('plugin.drift', ({ instance, ...event }) => this.#remember(instance, 'history', { event: 'plugin.drift', ...event })),
      subscribe('scan.blocked', ({ instance, ...event }) => this.#remember(instance, 'history', { event: 'scan.blocked', ...event })),
      subscribe('secret.leaked', ({ instance, plugin: _plugin, ...event }) => this.#remember(instance, 'history', { event: 'secret.leaked', ...event })),
      subscribe('capability.denied', ({ instance, ...event }) => this.#remember(instance, 'refused', event)),
      subscribe('egress.request', ({ instance, method, origin, code }) => code === 'EGRESS_DENIED' && this.#remember(instance, 'refused', { capability: 'http.fetch', method, origin, code })),
      subscribe('plugin.log', ({ instance, level, text, dropped }) => this.#remember(instance, 'log', { level, text, ...(dropped === undefined ? {} : { dropped }) })),
    ];
  }

  /** Oldest first. */
  of(instance: string): Lately {
    const { history, refused, log } = this.#instances.get(instance) ?? NOTHING;
    return { history: history.map(told), refused: refused.map(told), log: log.map(told) };
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #remember<K extends keyof Remembered>(instance: string, kind: K, fact: Remembered[K][number]['fact']): void {
    let remembered = this.#instances.get(instance);
    if (!remembered) this.#instances.set(instance, (remembered = { history: [], refused: [], log: [] }));
    const facts: Kept<object> = remembered[kind];
    facts.push({ atMs: this.#clock.now(), fact });
    if (facts.length > KEPT[kind]) facts.shift();
  }
}
