// Start: from launching the command to `/readyz` 200, with the first-party defaults, in a process of its own.
import { addFirstParty } from '../support/first-party.ts';
import { aHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { quantile } from './load.ts';

export async function starts({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await using home = await aHome();
  for (const name of ['webchat', 'wordlist', 'clock', 'concierge', 'echo'] as const) await addFirstParty(home, name, { required: name === 'webchat' });
  const ready: number[] = [];
  for (let round = 0; round < (smoke ? 1 : 7); round += 1) {
    const startedAt = performance.now();
    await using host = await startProcess(home.path);
    if ((await fetch(`${host.address}/readyz`)).status !== 200) throw new Error('not ready');
    ready.push(performance.now() - startedAt);
  }
  console.log(`start plugins=5 runs=${ready.length} readyMedianMs=${Math.round(quantile(ready, 0.5))} readyMaxMs=${Math.round(Math.max(...ready))}`);
}
