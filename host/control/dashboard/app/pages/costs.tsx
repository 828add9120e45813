// What plugins take today and what they may: all of them in one list, and one of them with its budgets and its history.
import { useMemo, useState } from 'preact/hooks';
import type { CostView, Resource, StatView } from '../../../../../schemas/costs.ts';
import { segment } from '../core/api.ts';
import { useApi } from '../core/context.ts';
import { bytes, clock, count, day, duration } from '../core/format.ts';
import { setQuery, to } from '../core/router.ts';
import type { Page } from '../core/types.ts';
import { useResource } from '../core/use-resource.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Chart, type Span } from '../parts/chart.tsx';
import { Empty, Facts, Heading, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

const STATES: Readonly<Record<CostView['state'], readonly [Tone, string]>> = { unbounded: ['quiet', 'no budget'], within: ['good', 'within'], warned: ['warn', 'nearly spent'], exceeded: ['bad', 'spent'] };

const State = ({ state }: Pick<CostView, 'state'>) => <Badge tone={STATES[state][0]}>{STATES[state][1]}</Badge>;

/** How full the fullest daily budget is; undefined without any. */
const fullest = ({ used }: CostView): number | undefined => {
  const shares = Object.values(used);
  return shares.length === 0 ? undefined : Math.max(...shares);
};

const percent = (share: number): string => `${Math.round(share * 100)}%`;
const toneOf = (share: number, warnAt = 0.8) => (share >= 1 ? 'bad' : share >= warnAt ? 'warn' : '');

function Meter({ share, label, warnAt }: { readonly share: number; readonly label: string; readonly warnAt?: number | undefined }) {
  return <div class={`meter ${toneOf(share, warnAt)}`} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.min(100, Math.round(share * 100))} aria-valuetext={percent(share)}><i style={{ width: `${Math.min(100, Math.max(share > 0 ? 1 : 0, share * 100))}%` }} /></div>;
}

const COLUMNS: readonly Column<CostView>[] = [
  { name: 'Instance', cell: ({ instance }) => <div class="cell"><a href={to('plugins', instance)}>{instance}</a></div> },
  { name: 'Budget', width: '140px', cell: (cost) => <State state={cost.state} /> },
  { name: 'Fullest', width: '130px', kind: 'wide', cell: (cost) => { const share = fullest(cost); return share === undefined ? <span class="muted">–</span> : <div class="gauge"><Meter share={share} label={`Fullest budget of ${cost.instance}`} warnAt={cost.budgets.warnAt} /><span class="muted">{percent(share)}</span></div>; } },
  { name: 'Calls', width: '90px', kind: 'wide number', cell: ({ spent }) => count(spent.calls) },
  { name: 'Failed', width: '90px', kind: 'extra number', cell: ({ spent }) => count(spent.failed) },
  { name: 'CPU', width: '100px', kind: 'wide number', cell: ({ spent }) => duration(spent.cpuMs) },
  { name: 'Egress', width: '100px', kind: 'extra number', cell: ({ spent }) => bytes(spent.egressBytes) },
  { name: 'Storage', width: '100px', kind: 'extra number', cell: ({ kvHeldBytes }) => bytes(kvHeldBytes) },
];

export function Costs({ query }: { readonly query: URLSearchParams }) {
  const { value, error, reload } = useResource<Page<CostView>>(useApi(), '/costs', { everyMs: 5000 });
  const state = query.get('state') ?? '';
  const items = useMemo(() => (value?.items ?? []).filter((each) => state === '' || each.state === state).sort((a, b) => (fullest(b) ?? -1) - (fullest(a) ?? -1) || b.spent.cpuMs - a.spent.cpuMs), [value, state]);
  const resetsAt = value?.items[0]?.resetsAt;
  return (
    <>
      <Heading title="Costs" about={<>What each plugin has taken today, the fullest budget first.{resetsAt ? <> A new day begins <Time at={resetsAt} />.</> : null}</>} />
      <div class="filters" role="search" aria-label="Filter costs"><label>Budget<select class="input" value={state} onChange={({ currentTarget }) => setQuery({ state: currentTarget.value })}><option value="">Any</option>{Object.entries(STATES).map(([each, [, name]]) => <option key={each} value={each}>{name}</option>)}</select></label></div>
      <Rows label="Costs" one="instance" columns={COLUMNS} items={items} keyOf={({ instance }) => instance} isFirst={value === undefined} error={error} reload={reload}
        empty={<Empty icon="costs" title={state === '' ? 'Nothing was spent today' : 'None fits'}>{state === '' ? 'Plugins show here with their first call of the day.' : 'Change the filter to see others.'}</Empty>} />
    </>
  );
}

const NAMES: Readonly<Record<Resource, readonly [string, (value: number) => string]>> = { calls: ['Calls', count], cpuMs: ['CPU', duration], hostCalls: ['Requests to the host', count], egressBytes: ['Egress', bytes], kvBytes: ['Written to kv', bytes] };

