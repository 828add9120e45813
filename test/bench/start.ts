// Start: from launching the command to `/readyz` 200, in a process of its own: the first-party defaults, each ready; and twenty enablements of which three are required, the others starting behind it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addFirstParty } from '../support/first-party.ts';
import { aHome, type TestHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';
import { quantile } from './load.ts';

export async function starts({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const rounds = smoke ? 1 : 7;
  {
    await using home = await aHome();
    for (const name of ['webchat', 'wordlist', 'clock', 'concierge', 'echo'] as const) await addFirstParty(home, name, { required: name === 'webchat' });
    report('plugins=5 required=1', await measure(home, rounds));
  }
  await using home = await aHome();
  for (const name of ['webchat', 'wordlist', 'echo'] as const) await addFirstParty(home, name, { required: true });
  for (let n = 0; n < 17; n += 1) await home.add({ name: `skill-${n}`, kind: 'skill', source: "gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });", manifest: { skill: {} } });
  report('plugins=20 required=3', await measure(home, rounds));
}

interface Start {
  readonly readyMs: number;
  /** Every enablement has settled. */
  readonly settledMs: number;
}

async function measure(home: TestHome, rounds: number): Promise<Start[]> {
  const all: Start[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    const starting = startProcess(home.path);
    const readyMs = (await readyAt(home)) - startedAt;
    await using _host = await starting;
    all.push({ readyMs, settledMs: performance.now() - startedAt });
  }
  return all;
}

/** The host writes its address as soon as it listens. */
async function readyAt({ path }: TestHome): Promise<number> {
  for (;;) {
    try {
      const { address } = JSON.parse(await readFile(join(path, 'data', 'run.json'), 'utf8')) as { address: string };
      if ((await fetch(`${address}/readyz`)).status === 200) return performance.now();
    } catch {
      // not yet written, or not yet listening
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function report(what: string, starts: readonly Start[]): void {
  const ready = starts.map(({ readyMs }) => readyMs);
  console.log(`start ${what} runs=${starts.length} readyMedianMs=${Math.round(quantile(ready, 0.5))} readyMaxMs=${Math.round(Math.max(...ready))} settledMedianMs=${Math.round(quantile(starts.map(({ settledMs }) => settledMs), 0.5))}`);
}
