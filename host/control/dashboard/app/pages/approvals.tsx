// Approvals and rejections: who decided what about which package, whether it counts, and taking one back.
import { useId, useState } from 'preact/hooks';
import type { ApprovalView } from '../../../../../schemas/control.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { moment } from '../core/format.ts';
import { to } from '../core/router.ts';
import { useAction } from '../core/use-action.ts';
import { usePages } from '../core/use-pages.ts';
import { Badge } from '../parts/badge.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Button, Callout, Empty, Facts, Heading, Id, Refusal, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

const Decided = ({ decision }: Pick<ApprovalView, 'decision'>) => <Badge tone={decision === 'approve' ? 'good' : 'bad'}>{decision === 'approve' ? 'approved' : 'rejected'}</Badge>;

export function Approvals() {
  const pages = usePages<ApprovalView>(useApi(), '/approvals');
  const [shown, setShown] = useState<ApprovalView | undefined>(undefined);
  const columns: readonly Column<ApprovalView>[] = [
    { name: 'Package', cell: (approval) => <div class="cell"><button type="button" class="link" onClick={() => setShown(approval)}>{approval.subject}</button></div> },
    { name: 'Decision', width: '120px', cell: ({ decision }) => <Decided decision={decision} /> },
    { name: 'Counts', width: '130px', kind: 'wide', cell: ({ counts }) => <Badge tone={counts ? 'good' : 'quiet'}>{counts ? 'counts' : 'does not'}</Badge> },
    { name: 'Reviewer', width: '150px', kind: 'wide', cell: ({ reviewer }) => reviewer },
    { name: 'Instance', width: '150px', kind: 'extra', cell: ({ instance }) => <a href={to('plugins', instance)}>{instance}</a> },
    { name: 'When', width: '110px', kind: 'wide', cell: ({ issuedAt }) => <Time at={issuedAt} /> },
  ];
  return (
    <>
      <Heading title="Approvals" about="What reviewers signed: about one package with exactly these grants." />
      <Rows label="Approvals" one="decision" columns={columns} keyOf={({ id }) => id} {...pages} empty={<Empty icon="approvals" title="No decisions yet">A reviewer signs on their own machine, where their key is: <code>gatehouse approve &lt;package&gt;</code></Empty>} />
      {shown ? <Decision approval={shown} onClose={() => setShown(undefined)} onDone={() => { setShown(undefined); pages.reload(); }} /> : null}
    </>
  );
}

function Decision({ approval, onClose, onDone }: { readonly approval: ApprovalView; readonly onClose: () => void; readonly onDone: () => void }) {
  const api = useApi();
  const may = useMay();
  const id = useId();
  const [reason, setReason] = useState('');
  const action = useAction(() => api.change('POST', `/approvals/${segment(approval.id)}/revoke`, { body: { reason: reason.trim() } }), () => 'The decision is taken back.');
  // A rejection falls only to whoever may do everything.
  const mayRevoke = may(approval.decision === 'approve' ? 'review' : '*');
  return (
    <Dialog title={approval.subject} onClose={onClose} onSubmit={() => void (mayRevoke && reason.trim() !== '' && action.run().then((isDone) => isDone && onDone()))}
      footer={<><Button onClick={onClose}>Close</Button>{mayRevoke ? <Button type="submit" kind="danger solid" isBusy={action.isRunning} disabled={reason.trim() === ''}>Take back</Button> : null}</>}>
      <Facts of={[['Decision', <Decided key="d" decision={approval.decision} />], ['By', approval.reviewer], ['Note', approval.note], ['Instance', approval.instance], ['Package', <Id key="p" text={approval.packageDigest} />], ['Grants', <Id key="g" text={approval.grantsDigest} />], ['Key', <code key="k">{approval.keyid}</code>], ['Signed', moment(approval.issuedAt)], ['Ends', approval.expiresAt ? moment(approval.expiresAt) : 'never'], ['File', <code key="f">{approval.file}</code>]]} />
      {approval.problem ? <Callout tone="warn"><strong>It does not count.</strong> {approval.problem}</Callout> : null}
      {action.error ? <Refusal error={action.error} /> : null}
      {mayRevoke ? <div class="field"><label for={id}>Reason to take it back</label><textarea id={id} class="input" maxLength={1000} value={reason} onInput={({ currentTarget }) => setReason(currentTarget.value)} /><small>For good: what needs it stops. A new decision takes a new signature.</small></div> : null}
    </Dialog>
  );
}
