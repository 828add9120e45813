// Names to addresses. Made by host.ts, asked by connector.ts once for each connection; the answer is the one the socket uses.
import { lookup, Resolver } from 'node:dns/promises';
import { BOUNDS } from '../../schemas/bounds.ts';

export interface Resolve {
  /** Every address of the name; none when there is no such name. `excepted` names are the operator's own. Rejects when no server answers. */
  (name: string, options: { readonly excepted: boolean }): Promise<readonly string[]>;
}

/**
 * Names of the world are asked of DNS servers directly, by c-ares. The system's own look-up would do it on libuv's thread pool, four threads that commits to the
 * store use too: four names whose servers never answer stop every commit (measured: 26 s with the four threads busy). Only names that the
 * operator excepts may stand in /etc/hosts or end in a search domain; for these the system is asked, one at a time.
 * `servers` default to those of /etc/resolv.conf.
 */
export function systemResolver(servers?: readonly string[]): Resolve {
  const resolver = new Resolver({ timeout: BOUNDS.fetchConnectMs / 2, tries: 2 });
  if (servers) resolver.setServers(servers);
  let turn: Promise<unknown> = Promise.resolve();

  const askSystem = async (name: string) => (await lookup(name, { all: true })).map(({ address }) => address);
  const askServers = async (name: string) => {
    const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
    return [...(four.status === 'fulfilled' ? four.value : []), ...(six.status === 'fulfilled' ? six.value : [])];
  };

  return async (name, { excepted }) => {
    if (!excepted) return await askServers(name);
    const mine = turn.then(() => askSystem(name));
    turn = mine.catch(() => undefined);
    return await mine;
  };
}
