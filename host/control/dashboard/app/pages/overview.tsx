// The first look: is it ready, what is wrong and what helps, how much comes and goes, how long it takes, what waits.
import { useMemo } from 'preact/hooks';
import type { LastHourView } from '../../../../../schemas/last-hour.ts';
import { useApi, useShared } from '../core/context.ts';
import { count, duration, moment } from '../core/format.ts';
import { to } from '../core/router.ts';
import type { HostStatus } from '../core/types.ts';
import { useResource } from '../core/use-resource.ts';
import { Badge, StateBadge } from '../parts/badge.tsx';
import { Chart, type Series } from '../parts/chart.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { Callout, Facts, Heading, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { FixOf } from './fix.tsx';

const STATS_EVERY_MS = 10_000;

export function Overview() {
  const { status } = useShared();
  const stats = useResource<LastHourView>(useApi(), '/status/last-hour', { everyMs: STATS_EVERY_MS });
  return (
    <>
      <Heading title="Overview" about={status.value ? <>Started <Time at={status.value.startedAt} /></> : 'How the host does'} />
      <div class="stack">
        {status.error ? <Refusal error={status.error} onRetry={status.reload} /> : null}
        {status.value ? <Tiles status={status.value} stats={stats.value} /> : status.error ? null : <div class="panel"><div class="body"><Skeleton lines={2} /></div></div>}
        {status.value ? <Troubles status={status.value} /> : null}
        {stats.error && !stats.value ? <Refusal error={stats.error} onRetry={stats.reload} /> : <Charts stats={stats.value} />}
        {status.value ? <div class="columns"><Queues status={status.value} /><About status={status.value} /></div> : null}
      </div>
    </>
  );
}

/** Of the last full minute. */
const perMinute = (values: readonly number[] = []): number => values.slice(-7, -1).reduce((sum, each) => sum + each, 0);
const total = (values: readonly number[] = []): number => values.reduce((sum, each) => sum + each, 0);
const last = (values: readonly (number | null)[] = []): number | null => values.findLast((each) => each !== null) ?? null;

function Tiles({ status, stats }: { readonly status: HostStatus; readonly stats: LastHourView | undefined }) {
  const { ready, plugins, degraded, lanes, deliveries, deadLetters, pressure } = status;
  const waiting = lanes.waiting + lanes.running;
  const p99 = last(stats?.latency.ingestP99Ms);
  const active = plugins['active'] ?? 0;
  return (
    <div class="tiles">
      <Tile name="Readiness" value={ready ? 'Ready' : 'Not ready'} icon={ready ? 'check' : 'warn'} tone={ready ? 'good' : 'bad'} note={ready ? 'nothing missing' : 'a required plugin is missing'} />
      <Tile name="Plugins active" value={`${active} of ${total(Object.values(plugins))}`} href={to('plugins')} {...(degraded.length > 0 ? { icon: 'warn' as const, tone: 'warn' as const, note: `${degraded.length} degraded` } : { note: 'none degraded' })} />
      <Tile name="Messages a minute" value={stats ? count(perMinute(stats.counts.accepted)) : '–'} href={to('messages')} note={stats ? `${count(total(stats.counts.accepted))} in the last hour` : ''} />
      <Tile name="Accepting takes" value={p99 === null ? '–' : duration(p99)} note={p99 === null ? 'nothing came lately' : '99th percentile'} />
      <Tile name="Waiting" value={count(waiting + deliveries.waiting + deliveries.running)} href={to('lanes')} {...(pressure.level === 'normal' ? { note: 'no pressure' } : { icon: 'warn' as const, tone: 'bad' as const, note: `pressure: ${pressure.level}` })} />
      <Tile name="Dead letters" value={count(deadLetters)} href={to('dead-letters')} note={stats ? `${count(total(stats.counts.deadLettered))} in the last hour` : ''} />
    </div>
  );
}

function Tile({ name, value, note, href, icon, tone = '' }: { readonly name: string; readonly value: string; readonly note: string; readonly href?: string; readonly icon?: IconName; readonly tone?: 'good' | 'warn' | 'bad' | '' }) {
  const inside = <><span class="name">{name}</span><span class="value">{value}</span><span class={`note ${tone}`}>{icon ? <Icon name={icon} /> : null}{note}</span></>;
  return href === undefined ? <div class="tile">{inside}</div> : <a class="tile" href={href}>{inside}</a>;
}

