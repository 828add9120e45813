// Start over a long queue: 100,000 accepted messages without an answer, kill -9, and how long until `/readyz` says 200; beside the start of the same host with nothing to do.
import { readFileSync } from 'node:fs';
import { aQueue, waitingIn } from '../support/queue.ts';
import { quantile } from './load.ts';

export async function recoveryQueue({ smoke }: { readonly smoke: boolean }): Promise<void> {
  const messages = smoke ? 2000 : 100_000;
  const runs = smoke ? 1 : 5;
  const empty: number[] = [];
  {
    await using queue = await aQueue(0, 1);
    for (let run = 0; run < runs; run += 1) {
      const { host, readyMs } = await queue.start();
      await using _ = host;
      empty.push(readyMs);
    }
  }
  await using queue = await aQueue(messages, smoke ? 100 : 1000);
  const full: number[] = [];
  let waiting = 0;
  let anonymousMb = 0;
  for (let run = 0; run < runs; run += 1) {
    const { host, readyMs } = await queue.start();
    full.push(readyMs);
    if (run === 0) {
      waiting = await waitingIn(host, queue.home);
      anonymousMb = Math.round(Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${host.pid}/status`, 'utf8'))?.[1]) / 1024);
    }
    if (run < runs - 1) {
      host.child.kill('SIGKILL'); // again, with hardly less to do
      await host.exited;
      continue;
    }
    const startedAt = performance.now();
    while ((await waitingIn(host, queue.home)) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const drainedS = (performance.now() - startedAt) / 1000;
    await host[Symbol.asyncDispose]();
    console.log(`recovery-queue queued=${waiting} runs=${runs} readyMedianMs=${Math.round(quantile(full, 0.5))} readyMaxMs=${Math.round(Math.max(...full))} emptyMedianMs=${Math.round(quantile(empty, 0.5))} hostAnonMb=${anonymousMb} answeredInS=${drainedS.toFixed(1)}`);
  }
}
