// States in a word, a sign and a colour, so that none of the three is needed alone.
import type { PluginState } from '../../../../../schemas/control.ts';
import type { Outcome } from '../../../../../schemas/message.ts';
import { Icon, type IconName } from './icon.tsx';

export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'quiet';

const SIGNS: Readonly<Record<Tone, IconName>> = { good: 'check', warn: 'warn', bad: 'cross', info: 'clock', quiet: 'dot' };

export function Badge({ tone, children, icon = SIGNS[tone] }: { readonly tone: Tone; readonly children: string; readonly icon?: IconName }) {
  return <span class={`badge ${tone}`}><Icon name={icon} />{children}</span>;
}

const STATES: Readonly<Record<PluginState, Tone>> = {
  discovered: 'quiet', verified: 'info', scanned: 'info', 'pending-approval': 'warn', approved: 'info', starting: 'info', active: 'good', impaired: 'warn', backoff: 'warn',
  hibernated: 'quiet', draining: 'info', stopped: 'quiet', disabled: 'quiet', rejected: 'bad', quarantined: 'bad', revoked: 'bad',
};

const OUTCOMES: Readonly<Record<Outcome, Tone>> = { accepted: 'info', answered: 'good', unanswered: 'quiet', denied: 'bad', held: 'warn', pending: 'info', delivered: 'good', 'dead-lettered': 'bad', dropped: 'quiet' };

export const stateTone = (state: string): Tone => Object.entries(STATES).find(([name]) => name === state)?.[1] ?? 'quiet';
export const outcomeTone = (outcome: string): Tone => Object.entries(OUTCOMES).find(([name]) => name === outcome)?.[1] ?? 'quiet';

/** Every outcome there is, for filters. */
export const OUTCOME_NAMES = Object.keys(OUTCOMES);
export const STATE_NAMES = Object.keys(STATES);

export function StateBadge({ state }: { readonly state: PluginState }) {
  const icon = state === 'hibernated' ? 'moon' : state === 'disabled' || state === 'stopped' ? 'pause' : undefined;
  return <Badge tone={stateTone(state)} {...(icon ? { icon } : {})}>{state.replaceAll('-', ' ')}</Badge>;
}

export function OutcomeBadge({ outcome }: { readonly outcome: Outcome }) {
  return <Badge tone={outcomeTone(outcome)} {...(outcome === 'held' ? { icon: 'pause' as const } : {})}>{outcome.replaceAll('-', ' ')}</Badge>;
}