/** What does not run, why, and what to do about it. */
function Troubles({ status: { degraded, workers, confinement } }: { readonly status: HostStatus }) {
  const { session } = useShared();
  const ill = workers.filter(({ state }) => state === 'degraded' || state === 'stuck');
  const isOpen = confinement.startsWith('none');
  if (degraded.length === 0 && ill.length === 0 && !isOpen) return <Callout tone="good"><strong>Nothing needs attention.</strong> Every plugin that is enabled does its work.</Callout>;
  return (
    <Panel title="Needs attention" flush>
      <ul class="findings">
        {degraded.map(({ instance, state, code, message }) => (
          <li key={instance}>
            <StateBadge state={state} />
            <div>{session.may('plugins:read') ? <a href={to('plugins', instance)}><strong>{instance}</strong></a> : <strong>{instance}</strong>} <code class="muted">{code}</code><p>{message}</p><FixOf code={code} instance={instance} state={state} /></div>
          </li>
        ))}
        {ill.map(({ name, state, problem }) => <li key={name}><Badge tone="warn">{state}</Badge><div><strong>Worker {name}</strong><p>{problem ?? 'It cannot go on, and is tried once a minute.'}</p></div></li>)}
        {isOpen ? <li><Badge tone="warn">weak</Badge><div><strong>Confinement</strong><p>{confinement}</p><p class="fix">Run <code>gatehouse doctor</code> on the host: it says what is missing.</p></div></li> : null}
      </ul>
    </Panel>
  );
}

function Charts({ stats }: { readonly stats: LastHourView | undefined }) {
  const times = useMemo(() => stats?.at.map((at) => Date.parse(at) / 1000) ?? [], [stats]);
  const drawn = useMemo(() => (stats ? chartsOf(stats) : []), [stats]);
  if (!stats) return <div class="panel"><div class="body"><Skeleton lines={4} label="Loading charts" /></div></div>;
  return (
    <div class="charts">
      {drawn.map(({ title, hint, format, series }) => <Panel key={title} title={title} hint={hint} flush><Chart title={title} times={times} series={series} format={format} least={title === 'Latency' ? 1 : 5} /></Panel>)}
    </div>
  );
}

interface Drawn {
  readonly title: string;
  readonly hint: string;
  readonly format: (value: number) => string;
  readonly series: readonly Series[];
}

function chartsOf({ stepMs, counts, latency, depth }: LastHourView): readonly Drawn[] {
  // The step that is under way holds part of what it will: drawn, it would be a fall that never was.
  const rate = (values: readonly number[]) => values.map((each, index) => (index === values.length - 1 ? null : (each * 60_000) / stepMs));
  const whole = (value: number) => count(Math.round(value * 10) / 10);
  return [
    { title: 'Throughput', hint: 'a minute', format: whole, series: [{ name: 'Accepted', colour: 1, values: rate(counts.accepted) }, { name: 'Delivered', colour: 2, isDashed: true, values: rate(counts.delivered) }] },
    { title: 'Latency', hint: '99th percentile', format: duration, series: [{ name: 'Accepting', colour: 1, values: latency.ingestP99Ms }, { name: 'Delivering', colour: 2, isDashed: true, values: latency.deliveryP99Ms }] },
    { title: 'Queue depth', hint: 'waiting or in work', format: whole, series: [{ name: 'Messages', colour: 1, values: depth.messages }, { name: 'Deliveries', colour: 2, isDashed: true, values: depth.deliveries }] },
    { title: 'Errors', hint: 'a minute', format: whole, series: [{ name: 'Failed calls', colour: 4, values: rate(counts.failedCalls) }, { name: 'Dead letters', colour: 3, isDashed: true, values: rate(counts.deadLettered) }, { name: 'Denied', colour: 2, values: rate(counts.denied) }] },
  ];
}

function Queues({ status: { pressure } }: { readonly status: HostStatus }) {
  const tone = pressure.level === 'normal' ? '' : pressure.level === 'slow' ? 'warn' : 'bad';
  const says = { normal: 'Everybody is served at once.', slow: 'Answers are delayed, so that whoever waits for them sends more slowly.', shed: 'Messages of low priority are sent away.', refuse: 'Every message is sent away until queues empty.' }[pressure.level];
  return (
    <Panel title="Pressure" hint={<Badge tone={tone === '' ? 'good' : tone}>{pressure.level}</Badge>}>
      <p class="muted" style={{ marginBottom: '12px' }}>{says}{pressure.shed > 0 ? ` ${count(pressure.shed)} sent away since the start.` : ''}</p>
      {pressure.queues.map(({ queue, depth, limit }) => (
        <div key={queue} class="gauge"><span>{queue}</span><span class="muted">{count(depth)} of {count(limit)}</span><div class={`meter ${tone}`} role="meter" aria-label={`Queue ${queue}`} aria-valuemin={0} aria-valuemax={limit} aria-valuenow={depth}><i style={{ width: `${Math.min(100, Math.max(depth > 0 ? 1 : 0, (depth / limit) * 100))}%` }} /></div></div>
      ))}
    </Panel>
  );
}

function About({ status: { version, profile, strict, home, confinement, startedAt, audit } }: { readonly status: HostStatus }) {
  return (
    <Panel title="Host">
      <Facts of={[['Version', version], ['Profile', `${profile}${strict ? ', strict' : ''}`], ['Confinement', confinement], ['Home', <code key="home">{home}</code>], ['Started', moment(startedAt)], ['Audit log', `${count(audit.size)} entries`]]} />
    </Panel>
  );
}
