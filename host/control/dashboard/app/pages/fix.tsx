// What helps against the commonest troubles of a plugin, with the way there. The message of the host says what is wrong; this says where to go.
import type { PluginState } from '../../../../../schemas/control.ts';
import { useMay } from '../core/context.ts';
import { to } from '../core/router.ts';

export function FixOf({ code, instance, state }: { readonly code: string; readonly instance: string; readonly state: PluginState }) {
  const may = useMay();
  if (state === 'quarantined' || state === 'revoked') return <p class="fix">{may('review') ? <>Look at the <a href={to('quarantine', instance)}>evidence</a>, then release it if it may run again.</> : 'A reviewer looks at its evidence and decides whether it may run again.'}</p>;
  if (state === 'pending-approval') return <p class="fix">It waits for reviewers. <a href={to('approvals')}>Approvals</a> so far; a reviewer signs with <code>gatehouse approve</code>.</p>;
  if (state === 'disabled') return <p class="fix">An operator disabled it. Enable it when it should run again.</p>;
  if (state === 'backoff' || state === 'starting') return <p class="fix">The host tries again by itself.</p>;
  return <p class="fix">What <code>{code}</code> means and what to do: <code>gatehouse plugins show {instance}</code>, and docs/errors.md.</p>;
}
