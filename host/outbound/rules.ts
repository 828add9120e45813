// What holds for what leaves into one conversation: resolved from the blocks `outbound` of instance and room by policy.ts, read by the gateway and by whoever stores what is to be sent.
import type { Room } from '../../schemas/message.ts';
import type { OutboundPolicy } from '../../schemas/policy.ts';
import type { TextLimits } from '../../schemas/text-limits.ts';

/** So many tries a second, `burst` of them at once after a rest; `scope` is what shares them. */
export interface Rate {
  readonly scope: 'instance' | 'conversation';
  readonly perSecond: number;
  readonly burst: number;
}

/** Every knob that is turned; an absent one costs nothing. */
export interface OutboundRules extends Omit<OutboundPolicy, 'perSecond' | 'burst'> {
  readonly rates: readonly Rate[];
}

/** Key by key the room's, else the instance's; but what a room may send in a second is beside what the instance may. */
export function outboundRules(instance: OutboundPolicy = {}, room: OutboundPolicy = {}): OutboundRules {
  const { perSecond: _perSecond, burst: _burst, ...knobs } = { ...instance, ...room };
  return { ...knobs, rates: [...rateOf('instance', instance), ...rateOf('conversation', room)] };
}

function rateOf(scope: Rate['scope'], { perSecond, burst = 1 }: OutboundPolicy): readonly Rate[] {
  return perSecond === undefined ? [] : [{ scope, perSecond, burst }];
}

/** Where one kind of room is denied, a conversation whose kind nobody knows is denied: it may be of that kind. */
export function maySend({ send }: Pick<OutboundRules, 'send'>, kind: Room['kind'] | undefined): boolean {
  if (send === undefined || typeof send === 'string') return send !== 'deny';
  return kind === undefined ? !Object.values(send).includes('deny') : send[kind] !== 'deny';
}

/** What a channel takes in one message: the stricter of what its manifest declares and its operator says. Undefined when neither says anything. */
export function textLimits(declared: TextLimits | undefined, narrowed: TextLimits | undefined): TextLimits | undefined {
  if (!declared || !narrowed) return declared ?? narrowed;
  const stricter = (unit: keyof TextLimits) => {
    const least = Math.min(declared[unit] ?? Infinity, narrowed[unit] ?? Infinity);
    return least === Infinity ? {} : { [unit]: least };
  };
  return { ...stricter('characters'), ...stricter('bytes'), ...stricter('lines') };
}
