// Quarantine: who was stopped, by what, and the evidence that was kept, whole.
import type { EvidenceView, QuarantineDetail, QuarantineView } from '../../../../../schemas/quarantine.ts';
import type { PluginView } from '../../../../../schemas/control.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { clock, count, duration, moment } from '../core/format.ts';
import { go, to } from '../core/router.ts';
import { useAll, useResource } from '../core/use-resource.ts';
import { Badge, StateBadge } from '../parts/badge.tsx';
import { Block, Callout, Empty, Facts, Heading, Id, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';
import { Grants } from './grants.tsx';
import { PluginActions } from './plugin-action.tsx';

const Kept = ({ state }: { readonly state: QuarantineView['evidence']['state'] }) => <Badge tone={state === 'intact' ? 'good' : state === 'none' ? 'quiet' : 'bad'}>{state === 'none' ? 'no evidence' : state}</Badge>;

const COLUMNS: readonly Column<QuarantineView>[] = [
  { name: 'Instance', cell: ({ instance, reason }) => <div class="cell"><a href={to('quarantine', instance)}>{instance}</a><span class="sub">{reason}</span></div> },
  { name: 'State', width: '140px', cell: ({ state }) => <StateBadge state={state} /> },
  { name: 'Trigger', width: '120px', kind: 'wide', cell: ({ trigger }) => trigger ?? '–' },
  { name: 'Evidence', width: '130px', kind: 'wide', cell: ({ evidence }) => <Kept state={evidence.state} /> },
  { name: 'By', width: '160px', kind: 'extra', cell: ({ actor }) => actor },
  { name: 'Since', width: '110px', kind: 'wide', cell: ({ since }) => <Time at={since} /> },
];

export function Quarantine() {
  const { value, error, reload } = useAll<QuarantineView>(useApi(), '/quarantine', { everyMs: 5000 });
  return (
    <>
      <Heading title="Quarantine" about="Instances that were stopped for what they did, or because a reviewer said so." />
      <Rows label="Quarantine" one="instance" columns={COLUMNS} items={value ?? []} keyOf={({ instance }) => instance} isFirst={!value} error={error} reload={reload} empty={<Empty icon="approvals" title="Nobody is quarantined">An instance that drifts, crashes again and again, or asks for what it may not have ends here by itself.</Empty>} />
    </>
  );
}

const BACK = { href: to('quarantine'), name: 'Quarantine' };

export function QuarantinePage({ instance }: { readonly instance: string }) {
  const api = useApi();
  const may = useMay();
  const detail = useResource<QuarantineDetail>(api, `/quarantine/${segment(instance)}`);
  const plugin = useResource<PluginView>(api, `/plugins/${segment(instance)}`, { enabled: may('plugins:read') });
  const hasEvidence = detail.value !== undefined && detail.value.evidence.state !== 'none' && detail.value.evidence.state !== 'missing';
  const evidence = useResource<EvidenceView>(api, `/quarantine/${segment(instance)}/evidence`, { enabled: hasEvidence });
  const { value } = detail;
  if (!value) return <><Heading title={instance} back={BACK} />{detail.error ? <Refusal error={detail.error} onRetry={detail.reload} /> : <div class="panel"><div class="body"><Skeleton lines={5} /></div></div>}</>;
  return (
    <>
      <Heading title={instance} back={BACK} about={<span class="row"><StateBadge state={value.state} /><Kept state={value.evidence.state} /><span>{value.plugin} {value.version ?? ''}</span></span>}>{plugin.value ? <PluginActions plugin={plugin.value} onDone={() => go(to('plugins', instance))} /> : null}</Heading>
      <div class="stack">
        <Callout tone="bad"><strong>{value.reason}</strong><p class="code"><code>{value.code}</code> · {value.trigger ?? 'unknown trigger'} · {value.actor} · {moment(value.since)}</p></Callout>
        {value.evidence.state === 'changed' ? <Callout tone="bad"><strong>The evidence file is not what was written.</strong> Its digest differs from the one in the record: do not rely on it.</Callout> : null}
        {evidence.error ? <Refusal error={evidence.error} /> : null}
        {evidence.value ? <Evidence view={evidence.value} /> : hasEvidence && !evidence.error ? <div class="panel"><div class="body"><Skeleton lines={5} label="Loading the evidence" /></div></div> : null}
        <Panel title="Its last states" flush><ul class="findings">{value.moves.map((move, index) => <li key={index}><StateBadge state={move.to} /><div><p>{move.reason}</p><p class="muted">from {move.from} · {move.actor} · {moment(move.at)}</p></div></li>)}</ul></Panel>
      </div>
    </>
  );
}

function Evidence({ view: { evidence, digest } }: { readonly view: EvidenceView }) {
  const { counters, grants, history, refused, log, secrets, packageDigest } = evidence;
  return (
    <>
      <div class="columns">
        <Panel title="Evidence"><Facts of={[['Digest', <Id key="d" text={digest} />], ['Package', packageDigest ? <Id key="p" text={packageDigest} /> : 'unknown'], ['Taken', moment(evidence.at)], ['Calls', count(counters.calls)], ['CPU', duration(counters.cpuMs)], ['Restarts', count(counters.restarts)], ['Strikes', count(counters.strikes)], ['Secrets', Object.keys(secrets).length === 0 ? 'none' : `${Object.keys(secrets).join(', ')} (by reference, never a value)`]]} /></Panel>
        <Panel title="What it was allowed"><Grants grants={grants} /></Panel>
      </div>
      <FactList title="What led to it" facts={history} none="Nothing was noted before." />
      <FactList title="What it asked for and was refused" facts={refused} none="It asked for nothing that it might not have." />
      <FactList title="Its last lines of log" facts={log} none="It logged nothing." />
    </>
  );
}

function FactList({ title, facts, none }: { readonly title: string; readonly facts: readonly ({ readonly at: string } & Readonly<Record<string, unknown>>)[]; readonly none: string }) {
  if (facts.length === 0) return <Panel title={title}><p class="muted">{none}</p></Panel>;
  const lines = facts.map(({ at, ...rest }) => `${clock(at)}  ${Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join('  ')}`);
  return <Panel title={title} hint={String(facts.length)} flush><Block label={`${title}, lines`} text={lines.join('\n')} /></Panel>;
}
