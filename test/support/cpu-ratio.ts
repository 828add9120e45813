// How the cost of work grows with its size, told by processor time so that a busy machine does not decide.

const LEAST_TRIES = 2;
const MOST_TRIES = 40;
/** All who ask compare sizes 8 apart: 8 when linear, 64 when quadratic. Below this, no further try is needed. */
const PLAINLY_LINEAR = 16;

/** CPU time of `large` over that of `small`, each the least of several tries; both are made big enough to be measured. Tries again while the ratio looks bad: collectors and compilers of the same process cost now one, now the other. */
export function cpuRatio(small: () => void, large: () => void): number {
  let rounds = 1;
  while (cpuUs(small, rounds) < 2000 && rounds < 4096) rounds *= 2;
  let [leastSmall, leastLarge] = [Infinity, Infinity];
  for (let tries = 0; tries < LEAST_TRIES || (tries < MOST_TRIES && leastLarge / leastSmall > PLAINLY_LINEAR); tries += 1) {
    leastSmall = Math.min(leastSmall, Math.max(1, cpuUs(small, rounds)));
    leastLarge = Math.min(leastLarge, cpuUs(large, rounds));
  }
  return leastLarge / leastSmall;
}

function cpuUs(work: () => void, rounds: number): number {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
