// Has a running host take up what a command wrote into the home, and says what became of it. Called by enable.ts.
import type { PluginView } from '../../schemas/control.ts';
import type { HostClient } from './client.ts';
import { plainLine, type Io } from './io.ts';

/** States of an instance that serves, or is about to. */
const SERVES: ReadonlySet<PluginView['state']> = new Set(['approved', 'starting', 'active', 'impaired', 'hibernated']);

/** The host looks at the home at once, with the operator's word for this instance, and answers when its first try has ended. Exit code 3 when it does not serve. */
export async function takeUp(instance: string, host: HostClient, io: Io): Promise<PluginView> {
  const view = await host.post<PluginView>(`/plugins/${encodeURIComponent(instance)}/enable`);
  if (!SERVES.has(view.state)) io.exitWith(3);
  return view;
}

/** One line for people. */
export function becameOf(io: Io, { instance, version, state, code, message }: PluginView): string {
  const line = `${instance} is ${state}${version === null ? '' : ` (${version})`}`;
  return message === undefined ? `${line}.` : `${io.tone('yellow', line)}: ${plainLine(message, 600)}${code === undefined ? '' : ` (${code})`}`;
}
