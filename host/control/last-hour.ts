// The last hour of this host in steps of ten seconds, in memory: what an operator looks at first. Fed by the host's events and one look a step; read by routes/last-hour.ts.
import { STEPS, STEP_MS, type LastHourView } from '../../schemas/last-hour.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { problemOf } from '../errors.ts';
import { subscribe } from '../events.ts';
import type { Host } from '../host.ts';

type Count = keyof LastHourView['counts'];
type Depth = Record<keyof LastHourView['depth'], number>;

/** Buckets a fifth apart, from 0.1 ms to some 15 minutes; everything slower is in the last one. */
const GROWTH = 1.2;
const FIRST_MS = 0.1;
const BUCKETS = 90;

interface Slot {
  readonly startMs: number;
  readonly counts: Record<Count, number>;
  readonly ingest: Uint32Array;
  readonly delivery: Uint32Array;
  depth: Depth | undefined;
}

/** A ring of one hour: about 300 KB, however much happens. */
export class LastHour {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #slots: Slot[] = [];

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  count(what: Count): void {
    this.#current().counts[what] += 1;
  }

  measure(what: 'ingest' | 'delivery', durationMs: number): void {
    const buckets = this.#current()[what];
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log(durationMs / FIRST_MS) / Math.log(GROWTH))));
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }

  sample(depth: Depth): void {
    this.#current().depth = depth;
  }

  view(): LastHourView {
    this.#current();
    const slots = this.#slots;
    const counted = (what: Count) => slots.map(({ counts }) => counts[what]);
    const share = (what: 'ingest' | 'delivery', part: number) => slots.map((slot) => quantile(slot[what], part));
    const seen = (what: keyof Depth) => slots.map(({ depth }) => depth?.[what] ?? null);
    return {
      stepMs: STEP_MS,
      at: slots.map(({ startMs }) => toTimestamp(startMs)),
      counts: { accepted: counted('accepted'), delivered: counted('delivered'), denied: counted('denied'), deadLettered: counted('deadLettered'), calls: counted('calls'), failedCalls: counted('failedCalls'), restarts: counted('restarts') },
      latency: { ingestP50Ms: share('ingest', 0.5), ingestP99Ms: share('ingest', 0.99), deliveryP50Ms: share('delivery', 0.5), deliveryP99Ms: share('delivery', 0.99) },
      depth: { messages: seen('messages'), deliveries: seen('deliveries'), deadLetters: seen('deadLetters'), pressure: seen('pressure') },
    };
  }

  /** The step of this moment. A clock that was set back by a step goes on in the newest one; by more it begins anew, as one set far ahead does. */
  #current(): Slot {
    const startMs = Math.floor(this.#clock.now() / STEP_MS) * STEP_MS;
    const newest = this.#slots.at(-1);
    if (newest && newest.startMs - startMs > STEP_MS) this.#slots.length = 0;
    const last = this.#slots.at(-1);
    if (last && startMs <= last.startMs) return last;
    const missing = last ? Math.min(STEPS, (startMs - last.startMs) / STEP_MS) : 1;
    for (let back = missing - 1; back >= 0; back -= 1) this.#slots.push(emptySlot(startMs - back * STEP_MS));
    this.#slots.splice(0, this.#slots.length - STEPS);
    return this.#slots.at(-1) ?? emptySlot(startMs);
  }
}

const emptySlot = (startMs: number): Slot => ({
  startMs,
  counts: { accepted: 0, delivered: 0, denied: 0, deadLettered: 0, calls: 0, failedCalls: 0, restarts: 0 },
  ingest: new Uint32Array(BUCKETS),
  delivery: new Uint32Array(BUCKETS),
  depth: undefined,
});

/** The upper bound of the bucket in which so many of the values are passed; null without values. */
function quantile(buckets: Uint32Array, part: number): number | null {
  const wanted = buckets.reduce((sum, each) => sum + each, 0) * part;
  if (wanted === 0) return null;
  let passed = 0;
  const bucket = buckets.findIndex((each) => (passed += each) >= wanted);
  return Math.round(FIRST_MS * GROWTH ** bucket * 100) / 100;
}

/** Fills the ring until it is disposed of. */
export function recordLastHour(hour: LastHour, host: Pick<Host, 'status' | 'log'>): Disposable {
  const stop = [
    subscribe('message.outcome', ({ outcome, durationMs }) => {
      if (outcome === 'accepted') {
        hour.count('accepted');
        if (durationMs !== undefined) hour.measure('ingest', durationMs);
      } else if (outcome === 'delivered') {
        hour.count('delivered');
        if (durationMs !== undefined) hour.measure('delivery', durationMs);
      } else if (outcome === 'denied') hour.count('denied');
    }),
    subscribe('dead-letter.created', () => hour.count('deadLettered')),
    subscribe('plugin.call', ({ ok }) => {
      hour.count('calls');
      if (!ok) hour.count('failedCalls');
    }),
    subscribe('plugin.restarted', () => hour.count('restarts')),
  ];
  const look = () => {
    host.status().then(
      ({ lanes, deliveries, deadLetters, pressure }) => hour.sample({ messages: lanes.waiting + lanes.running, deliveries: deliveries.waiting + deliveries.running, deadLetters, pressure: pressure.ratio }),
      (error: unknown) => host.log.debug({ err: problemOf(error) }, 'the depth of the queues could not be read'),
    );
  };
  const timer = setInterval(look, STEP_MS);
  look();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      for (const each of stop) each();
    },
  };
}
