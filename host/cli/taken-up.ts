// Has a running host take up what a command wrote into the home, and says what became of it. Called by enable.ts.
import type { PluginView } from '../../schemas/control.ts';
import { HostSaidNo, type HostClient } from './client.ts';
import { plainLine, type Io } from './io.ts';

/** States of an instance that serves, or is about to. */
const SERVES: ReadonlySet<PluginView['state']> = new Set(['approved', 'starting', 'active', 'impaired', 'hibernated']);

/** The host looks at the home at once, with the operator's word for this instance, and answers when its first try has ended. Exit code 3 when it does not serve. */
export async function takeUp(instance: string, host: HostClient, io: Io): Promise<PluginView> {
  const path = `/plugins/${encodeURIComponent(instance)}`;
  const view = await host.post<PluginView>(`${path}/enable`).catch(async (thrown: unknown) => {
    if (!(thrown instanceof HostSaidNo) || thrown.code !== 'TRANSITION_ILLEGAL') throw thrown;
    const now = await host.get<PluginView>(path);
    if (now.state !== 'quarantined') throw thrown; // what it has read waits there for a reviewer
    return now;
  });
  if (!SERVES.has(view.state)) io.exitWith(3);
  return view;
}

/** For people: what it is now, and what is to be done where that is not enough. */
export function becameOf(io: Io, { instance, version, state, code, message }: PluginView): string {
  const why = message === undefined ? '.' : `: ${plainLine(message, 600)}${code === undefined ? '' : ` (${code})`}`;
  if (state === 'quarantined') return `${io.tone('yellow', `${instance} stays quarantined`)}${why}\n${version ?? 'It'} waits: \`gatehouse plugins release ${instance} --reason …\`.`;
  const line = `${instance} is ${state}${version === null ? '' : ` (${version})`}`;
  return `${message === undefined ? line : io.tone('yellow', line)}${why}`;
}
