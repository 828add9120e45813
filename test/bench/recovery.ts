// How long a plugin is away when its sandbox is killed under load: from the signal to the first call it answers again, through the whole host. And what a message waits meanwhile.
import { watchComebacks } from '../support/comeback.ts';
import { quantile, startLoad } from './load.ts';

const LANES = 64;

export async function recovery({ smoke }: { readonly smoke: boolean }): Promise<void> {
  using comebacks = watchComebacks();
  await using load = await startLoad();
  const state = { over: false };
  let longestMs = 0;
  let messages = 0;
  const traffic = Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      while (!state.over) {
        // A message in arrival when its gate or channel is killed is refused, and its source sends it again.
        const tookMs = await load.roundTrip(lane).catch(() => undefined);
        if (tookMs !== undefined) [longestMs, messages] = [Math.max(longestMs, tookMs), messages + 1];
      }
    }),
  );
  for (const instance of ['repeat', 'gate', 'door']) {
    const took: number[] = [];
    for (let kill = 0; kill < (smoke ? 2 : 20); kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 250)); // warm processes are made again meanwhile
      took.push(await comebacks.kill(instance));
    }
    console.log(`recovery lanes=${LANES} killed=${instance} kills=${took.length} backP50Ms=${quantile(took, 0.5).toFixed(0)} backMaxMs=${Math.max(...took).toFixed(0)}`);
  }
  state.over = true;
  await traffic;
  console.log(`recovery messages=${messages} longestMessageMs=${longestMs.toFixed(0)}`);
}
