// The audit log: who did what, and for each entry a proof that this browser checks by itself.
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { AuditEntry, AuditProof } from '../../../../../schemas/audit.ts';
import { useApi } from '../core/context.ts';
import { moment } from '../core/format.ts';
import { canVerify, verifyProof, type Finding } from '../core/proof.ts';
import { usePages } from '../core/use-pages.ts';
import { useResource } from '../core/use-resource.ts';
import { Badge } from '../parts/badge.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { ChoiceFilter, SpanFilter, spanOf, TextFilter } from '../parts/filters.tsx';
import { Icon } from '../parts/icon.tsx';
import { Button, Callout, Empty, Facts, Heading, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

const Ended = ({ outcome }: Pick<AuditEntry, 'outcome'>) => <Badge tone={outcome === 'done' ? 'good' : outcome === 'begun' ? 'info' : outcome === 'refused' ? 'warn' : 'bad'}>{outcome}</Badge>;

export function Audit({ query }: { readonly query: URLSearchParams }) {
  const [shown, setShown] = useState<AuditEntry | undefined>(undefined);
  const filter = { action: query.get('action') ?? '', actor: query.get('actor') ?? '', resource: query.get('resource') ?? '', outcome: query.get('outcome') ?? '', ...spanOf(query) };
  const pages = usePages<AuditEntry>(useApi(), '/audit', filter);
  const columns = useMemo((): readonly Column<AuditEntry>[] => [
    { name: 'Action', cell: (entry) => <div class="cell"><button type="button" class="link" onClick={() => setShown(entry)}>{entry.action}</button><span class="sub">{entry.actor}</span></div> },
    { name: 'Outcome', width: '118px', cell: ({ outcome }) => <Ended outcome={outcome} /> },
    { name: 'On', width: '220px', kind: 'wide', cell: ({ resource }) => <span title={resource}>{resource}</span> },
    { name: 'Entry', width: '80px', kind: 'extra number', cell: ({ index }) => String(index) },
    { name: 'When', width: '110px', kind: 'wide', cell: ({ at }) => <Time at={at} /> },
  ], []);
  return (
    <>
      <Heading title="Audit log" about="Every decision about trust and every change by an operator, in a log that cannot be rewritten unnoticed."><Button icon="refresh" onClick={pages.reload}>Refresh</Button></Heading>
      <div class="filters" role="search" aria-label="Filter the audit log">
        <TextFilter name="action" label="Action" value={filter.action} placeholder="plugin.quarantine, api." />
        <TextFilter name="actor" label="Who" value={filter.actor} placeholder="token:… or host" />
        <TextFilter name="resource" label="On" value={filter.resource} />
        <ChoiceFilter name="outcome" label="Outcome" value={filter.outcome} of={['begun', 'done', 'failed', 'refused']} />
        <SpanFilter query={query} />
      </div>
      <Rows label="Audit log" one="entry" many="entries" columns={columns} keyOf={({ index }) => String(index)} {...pages} empty={<Empty icon="audit" title="None fits">An action with a dot at its end stands for everything that begins with it.</Empty>} />
      {shown ? <Entry entry={shown} onClose={() => setShown(undefined)} /> : null}
    </>
  );
}

function Entry({ entry, onClose }: { readonly entry: AuditEntry; readonly onClose: () => void }) {
  const { index, at, actor, action, resource, outcome, detail } = entry;
  return (
    <Dialog title={`Entry ${index}`} onClose={onClose} onSubmit={onClose} footer={<Button type="submit" kind="primary">Done</Button>}>
      <Facts of={[['Action', action], ['Outcome', <Ended key="o" outcome={outcome} />], ['On', resource], ['Who', actor], ['When', moment(at)], ...Object.entries(detail ?? {}).map(([name, value]): readonly [string, string] => [name, Array.isArray(value) ? value.join(', ') : String(value)])]} />
      <Proof index={index} />
    </Dialog>
  );
}

function Proof({ index }: { readonly index: number }) {
  const { value, error, reload } = useResource<AuditProof>(useApi(), `/audit/entries/${index}/proof`);
  const [findings, setFindings] = useState<readonly Finding[] | undefined>(undefined);
  useEffect(() => {
    let isLeft = false;
    if (value && canVerify()) verifyProof(value).then((found) => isLeft || setFindings(found), (thrown: unknown) => isLeft || setFindings([{ what: 'The proof can be read', is: 'bad', detail: String(thrown) }]));
    return () => {
      isLeft = true;
    };
  }, [value]);
  if (error) return <Refusal error={error} onRetry={reload} />;
  if (!canVerify()) return <Callout tone="warn"><strong>Not verified.</strong> A browser checks proofs only on pages that came over https or from this machine. Use <code>gatehouse audit prove {index}</code>.</Callout>;
  if (!value || !findings) return <Skeleton lines={3} label="Verifying" />;
  const isBad = findings.some(({ is }) => is === 'bad');
  const isWhole = findings.every(({ is }) => is === 'good');
  return (
    <div class="stack" role="status">
      <Callout tone={isBad ? 'bad' : isWhole ? 'good' : 'warn'}><strong>{isBad ? 'Not verified.' : isWhole ? 'Verified in this browser.' : 'Verified but for the signature.'}</strong> {isBad ? 'The proof does not hold: keep what you see and look into the host.' : `The entry is in the log of ${value.head.size} entries.`}</Callout>
      <ul class="proof">{findings.map(({ what, is, detail }) => <li key={what} class={is === 'unknown' ? 'warn' : is}><Icon name={is === 'good' ? 'check' : is === 'bad' ? 'cross' : 'warn'} /><div>{what}<br /><span class="muted">{detail}</span></div></li>)}</ul>
      <p class="muted">The key came with the proof, from this host. That it is the right one says <code>manifests/trust/log.json</code> of your home: <code>{value.head.keyid}</code>.</p>
    </div>
  );
}
