// What an operator sees of lanes and does to them: the list, the mode of a session, the end of a run. host.ts shows it to the control plane, commands ask it in a chat.
import type { LaneView } from '../../../schemas/control.ts';
import type { QueueMode } from '../../../schemas/policy.ts';
import { toTimestamp, type Clock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import type { Lanes, LaneStanding } from '../../store/lanes.ts';
import type { Page, PageQuery } from '../../store/page.ts';
import { sortedPage, type Sorting } from '../../store/sorted-page.ts';
import type { Store } from '../../store/store.ts';
import { messages } from '../../store/tables.ts';
import type { LaneWatchdog } from './lane-watchdog.ts';
import { addressIn, isIn } from '../sessions/session-keys.ts';
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

export interface LaneFilter extends PageQuery {
  readonly instance?: string;
  readonly conversation?: string;
  readonly state?: LaneView['state'];
  readonly sort?: 'session' | '-session' | 'depth' | '-depth';
}

const BY_SESSION: Sorting<LaneStanding> = { keyOf: ({ lane }) => lane, fields: { session: ({ lane }) => lane, depth: ({ depth }) => depth } };

export class LaneDesk {
  readonly #parts: LaneDeskParts;

  constructor(parts: LaneDeskParts) {
    this.#parts = parts;
  }

  /** Only lanes that hold something. */
  async list({ instance, conversation, state, sort = 'session', ...page }: LaneFilter): Promise<Page<LaneView>> {
    const found = [...this.#parts.lanes.standings()].filter((each) => isIn(addressIn(each.lane), { instance, conversation }) && (state === undefined || this.#stateOf(each) === state));
    const { items, cursor } = sortedPage(found, { ...page, sort }, BY_SESSION);
    return { items: await Promise.all(items.map((each) => this.#view(each))), cursor };
  }

  /** Throws LANE_NOT_FOUND for one that holds nothing. */
  async show(sessionKey: string): Promise<LaneView> {
    const standing = [...this.#parts.lanes.standings()].find(({ lane }) => lane === sessionKey);
    if (!standing) throw new GatehouseError('LANE_NOT_FOUND', { key: sessionKey.slice(0, 100) });
    return await this.#view(standing);
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

  #stateOf({ lane, state }: LaneStanding): LaneView['state'] {
    return this.#parts.watchdog.isStuck(lane) ? 'stuck' : state;
  }

  async #view(standing: LaneStanding): Promise<LaneView> {
    const { lane, depth, runningSinceMs, dueMs } = standing;
    const { clock, lanes } = this.#parts;
    const [first] = lanes.items(lane);
    const at = (monotonicMs: number) => toTimestamp(Math.round(clock.now() + monotonicMs - clock.monotonicMs()));
    return {
      session: lane,
      mode: await this.#modeOf(lane),
      state: this.#stateOf(standing),
      depth,
      ...(first ? { first: first.messageId } : {}),
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
