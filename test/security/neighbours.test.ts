// Attack 35 spin-many, and its kin: twenty plugins at once take what they can get, in a real host of its own process. An innocent plugin goes on answering, and the host's own loop goes on turning.
// What is compared was measured in the same run; the bounds are wide, because a test machine has work of its own. The figures are `npm run bench -- neighbours`.
import { describe, expect, it } from 'vitest';
import { anArena, ATTACKERS, type Arena, type Attack, type Measured } from '../support/attackers.ts';
import { eventually } from '../support/eventually.ts';
import { sampler } from '../support/sampled.ts';

/** A run tries one of them, another one each time. */
const ATTACKS = ['spin as long as permitted', 'flood the log', 'flood the host with calls'] as const satisfies readonly Attack[];
const isTried = sampler(ATTACKS.length);
const FOR_MS = 1500;
const ROUNDS = 4;

/** On time within the promised 50 ms, or no later than twice what the machine does to a calm host. */
const isOnTime = (attacked: Measured, calm: Measured) => attacked.lagP99Ms <= Math.max(50, 2 * calm.lagP99Ms);
/** Without any protection people wait fifty times as long. */
const isAnswered = (attacked: Measured, calm: Measured) => attacked.p99Ms <= Math.max(100, 5 * calm.p99Ms) && attacked.answers >= 10;

/** The first round that is good enough; a machine that was busy with something else gets another. */
async function underAttack(arena: Arena, calm: Measured): Promise<Measured> {
  let attacked = await arena.measure(FOR_MS);
  for (let round = 1; round < ROUNDS && !(isOnTime(attacked, calm) && isAnswered(attacked, calm)); round += 1) attacked = await arena.measure(FOR_MS);
  return attacked;
}

describe('twenty plugins that', () => {
  it.each(ATTACKS.filter((_, place) => isTried(place)))('%s keep neither an innocent one nor the host from their work', async (attack) => {
    await using arena = await anArena(attack);
    const calm = await arena.measure(FOR_MS);
    await arena.attack();
    const attacked = await underAttack(arena, calm);
    expect({ calm, attacked, onTime: isOnTime(attacked, calm), answered: isAnswered(attacked, calm) }).toMatchObject({ onTime: true, answered: true });
    expect(arena.host.lines.filter(({ event, instance }) => event === 'plugin' && (instance === 'echo' || instance === 'webchat'))).toEqual([]);
  });

  it('spin for ever are all given up, and the innocent one misses nothing meanwhile', async () => {
    await using arena = await anArena('spin for ever');
    const asked = arena.measure(FOR_MS);
    // A message that costs a skill its sandbox is tried twice: three strikes take two messages.
    for (let round = 0; round < 2; round += 1) await arena.attack();
    expect((await asked).answers).toBeGreaterThan(0);
    const quarantined = () => new Set(arena.host.lines.flatMap(({ event, state, instance }) => (event === 'plugin' && state === 'quarantined' ? [instance] : [])));
    await eventually(() => expect(quarantined().size).toBe(ATTACKERS), 100_000);
    expect((await arena.measure(FOR_MS)).answers).toBeGreaterThan(0);
    expect(arena.host.lines.filter(({ event, instance }) => event === 'plugin' && (instance === 'echo' || instance === 'webchat'))).toEqual([]);
  });
});
