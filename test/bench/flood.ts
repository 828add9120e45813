// What one sender who floods costs all others: how long their messages take, calm and beside the flood, in one run; with the usual rate for a sender, and without any.
import { setTimeout as sleep } from 'node:timers/promises';
import { NotAccepted, quantile, startLoad, type Load } from './load.ts';

const CALM_SENDERS = 8;
const CALM_EVERY_MS = 40;
const FLOOD_AT_ONCE = 32;
const FLOOD_CONVERSATIONS = 256;
/** How long the flood waits after it was refused. */
const REFUSED_MS = 1;

export async function flood({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const forMs = smoke ? 1000 : 8000;
  for (const [limit, senderPerSecond] of [['200 a second', 200], ['none', 1_000_000]] as const) {
    await using load = await startLoad('bare', { senderPerSecond });
    await calm(load, 1000); // warm
    const alone = await calm(load, forMs);
    const flooding = startFlood(load);
    const beside = await calm(load, forMs);
    const { taken, refused } = await flooding.stop();
    const [aloneP99, besideP99] = [quantile(alone, 0.99), quantile(beside, 0.99)];
    console.log(`flood senderLimit="${limit}" alone: p50Ms=${quantile(alone, 0.5).toFixed(1)} p99Ms=${aloneP99.toFixed(1)} beside: p50Ms=${quantile(beside, 0.5).toFixed(1)} p99Ms=${besideP99.toFixed(1)} p99Ratio=${(besideP99 / aloneP99).toFixed(2)} floodTaken=${taken} floodRefused=${refused}`);
  }
}

/** Senders who write every so often, whatever becomes of what they wrote before. */
async function calm({ roundTrip }: Load, forMs: number): Promise<number[]> {
  const times: Promise<number>[] = [];
  await Promise.all(
    Array.from({ length: CALM_SENDERS }, async (_, lane) => {
      const until = performance.now() + forMs;
      await sleep((lane * CALM_EVERY_MS) / CALM_SENDERS);
      while (performance.now() < until) {
        times.push(roundTrip(lane));
        await sleep(CALM_EVERY_MS);
      }
    }),
  );
  return await Promise.all(times);
}

function startFlood({ roundTrip }: Load) {
  const state = { over: false, taken: 0, refused: 0 };
  const running = Promise.all(
    Array.from({ length: FLOOD_AT_ONCE }, async (_, worker) => {
      for (let n = worker; !state.over; n += FLOOD_AT_ONCE) {
        try {
          await roundTrip(1000 + (n % FLOOD_CONVERSATIONS), 'mallory');
          state.taken += 1;
        } catch (error) {
          if (!(error instanceof NotAccepted)) throw error;
          state.refused += 1;
          await sleep(REFUSED_MS);
        }
      }
    }),
  );
  return {
    async stop() {
      state.over = true;
      await running;
      return { taken: state.taken, refused: state.refused };
    },
  };
}
