// Withholds an answer that holds a secret of the instance it is for. egress.ts calls it for every answer, those that redirect included, before anything of it goes on.
import { GatehouseError } from '../errors.ts';
import { publish } from '../events.ts';
import type { Injection } from './injection.ts';

/** What came back, as far as anybody else will see it. */
export interface Arrived {
  readonly status: number;
  readonly statusText?: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface Leak {
  readonly handle: string;
  readonly where: 'status' | 'headers' | 'body';
}

/** The first secret found; undefined when there is none. Takes 1 to 20 ms for 256 KiB, by how much of it is escapes. */
export function leakScan({ statusText = '', headers, body }: Arrived, injections: readonly Injection[]): Leak | undefined {
  if (injections.length === 0) return undefined;
  const places = { status: statusText, headers: Object.entries(headers).flatMap(([name, value]) => [name, ...[value ?? ''].flat()]).join('\n'), body } as const satisfies Record<Leak['where'], string>;
  for (const where of ['status', 'headers', 'body'] as const) {
    const leaking = injections.find((each) => each.leaksIn(places[where]));
    if (leaking) return { handle: leaking.handle, where };
  }
  return undefined;
}

/**
 * Throws SECRET_LEAK, after an event, when `arrived` holds a secret; its fields name handle and place, and the status, by which a delivery is still judged.
 * No strike: what a server sends back proves nothing about the plugin. `isRead` says whether the plugin would have had the answer; only then can it be after it.
 */
export function refuseLeak({ instance, plugin }: { readonly instance: string; readonly plugin: string }, origin: string, arrived: Arrived, { injections, isRead }: { readonly injections: readonly Injection[]; readonly isRead: boolean }): void {
  const leak = leakScan(arrived, injections);
  if (!leak) return;
  publish('secret.leaked', { instance, plugin, origin, ...leak, isRead });
  throw new GatehouseError('SECRET_LEAK', { instance, origin, ...leak, status: arrived.status });
}
