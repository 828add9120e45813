// Open loop: messages arrive at a fixed rate whether or not the ones before are done, as from people; latency from arrival to settled.
import { quantile, startLoad } from './load.ts';

const PER_SECOND = 1000;
const LANES = 200;

export async function openLoop({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await using load = await startLoad();
  await arrivals(load.roundTrip, smoke ? 300 : 2000);
  const times = await arrivals(load.roundTrip, smoke ? 500 : 8000);
  console.log(`open-loop perS=${PER_SECOND} messages=${times.length} p50Ms=${quantile(times, 0.5).toFixed(1)} p99Ms=${quantile(times, 0.99).toFixed(1)}`);
}

/** One message each 1/PER_SECOND on average, caught up in steps of a timer tick; a lane still busy passes its turn to the next. */
async function arrivals(roundTrip: (lane: number) => Promise<number>, forMs: number): Promise<number[]> {
  const times: number[] = [];
  const running = new Set<Promise<void>>();
  const busy = new Set<number>();
  const startedAt = performance.now();
  let sent = 0;
  let lane = 0;
  while (performance.now() - startedAt < forMs) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * PER_SECOND);
    while (sent < due && busy.size < LANES) {
      do lane = (lane + 1) % LANES;
      while (busy.has(lane));
      const mine = lane;
      busy.add(mine);
      sent += 1;
      const one = roundTrip(mine).then((ms) => {
        times.push(ms);
        busy.delete(mine);
        running.delete(one);
      });
      running.add(one);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
  return times;
}
