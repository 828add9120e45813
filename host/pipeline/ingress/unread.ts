// What a source is told when its channel could not read what it sent: by the class of the failure, with the channel's own words only where it meant them for the source. Called by ingress.ts.
import { BOUNDS } from '../../../schemas/bounds.ts';
import type { ErrorCode, Fields } from '../../errors.ts';
import { failureClassOf, isAway, type FailedCall, type FailureClass } from '../../sandbox/sandbox.ts';

export interface Unread {
  readonly failure: FailureClass;
  /** The channel was not there, or lost the call through no fault of its own: nobody has looked at what came. */
  readonly away: boolean;
  readonly code: ErrorCode;
  readonly fields: Fields;
}

/** Characters of a channel's own words that a source is shown. */
const MOST_SHOWN = 200;

/** What the source may send again without a change is told with a status that says so; what would fail the same way is 422. */
export function unreadOf(instance: string, failed: Pick<FailedCall, 'code' | 'retry' | 'terminal' | 'message'>): Unread {
  const failure = failureClassOf(failed);
  if (failed.code === 'INSTANCE_BUSY') return { failure, away: true, code: 'INSTANCE_BUSY', fields: { instance, queue: 'calls', depth: BOUNDS.callsWaitingPerInstance } };
  const away = isAway(failed.code) || failed.retry;
  if (away) return { failure, away, code: 'INSTANCE_UNAVAILABLE', fields: { instance, state: 'not active' } };
  if (failure === 'terminal' && failed.code === 'CALL_FAILED') return { failure, away, code: 'INGRESS_PAYLOAD', fields: { instance, problem: shown(failed.message) } };
  return { failure, away, code: 'CALL_FAILED', fields: { handler: 'receive', instance, problem: 'the plugin failed' } };
}

/** One line, without the name of the error's class and without what could pass for something else on a screen. */
function shown(message: string): string {
  const words = message.replace(/^PluginError: /, '').replaceAll(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return words.length > MOST_SHOWN ? `${words.slice(0, MOST_SHOWN - 1).replace(/[\uD800-\uDBFF]$/, '')}…` : words;
}
