// Enable, disable, quarantine, release: what would change, the reason, and the word. Read anew when it opens, so that nobody decides on what was.
import { useId, useState } from 'preact/hooks';
import type { ApprovalView, PluginView } from '../../../../../schemas/control.ts';
import type { Scope } from '../../../scopes.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { useAction } from '../core/use-action.ts';
import { useAll, useTagged } from '../core/use-resource.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Button, Callout, Refusal, Skeleton } from '../parts/parts.tsx';
import { Diff, grantChanges, type Change } from './grants.tsx';

export type Verb = 'enable' | 'disable' | 'quarantine' | 'release';

interface Words {
  readonly title: string;
  readonly says: string;
  readonly done: string;
  readonly scope: Scope;
  readonly to: string;
  readonly kind: 'primary' | 'danger solid';
  readonly isReasoned: boolean;
}

export const VERBS: Readonly<Record<Verb, Words>> = {
  enable: { title: 'Enable', says: 'It starts, with what its files grant it now. If they ask for more than it had, this agrees to it.', done: 'is enabled', scope: 'plugins:write', to: 'active', kind: 'primary', isReasoned: false },
  disable: { title: 'Disable', says: 'It stops until somebody enables it again. Work under way is finished first; its data is kept.', done: 'is disabled', scope: 'plugins:write', to: 'disabled', kind: 'danger solid', isReasoned: true },
  quarantine: { title: 'Quarantine', says: 'It stops at once: calls and requests under way are cancelled, its secrets are forgotten, and evidence is kept. It stays stopped over restarts until a reviewer releases it.', done: 'is quarantined', scope: 'review', to: 'quarantined', kind: 'danger solid', isReasoned: true },
  release: { title: 'Release', says: 'It may run again, with the grants and the data it had. Look at its evidence first.', done: 'is released', scope: 'review', to: 'active', kind: 'primary', isReasoned: true },
};

/** What may be done to an instance in this state. */
export function verbsFor({ state, diagnostics = [] }: PluginView): readonly Verb[] {
  switch (state) {
    case 'quarantined': return ['release'];
    case 'revoked': return [];
    case 'disabled': return ['enable', 'quarantine'];
    case 'rejected': return ['quarantine'];
    default: return [...(diagnostics.length > 0 ? (['enable'] as const) : []), 'disable', 'quarantine'];
  }
}

export function PluginActions({ plugin, onDone }: { readonly plugin: PluginView; readonly onDone: () => void }) {
  const may = useMay();
  const [verb, setVerb] = useState<Verb | undefined>(undefined);
  return (
    <>
      {verbsFor(plugin).filter((each) => may(VERBS[each].scope)).map((each) => <Button key={each} kind={each === 'quarantine' ? 'danger' : VERBS[each].kind === 'primary' ? 'primary' : 'normal'} onClick={() => setVerb(each)}>{VERBS[each].title}…</Button>)}
      {verb ? <PluginAction verb={verb} instance={plugin.instance} onClose={() => setVerb(undefined)} onDone={() => { setVerb(undefined); onDone(); }} /> : null}
    </>
  );
}

export function PluginAction({ verb, instance, onClose, onDone }: { readonly verb: Verb; readonly instance: string; readonly onClose: () => void; readonly onDone: () => void }) {
  const api = useApi();
  const id = useId();
  const { title, says, done, kind, isReasoned } = VERBS[verb];
  const plugin = useTagged<PluginView>(api, `/plugins/${segment(instance)}`);
  const approvals = useAll<ApprovalView>(api, '/approvals', { query: { instance } });
  const [reason, setReason] = useState('');
  const action = useAction(() => api.change('POST', `/plugins/${segment(instance)}/${verb}`, { ifMatch: plugin.value?.tag, ...(isReasoned ? { body: { reason: reason.trim() } } : {}) }), () => `${instance} ${done}.`);
  const submit = async () => {
    if (isReasoned && reason.trim() === '') return;
    if (await action.run()) onDone();
  };
  return (
    <Dialog title={`${title} ${instance}?`} onClose={onClose} onSubmit={() => void submit()}
      footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind={kind} isBusy={action.isRunning} disabled={!plugin.value || (isReasoned && reason.trim() === '')}>{title}</Button></>}>
      <p>{says}</p>
      {action.error?.status === 412 ? <Callout tone="warn"><strong>Somebody changed it meanwhile.</strong><p>Nothing was done. Look at what would change now, and decide again.</p><p class="code"><code>{action.error.code}</code></p><Button small icon="refresh" onClick={() => { action.clear(); plugin.reload(); }}>Look again</Button></Callout> : action.error ? <Refusal error={action.error} /> : null}
      {plugin.error ? <Refusal error={plugin.error} onRetry={plugin.reload} /> : plugin.value ? <WhatChanges verb={verb} plugin={plugin.value.value} approvals={approvals.value} /> : <Skeleton lines={3} label="Reading what would change" />}
      {isReasoned ? (
        <div class="field">
          <label for={id}>Reason</label>
          <textarea id={id} class="input" required maxLength={1000} value={reason} onInput={({ currentTarget }) => setReason(currentTarget.value)} />
          <small>It stands in the audit log, with your token’s name.</small>
        </div>
      ) : null}
    </Dialog>
  );
}

function WhatChanges({ verb, plugin, approvals }: { readonly verb: Verb; readonly plugin: PluginView; readonly approvals: readonly ApprovalView[] | undefined }) {
  const isStarting = VERBS[verb].to === 'active';
  const changes: readonly Change[] = [
    { sign: '-', text: `state ${plugin.state}` },
    { sign: '+', text: isStarting ? 'state starting, then active' : `state ${VERBS[verb].to}` },
    ...grantChanges(plugin.grants, isStarting ? '+' : '-'),
  ];
  const counting = approvals?.filter(({ counts }) => counts) ?? [];
  return (
    <div class="stack">
      <div><h3>What would change</h3><Diff changes={changes} /></div>
      {plugin.required && !isStarting ? <Callout tone="warn"><strong>It is required.</strong> Without it the host reports that it is not ready (503), and does not start again.</Callout> : null}
      {isStarting ? <p class="muted">{plugin.grants.length === 0 ? 'It has no grants. ' : ''}The host reads its files anew when it starts it, and these lines are what it read last: files that were changed since may give more or less, and where <code>approvals</code> asks for reviewers it waits for them. {plugin.digest === null ? 'Its package could not be read. ' : ''}Two packages compares <code>gatehouse diff</code>.</p> : null}
      {verb === 'enable' && (plugin.diagnostics ?? []).length > 0 ? <Callout tone="warn"><strong>Its files say more than is taken up:</strong>{plugin.diagnostics?.map(({ code, message, fix }) => <p key={`${code}${message}`}>{message} {fix}</p>)}</Callout> : null}
      {isStarting && counting.length > 0 ? <p class="muted">{counting.map(({ decision, reviewer, note }) => `${decision === 'approve' ? 'Approved' : 'Rejected'} by ${reviewer}: ${note}`).join(' · ')}</p> : null}
    </div>
  );
}
