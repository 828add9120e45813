// What a plugin may do, in words; and what changes when it runs or stops.
import type { Grant } from '../../../../../schemas/capability.ts';

/** `http.fetch`: `https://api.example` … One line a bound. */
function boundsOf(grant: Grant): readonly string[] {
  const { name: _name, reason: _reason, ...bounds }: Record<string, unknown> = { ...grant };
  return Object.entries(bounds).map(([key, value]) => `${key}: ${worded(value)}`);
}

function worded(value: unknown): string {
  if (Array.isArray(value)) return value.map(worded).join(', ');
  if (value instanceof Object) return Object.entries(value).map(([key, each]) => `${key} ${worded(each)}`).join(', ');
  return String(value);
}

export function Grants({ grants }: { readonly grants: readonly Grant[] }) {
  if (grants.length === 0) return <p class="muted">None: it sees what it is handed, and can reach nothing else.</p>;
  return (
    <ul class="grants">
      {grants.map((grant, index) => (
        <li key={index}>
          <div class="row"><strong>{grant.name}</strong>{boundsOf(grant).map((bound) => <span key={bound} class="chip">{bound}</span>)}</div>
          {'reason' in grant && grant.reason ? <p class="muted">{grant.reason}</p> : null}
        </li>
      ))}
    </ul>
  );
}

/** One thing that an action adds or takes. */
export interface Change {
  readonly sign: '+' | '-';
  readonly text: string;
}

export const grantChanges = (grants: readonly Grant[], sign: '+' | '-'): readonly Change[] => grants.map((grant) => ({ sign, text: [grant.name, ...boundsOf(grant)].join(' · ') }));

export function Diff({ changes }: { readonly changes: readonly Change[] }) {
  return (
    <ul class="diff" aria-label="What would change">
      {changes.map(({ sign, text }) => <li key={`${sign}${text}`} class={sign === '+' ? 'plus' : 'minus'}><span aria-hidden="true">{sign === '+' ? '+' : '−'}</span><span class="why"><span class="unseen">{sign === '+' ? 'Gains: ' : 'Loses: '}</span>{text}</span></li>)}
    </ul>
  );
}
