// In which lane a message waits. The host's own commands wait in a lane beside that of their session: `/stop` must not be answered after what it is to stop, and `/status` not after what it is to speak of.
import { hostCommand } from './host-commands.ts';
import type { Parsed } from './parse.ts';

/** No session key begins with it: they begin with an instance, or with `@`. */
const ASIDE = '!';

export const isAside = (parsed: Parsed): boolean => parsed.kind === 'command' && hostCommand(parsed.name) !== undefined;

export const laneOf = (sessionKey: string, aside: boolean): string => (aside ? `${ASIDE}${sessionKey}` : sessionKey);

export const isAsideLane = (lane: string): boolean => lane.startsWith(ASIDE);

/** The session of a lane. */
export const sessionOfLane = (lane: string): string => (isAsideLane(lane) ? lane.slice(ASIDE.length) : lane);
