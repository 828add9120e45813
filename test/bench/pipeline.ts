// Closed loop: channel in → moderation → skill → channel out, sandboxed in three processes and durable, at several numbers of lanes; then the same with first-party plugins.
import { quantile, startLoad } from './load.ts';

export async function pipeline({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await measure('pipeline', 'bare', smoke);
  await measure('pipeline-first-party', 'first-party', smoke);
}

async function measure(name: string, plugins: 'bare' | 'first-party', smoke: boolean): Promise<void> {
  await using load = await startLoad(plugins);
  const measureMs = smoke ? 500 : 4000;
  await run(load.roundTrip, 64, smoke ? 200 : 2000);
  for (const lanes of [1, 16, 64, 256]) {
    const { times, elapsedMs } = await run(load.roundTrip, lanes, measureMs);
    console.log(`${name} lanes=${lanes} msgPerS=${Math.round((times.length / elapsedMs) * 1000)} p50Ms=${quantile(times, 0.5).toFixed(1)} p99Ms=${quantile(times, 0.99).toFixed(1)}`);
  }
}

async function run(roundTrip: (lane: number) => Promise<number>, lanes: number, forMs: number) {
  const times: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (performance.now() - startedAt < forMs) times.push(await roundTrip(lane));
    }),
  );
  return { times, elapsedMs: performance.now() - startedAt };
}
