// A host that was killed over a long queue: it is ready about as soon as one with nothing to do, answers everything once and in order, and does not keep the queue in memory.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { aQueue, waitingIn, type Queue } from '../support/queue.ts';

const MESSAGES = 5000;
const CONVERSATIONS = 100;

/** The best of some starts: a test machine has work of its own. */
async function bestStart(queue: Queue): Promise<number> {
  const took: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const { host, readyMs } = await queue.start();
    took.push(readyMs);
    host.child.kill('SIGKILL');
    await host.exited;
  }
  return Math.min(...took);
}

describe('a long queue', () => {
  it('holds up neither a start nor a kill in the middle of it, and is answered once and in order', async () => {
    await using nothing = await aQueue(0, 1);
    const emptyMs = await bestStart(nothing);
    await using queue = await aQueue(MESSAGES, CONVERSATIONS);
    const fullMs = await bestStart(queue);
    // 100,000 make it about half as long again, see `npm run bench -- recovery-queue`.
    expect(fullMs).toBeLessThan(emptyMs * 3);

    const { host } = await queue.start();
    await using _ = host;
    await eventually(async () => expect(await waitingIn(host, queue.home)).toBe(0), 120_000);
    let answered = 0;
    for (let conversation = 0; conversation < CONVERSATIONS; conversation += 1) {
      const numbers = (await queue.replies(host, conversation)).map(Number);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(new Set(numbers).size).toBe(numbers.length);
      answered += numbers.length;
    }
    expect(answered).toBe(MESSAGES);
  });
});
