// What operators see of dead letters and do with them, said in the log with who did it. The control plane calls it through host.ts.
import type { DeadLetterDetail, DeadLetterView, ReplayManyBody } from '../../../schemas/control.ts';
import { GatehouseError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Page, PageQuery } from '../../store/page.ts';
import type { DeadLetterRow } from '../../store/tables.ts';
import type { DeadLetters, LetterFilter } from './dead-letters.ts';
import { messageView } from '../message-queries.ts';
import type { Marked, Replayed, LetterReplays } from './letter-replays.ts';

/** Newest first unless said otherwise. */
export type LetterQuery = LetterFilter & PageQuery & { readonly sort?: 'at' | '-at' };

export interface DeadLetterDesk {
  list(query: LetterQuery): Promise<Page<DeadLetterView>>;
  /** Throws DEAD_LETTER_NOT_FOUND, as all that follow. */
  show(id: string): Promise<DeadLetterDetail>;
  /** Throws DEAD_LETTER_GUARDED (not with `force`), REPLAY_RATE. Asked twice it answers `already`. */
  replay(id: string, actor: string, force?: boolean): Promise<Replayed>;
  /** Marks all that fit; the host puts them back, some twenty a second, also after a restart. Throws REQUEST_INVALID for a moment that is none. */
  replayMany(body: ReplayManyBody, actor: string): Promise<Marked>;
  /** Throws DEAD_LETTER_BUSY. */
  drop(id: string, actor: string): Promise<{ readonly id: string }>;
}

export function deadLetterDesk({ deadLetters, replays, wake, log }: { readonly deadLetters: DeadLetters; readonly replays: LetterReplays; readonly wake: () => void; readonly log: Log }): DeadLetterDesk {
  return {
    async list({ cursor, limit, sort, ...filter }) {
      const page = await deadLetters.list(checked(filter), { cursor, limit, oldestFirst: sort === 'at' });
      return { items: page.items.map(viewOf), cursor: page.cursor };
    },
    async show(id) {
      const { letter, message } = await deadLetters.show(id);
      return { ...viewOf(letter), ...(message ? { text: message.text, message: messageView(message) } : {}) };
    },
    async replay(id, actor, force = false) {
      const replayed = await replays.replay(id, { force });
      log.info({ id, messageId: replayed.messageId, actor, force, status: replayed.status }, 'a dead letter is put back to work');
      return replayed;
    },
    async replayMany({ force = false, limit, ...filter }, actor) {
      const marked = await replays.mark(checked(filter), { actor, force, ...(limit === undefined ? {} : { limit }) });
      log.info({ ...marked, actor, force }, 'dead letters are put back to work');
      wake();
      return marked;
    },
    async drop(id, actor) {
      const { messageId } = await deadLetters.drop(id);
      log.info({ id, messageId, actor }, 'a dead letter is dropped');
      return { id };
    },
  };
}

/** Moments are compared as text: both sides must be written the same way. */
function checked({ since, until, ...rest }: LetterFilter): LetterFilter {
  return { ...rest, ...(since !== undefined && { since: moment('since', since) }), ...(until !== undefined && { until: moment('until', until) }) };
}

function moment(name: 'since' | 'until', given: string): string {
  const ms = Date.parse(given);
  if (!Number.isFinite(ms) || !/^\d{4}-\d{2}-\d{2}/.test(given)) throw new GatehouseError('REQUEST_INVALID', { path: `?${name}`, problem: 'must be a moment as RFC 3339 writes it, such as 2026-11-21T08:00:00Z' });
  return new Date(ms).toISOString();
}

function viewOf({ work: _work, ...letter }: DeadLetterRow): DeadLetterView {
  return letter;
}
