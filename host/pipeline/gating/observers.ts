// Tells observers what passed. moderate.ts, screen.ts and outbox.ts do, once the gates are done.
import type { Direction, Message } from '../../../schemas/message.ts';
import type { PluginCalls } from '../plugin-calls.ts';
import type { PluginDirectory } from '../plugin-directory.ts';
import type { PluginWrites } from '../plugin-writes.ts';
import { withoutOriginals } from './provenance.ts';

export interface ObserverParts {
  readonly calls: PluginCalls;
  readonly directory: Pick<PluginDirectory, 'observers'>;
  readonly writes: PluginWrites;
}

/** They are told and not waited for; whatever becomes of the call, the message goes on. */
export function tellObservers(direction: Direction, attemptKey: string, passed: Message, { calls, directory, writes }: ObserverParts): void {
  const observers = directory.observers(direction);
  if (observers.length === 0) return;
  const message = withoutOriginals(passed);
  for (const observer of observers) {
    if (!observer.available) continue;
    // What it writes is its own, in a commit of its own; sending is not for it, because the message may yet come to nothing and be judged again.
    void calls
      .call(observer.instance, 'evaluate', { message, direction }, { attemptKey, waitMs: 0, hops: message.hops, maySend: false })
      .then(({ result, scope }) => (result.ok ? writes.commit(scope) : undefined))
      .catch(() => undefined); // what became of it concerns nobody but the observer, whose supervisor counts it
  }
}
