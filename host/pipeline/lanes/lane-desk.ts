// What an operator sees of lanes and does to them: the list, the mode of a session, the end of a run. host.ts shows it to the control plane, commands ask it in a chat.
import type { LaneView } from '../../../schemas/control.ts';
import type { QueueMode } from '../../../schemas/policy.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import type { Lanes, LaneStanding } from '../../store/lanes.ts';
import type { Page } from '../../store/page.ts';
import type { Store } from '../../store/store.ts';
import { messages } from '../../store/tables.ts';
import type { LaneWatchdog } from './lane-watchdog.ts';
import type { LaneItem, LaneWork } from './lane-work.ts';
import type { QueueModes } from './queue-modes.ts';

export interface LaneDeskParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly lanes: Pick<Lanes<LaneItem>, 'standings' | 'items' | 'depth'>;
  readonly work: Pick<LaneWork, 'cancel'>;
  readonly modes: QueueModes;
  readonly watchdog: Pick<LaneWatchdog, 'isStuck'>;
}

export class LaneDesk {
  readonly #parts: LaneDeskParts;

  constructor(parts: LaneDeskParts) {
    this.#parts = parts;
  }

  /** By session key; only lanes that hold something. `cursor` is the last key of the page before. */
  async list(cursor: string | undefined, limit: number): Promise<Page<LaneView>> {
    const standings = [...this.#parts.lanes.standings()].filter(({ lane }) => cursor === undefined || lane > cursor).sort((a, b) => (a.lane < b.lane ? -1 : 1));
    const items = await Promise.all(standings.slice(0, limit).map((each) => this.#view(each)));
    return { items, cursor: standings.length > limit ? (items.at(-1)?.session ?? null) : null };
  }

  /** Items of the lane of a session: waiting, in work, and on their way in. */
  depth(sessionKey: string): number {
    return this.#parts.lanes.depth(sessionKey);
  }

  /** From the next run on, and after every restart; null goes back to what the policy says. */
  async setMode(sessionKey: string, mode: QueueMode | null): Promise<void> {
    await this.#parts.modes.set(sessionKey, mode);
  }

  /** Ends the run under way; what it was to answer is dropped, what waits goes on. False when none runs, or when its answer is being stored. */
  interrupt(sessionKey: string): boolean {
    return this.#parts.work.cancel(sessionKey, 'stopped');
  }

  async #view({ lane, state, depth, runningSinceMs, dueMs }: LaneStanding): Promise<LaneView> {
    const { clock, watchdog } = this.#parts;
    const at = (monotonicMs: number) => toTimestamp(Math.round(clock.now() + monotonicMs - clock.monotonicMs()));
    return {
      session: lane,
      mode: await this.#modeOf(lane),
      state: watchdog.isStuck(lane) ? 'stuck' : state,
      depth,
      ...(runningSinceMs === undefined ? {} : { runningSince: at(runningSinceMs) }),
      ...(dueMs === undefined ? {} : { nextTryAt: at(dueMs) }),
    };
  }

  /** The policy is that of the place where its first message was said. */
  async #modeOf(lane: string): Promise<QueueMode> {
    const { modes, lanes, store } = this.#parts;
    const given = modes.given(lane);
    if (given) return given;
    const [head] = lanes.items(lane);
    const row = head && (head.row ?? (await store.get(messages, messages.key(head.messageId)))?.value);
    return modes.policyFor(row).mode;
  }
}
