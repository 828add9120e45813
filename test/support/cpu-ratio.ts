// How the cost of work grows with its size, told by processor time so that a busy machine does not decide.

/** CPU time of `large` over that of `small`, each the least of several tries; both are made big enough to be measured. */
export function cpuRatio(small: () => void, large: () => void): number {
  let rounds = 1;
  while (cpuUs(small, rounds) < 2000 && rounds < 4096) rounds *= 2;
  const least = (work: () => void) => Math.min(...Array.from({ length: 5 }, () => cpuUs(work, rounds)));
  return least(large) / Math.max(1, least(small));
}

function cpuUs(work: () => void, rounds: number): number {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
