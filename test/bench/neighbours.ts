// What twenty attackers cost an innocent plugin and the host: how long its people wait and how late the host's loop is, calm and under attack, in one run.
import { anArena, ATTACKS, type Attack, type Measured } from '../support/attackers.ts';

const NAMES = Object.keys(ATTACKS).filter((name): name is Attack => name in ATTACKS);

export async function neighbours({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const forMs = smoke ? 1000 : 8000;
  for (const name of NAMES) {
    await using arena = await anArena(name);
    await arena.measure(1000); // warm
    const calm = await arena.measure(forMs);
    await arena.attack();
    const attacked = await arena.measure(forMs);
    console.log(`neighbours attack="${name}" ${line('calm', calm)} ${line('attacked', attacked)} p99Ratio=${(attacked.p99Ms / calm.p99Ms).toFixed(2)}`);
  }
}

const line = (when: string, { p50Ms, p99Ms, answers, lagP99Ms, lagMaxMs }: Measured) => `${when}: answers=${answers} p50Ms=${p50Ms.toFixed(1)} p99Ms=${p99Ms.toFixed(1)} lagP99Ms=${lagP99Ms.toFixed(1)} lagMaxMs=${lagMaxMs.toFixed(1)}`;
