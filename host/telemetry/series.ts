// Counters and histograms whose labels cannot grow without bound. Used by metrics.ts and gauges.ts.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ERRORS } from '../errors.ts';

/** Combinations of labels a metric keeps apart; more than any operator has. What comes after them is counted as `other`. A histogram is a dozen series for each. */
const COMBINATIONS = { counter: 4096, histogram: 512 } as const;

/** The makers of one registry's metrics. What they make is called with the values of the labels, in order. */
export function seriesOf(registry: Registry) {
  const registers = [registry];
  return {
    counter: (name: string, help: string, ...labelNames: string[]): ((...labels: string[]) => Counter.Internal) => {
      const counter = new Counter({ name, help, labelNames, registers });
      return labelNames.length === 0 ? () => counter : remember(COMBINATIONS.counter, (...labels) => counter.labels(...labels));
    },
    histogram: (name: string, help: string, buckets: number[], ...labelNames: string[]): ((...labels: string[]) => Histogram.Internal<string>) => {
      const histogram = new Histogram({ name, help, labelNames, buckets, registers });
      return labelNames.length === 0 ? () => histogram : remember(COMBINATIONS.histogram, (...labels) => histogram.labels(...labels));
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

/** Keeps labelled children at hand: prom-client's own look-up costs more than the counting. */
function remember<Child>(most: number, create: (...labels: string[]) => Child): (...labels: string[]) => Child {
  const children = new Map<string, Child>();
  return (...labels) => {
    const key = labels.length === 1 ? String(labels[0]) : labels.join('\n');
    const known = children.get(key);
    if (known) return known;
    if (children.size >= most) return create(...labels.map(() => 'other'));
    const child = create(...labels);
    children.set(key, child);
    return child;
  };
}

/** Codes of the error table, and one word for all others: a label is never foreign text. */
export function knownCode(code: string | undefined): string {
  if (code === undefined) return '';
  return Object.hasOwn(ERRORS, code) ? code : 'other';
}

export const oneWord = (cause: string) => (/^[a-z-]{1,40}$/.test(cause) ? cause : 'other');
