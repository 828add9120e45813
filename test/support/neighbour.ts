// An innocent plugin beside an attack: keeps asking it, and says how often it answered while the attack ran.
import { expect } from 'vitest';
import { recordAttack, Stopwatch, WORST_ANSWER_MS } from './attack-record.ts';
import { openChat } from './chat.ts';
import { addFirstParty } from './first-party.ts';
import { eventually } from './eventually.ts';
import { startGatehouse, type Gatehouse } from './gatehouse.ts';
import { aHome, type TestHome } from './home.ts';

/** Enables webchat and echo: the innocent ones. */
export async function addNeighbours(home: TestHome): Promise<void> {
  // The one who asks without pause would meet the rate limit for people.
  await addFirstParty(home, 'webchat', { required: true, admit: { senderPerSecond: 1_000_000 } });
  await addFirstParty(home, 'echo', { required: true, order: 1 });
}

/** Runs `attack` while the neighbour is asked without pause; each question must be answered rightly and in good time, and at least one before, one after. */
export async function besideNeighbour<T>(gatehouse: Gatehouse, attack: () => Promise<T>): Promise<T> {
  await using chat = await openChat(gatehouse.address);
  const state = { over: false };
  const stopwatch = new Stopwatch();
  let answered = 0;
  const asking = (async () => {
    while (!state.over) {
      expect(await stopwatch.time(() => chat.ask(`echo still here ${answered}`))).toBe(`still here ${answered}`);
      answered += 1;
    }
  })();
  try {
    const result = await Promise.race([attack(), asking.then(() => new Promise<never>(() => undefined))]);
    state.over = true;
    await asking;
    expect(await chat.ask('echo and after')).toBe('and after');
    expect(answered).toBeGreaterThan(0);
    expect(stopwatch.served.worstMs).toBeLessThan(WORST_ANSWER_MS);
    recordAttack(expect.getState(), stopwatch.served);
    return result;
  } finally {
    state.over = true;
  }
}

export interface StandingNeighbour extends AsyncDisposable {
  /** Fails unless every question was answered rightly and in good time since the last time this was asked, and at least one more is; notes how it fared. */
  unharmed(): Promise<void>;
}

/** A whole host of innocent plugins, asked without pause until it is disposed of: for attacks that come one after the other and need no host of their own. */
export async function standingNeighbour(): Promise<StandingNeighbour> {
  await using parts = new AsyncDisposableStack();
  const home = parts.use(await aHome());
  await addNeighbours(home);
  const gatehouse = parts.use(await startGatehouse(home));
  const chat = parts.use(await openChat(gatehouse.address));
  const state = { over: false };
  const wrong: string[] = [];
  let stopwatch = new Stopwatch();
  let asked = 0;
  const asking = (async () => {
    while (!state.over) {
      asked += 1;
      const answer = await stopwatch.time(() => chat.ask(`echo ${asked}`));
      if (answer !== String(asked)) wrong.push(answer);
    }
  })();
  const stack = parts.move();
  return {
    async unharmed() {
      const { answered } = stopwatch.served;
      await eventually(() => expect(stopwatch.served.answered).toBeGreaterThan(answered));
      const { served } = stopwatch;
      stopwatch = new Stopwatch();
      expect(wrong).toEqual([]);
      expect(served.worstMs).toBeLessThan(WORST_ANSWER_MS);
      recordAttack(expect.getState(), served);
    },
    async [Symbol.asyncDispose]() {
      state.over = true;
      await asking;
      await stack.disposeAsync();
    },
  };
}