/** The schemas give types alone: their values would bring a validator along. */
const RESOURCES = ['calls', 'cpuMs', 'hostCalls', 'egressBytes', 'kvBytes'] as const satisfies readonly Resource[];

/** Of one instance, on its own page. */
export function InstanceCosts({ instance }: { readonly instance: string }) {
  const { value, error, reload } = useResource<CostView>(useApi(), `/costs/${segment(instance)}`, { everyMs: 5000 });
  if (!value) return <Panel title="Today">{error ? <Refusal error={error} onRetry={reload} /> : <Skeleton lines={4} />}</Panel>;
  const { spent, used, budgets: { perDay = {}, perMessage = {}, warnAt }, kvHeldBytes, resetsAt } = value;
  const bounded = RESOURCES.filter((each) => perDay[each] !== undefined);
  const perMessageText = RESOURCES.flatMap((each) => (perMessage[each] === undefined ? [] : [`${NAMES[each][1](perMessage[each])} ${NAMES[each][0].toLowerCase()}`])).join(', ');
  return (
    <Panel title="Today" hint={<State state={value.state} />}>
      {bounded.map((each) => <div key={each} class="gauge"><span>{NAMES[each][0]}</span><span class="muted">{NAMES[each][1](spent[each])} of {NAMES[each][1](perDay[each] ?? 0)}</span><Meter share={used[each] ?? 0} label={`Budget of ${NAMES[each][0]}`} warnAt={warnAt} /></div>)}
      <div class={bounded.length > 0 ? 'after' : ''}>
        <Facts of={[...RESOURCES.filter((each) => perDay[each] === undefined).map((each): readonly [string, string] => [NAMES[each][0], NAMES[each][1](spent[each])]), ['Failed calls', count(spent.failed)], ['Kept in kv', bytes(kvHeldBytes)], ['For one message', perMessageText], ['A new day', <Time key="r" at={resetsAt} />]]} />
      </div>
    </Panel>
  );
}

const HOUR_MS = 3_600_000;
const GRAINS = {
  hour: { stepMs: HOUR_MS, steps: 48, span: { says: 'over the last 48 hours', tick: (seconds: number) => clock(at(seconds)).slice(0, 5) } },
  day: { stepMs: 24 * HOUR_MS, steps: 30, span: { says: 'over the last 30 days', tick: (seconds: number) => day(at(seconds)).replace(/ \d{4}$/, '') } },
} as const satisfies Record<string, { readonly stepMs: number; readonly steps: number; readonly span: Omit<Span, 'leastSeconds'> }>;

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** Calls that answered and calls that did not, hour by hour or day by day. What has no row was not called. */
export function InstanceHistory({ instance }: { readonly instance: string }) {
  const [grain, setGrain] = useState<keyof typeof GRAINS>('hour');
  const { stepMs, steps, span } = GRAINS[grain];
  const { value, error, reload } = useResource<Page<StatView>>(useApi(), '/stats', { query: { by: 'plugin', name: instance, grain, limit: steps }, everyMs: 60_000 });
  const drawn = useMemo(() => {
    const newest = Math.floor(Date.now() / stepMs) * stepMs;
    const rows = new Map((value?.items ?? []).map((each) => [Date.parse(each.at), each]));
    const times = Array.from({ length: steps }, (_, index) => newest - (steps - 1 - index) * stepMs);
    return { times: times.map((each) => each / 1000), ok: times.map((each) => rows.get(each)?.ok ?? 0), failed: times.map((each) => rows.get(each)?.failed ?? 0), codes: codesOf(value?.items ?? []) };
  }, [value, stepMs, steps]);
  return (
    <Panel title="History" flush hint={<select class="input" aria-label="Steps of the history" value={grain} onChange={({ currentTarget }) => setGrain(currentTarget.value === 'day' ? 'day' : 'hour')}><option value="hour">48 hours</option><option value="day">30 days</option></select>}>
      {error && !value ? <Refusal error={error} onRetry={reload} /> : !value ? <div class="body"><Skeleton lines={4} label="Loading the history" /></div> : (
        <>
          <Chart title="Calls" times={drawn.times} series={[{ name: 'Answered', colour: 1, values: drawn.ok }, { name: 'Failed', colour: 4, isDashed: true, values: drawn.failed }]} format={count} least={5} span={{ ...span, leastSeconds: (stepMs * (steps - 1)) / 1000 }} />
          {drawn.codes.length > 0 ? <p class="codes">{drawn.codes.map(([code, size]) => <span key={code} class="chip">{code} {count(size)}</span>)}</p> : null}
        </>
      )}
    </Panel>
  );
}

/** Why calls failed, the commonest first. */
function codesOf(stats: readonly StatView[]): readonly (readonly [string, number])[] {
  const sums = new Map<string, number>();
  for (const { codes } of stats) for (const [code, size] of Object.entries(codes)) sums.set(code, (sums.get(code) ?? 0) + size);
  return [...sums].sort(([, a], [, b]) => b - a).slice(0, 6);
}
