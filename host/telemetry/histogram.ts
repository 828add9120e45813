// A histogram that counts into an array: a message is observed some fifteen times, and prom-client looks its buckets up by a text of the labels each time. Made by series.ts.
import { Histogram, type HistogramConfiguration } from 'prom-client';

/** Counts of one combination of labels. */
export class Spread {
  readonly labels: Readonly<Record<string, string>>;
  /** How many were at most each bound and above the one before; at the end, how many were above all. */
  readonly counts: number[];
  readonly #bounds: readonly number[];
  sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** Throws for what is no number. */
  observe(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError('a histogram takes numbers');
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

/** prom-client's to the registry, with buckets of its own. https://prometheus.io/docs/instrumenting/exposition_formats/#histograms-and-summaries */
export class Spreads extends Histogram {
  readonly #about: { readonly name: string; readonly help: string };
  readonly #labelNames: readonly string[];
  readonly #bounds: readonly number[];
  readonly #spreads: Spread[] = [];

  constructor({ buckets, labelNames = [], ...about }: HistogramConfiguration<string> & { readonly buckets: number[] }) {
    super({ buckets, labelNames, ...about });
    this.#about = about;
    this.#labelNames = labelNames;
    this.#bounds = buckets;
  }

  spread(...labels: string[]): Spread {
    const spread = new Spread(Object.fromEntries(this.#labelNames.map((name, place) => [name, labels[place] ?? ''])), this.#bounds);
    this.#spreads.push(spread);
    return spread;
  }

  /** What the registry prints, and what `get` is made of. */
  async getForPromString() {
    const { name, help } = this.#about;
    const values = this.#spreads.flatMap(({ labels: sharedLabels, counts, sum }) => {
      let below = 0;
      const buckets = counts.map((count, place) => ({ labels: { le: this.#bounds[place] ?? '+Inf' }, sharedLabels, value: (below += count), metricName: `${name}_bucket` }));
      const total = (value: number, metricName: string) => ({ labels: {}, sharedLabels, value, metricName });
      return [...buckets, total(sum, `${name}_sum`), total(below, `${name}_count`)];
    });
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}
