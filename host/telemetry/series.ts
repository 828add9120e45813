// Counters and histograms whose labels cannot grow without bound. Used by metrics.ts and gauges.ts.
import { Counter, Gauge, type Registry } from 'prom-client';
import { ERRORS } from '../errors.ts';
import { Spreads, type Spread } from './histogram.ts';

/** Combinations of labels a metric keeps apart; more than any operator has. What comes after them is counted as `other`. A histogram is a dozen series for each. */
const COMBINATIONS = { counter: 4096, histogram: 512 } as const;

/** The makers of one registry's metrics. What they make is called with the values of the labels, in order. */
export function seriesOf(registry: Registry) {
  const registers = [registry];
  return {
    counter: (name: string, help: string, ...labelNames: string[]): ((...labels: string[]) => Tally) => {
      const tallies: Tally[] = [];
      const counter = new Counter({ name, help, labelNames, registers, collect() {
        for (const each of tallies) each.settle();
      } });
      const tally = (...labels: string[]) => {
        const made = new Tally(labelNames.length === 0 ? counter : counter.labels(...labels));
        tallies.push(made);
        return made;
      };
      if (labelNames.length > 0) return remember(COMBINATIONS.counter, tally);
      const only = tally();
      return () => only;
    },
    histogram: (name: string, help: string, buckets: number[], ...labelNames: string[]): ((...labels: string[]) => Spread) => {
      const spreads = new Spreads({ name, help, labelNames, buckets, registers });
      if (labelNames.length > 0) return remember(COMBINATIONS.histogram, (...labels) => spreads.spread(...labels));
      const only = spreads.spread();
      return () => only;
    },
    /** Read anew at each scrape; what `collect` does not set is gone. */
    gauge: (name: string, help: string, labelNames: string[], collect: (self: Gauge) => void | Promise<void>): void => {
      // oxlint-disable-next-line no-new -- it registers itself
      new Gauge({ name, help, labelNames, registers, collect() {
        this.reset();
        return collect(this);
      } });
    },
    /** Moved by events, never read anew. */
    level: (name: string, help: string) => new Gauge({ name, help, registers }),
  };
}

export type Series = ReturnType<typeof seriesOf>;

/** Counts until the next scrape: a message moves some thirty counters, and prom-client looks each up by a text of its labels. */
class Tally {
  readonly #counter: { inc(by: number): void };
  #count = 0;

  constructor(counter: { inc(by: number): void }) {
    this.#counter = counter;
  }

  /** Throws for what is no number, or would count backwards. */
  inc(by = 1): void {
    if (!(by >= 0 && by < Infinity)) throw new RangeError('a counter goes up');
    this.#count += by;
  }

  settle(): void {
    if (this.#count > 0) this.#counter.inc(this.#count);
    this.#count = 0;
  }
}

type Kept<Child> = Map<string, Child | Kept<Child>>;

/** Keeps labelled children at hand, label by label: prom-client's own look-up, like any by a text of all labels, costs more than the counting. */
function remember<Child extends object>(most: number, create: (...labels: string[]) => Child): (...labels: string[]) => Child {
  const kept: Kept<Child> = new Map();
  let size = 0;
  let other: Child | undefined;
  return (...labels) => {
    let at: Kept<Child> | Child | undefined = kept;
    for (const label of labels) at = at instanceof Map ? at.get(label) : undefined;
    if (at && !(at instanceof Map)) return at;
    if (size >= most) return (other ??= create(...labels.map(() => 'other')));
    size += 1;
    const child = create(...labels);
    keep(kept, labels, child);
    return child;
  };
}

function keep<Child extends object>(kept: Kept<Child>, labels: readonly string[], child: Child): void {
  let at = kept;
  for (const [place, label] of labels.entries()) {
    if (place === labels.length - 1) return void at.set(label, child);
    const found = at.get(label);
    const below: Kept<Child> = found instanceof Map ? found : new Map<string, Child | Kept<Child>>();
    at.set(label, below);
    at = below;
  }
}

/** Codes of the error table, and one word for all others: a label is never foreign text. */
export function knownCode(code: string | undefined): string {
  if (code === undefined) return '';
  return Object.hasOwn(ERRORS, code) ? code : 'other';
}

export const oneWord = (cause: string) => (/^[a-z-]{1,40}$/.test(cause) ? cause : 'other');
