// Kills the sandbox of one instance and times how long it is away: from the signal to the end of the first call it answers afterwards, as the host's own events tell. For tests and benches; the caller keeps the calls coming.
import { subscribe } from '../../host/events.ts';

export interface Comebacks extends Disposable {
  /** Rejects after 60 s. */
  kill(instance: string): Promise<number>;
}

/** From before the host starts: it must hear which process is whose. */
export function watchComebacks(): Comebacks {
  const pids = new Map<string, number>();
  const unsubscribe = subscribe('sandbox.started', ({ instance, pid }) => void pids.set(instance, pid));
  return {
    async kill(instance) {
      const pid = pids.get(instance);
      if (pid === undefined) throw new Error(`'${instance}' was never started`);
      const back = Promise.withResolvers<number>();
      const killedAt = performance.now();
      let isDown = false;
      const listening = [
        subscribe('sandbox.ended', (end) => void (end.pid === pid && (isDown = true))),
        subscribe('plugin.call', (call) => isDown && call.instance === instance && call.ok && back.resolve(performance.now() - killedAt)),
      ];
      const tooLate = setTimeout(() => back.reject(new Error(`'${instance}' did not come back`)), 60_000);
      process.kill(pid, 'SIGKILL');
      try {
        return await back.promise;
      } finally {
        clearTimeout(tooLate);
        for (const stop of listening) stop();
      }
    },
    [Symbol.dispose]: unsubscribe,
  };
}
