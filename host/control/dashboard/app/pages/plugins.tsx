// Every instance with its state, who signed it, what it costs.
import { useMemo } from 'preact/hooks';
import type { PluginView } from '../../../../../schemas/control.ts';
import { useApi } from '../core/context.ts';
import { brief, count, duration } from '../core/format.ts';
import { setQuery, to } from '../core/router.ts';
import { useAll } from '../core/use-resource.ts';
import { StateBadge } from '../parts/badge.tsx';
import { Empty, Heading } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

const COLUMNS: readonly Column<PluginView>[] = [
  { name: 'Instance', cell: ({ instance, plugin, version }) => <div class="cell"><a href={to('plugins', instance)}>{instance}</a><span class="sub">{plugin} {version ?? ''}</span></div> },
  { name: 'State', width: '150px', cell: ({ state }) => <StateBadge state={state} /> },
  { name: 'Kind', width: '150px', kind: 'extra', cell: ({ kind, required }) => <>{kind ?? '–'}{required ? <span class="muted"> · required</span> : null}</> },
  { name: 'Grants', width: '90px', kind: 'wide number', cell: ({ grants }) => count(grants.length) },
  { name: 'Calls', width: '100px', kind: 'wide number', cell: ({ calls }) => count(calls) },
  { name: 'CPU', width: '110px', kind: 'wide number', cell: ({ cpuMs }) => duration(cpuMs) },
  { name: 'Restarts', width: '100px', kind: 'extra number', cell: ({ restarts }) => count(restarts) },
  { name: 'Package', width: '160px', kind: 'extra', cell: ({ digest }) => (digest === null ? <span class="muted">unknown</span> : <code title={digest}>{brief(digest)}</code>) },
];

export function Plugins({ query }: { readonly query: URLSearchParams }) {
  const { value, error, isLoading, reload } = useAll<PluginView>(useApi(), '/plugins', { everyMs: 5000 });
  const text = query.get('text') ?? '';
  const state = query.get('state') ?? '';
  const items = useMemo(() => (value ?? []).filter((each) => (state === '' || each.state === state) && (text === '' || `${each.instance} ${each.plugin}`.toLowerCase().includes(text.toLowerCase()))), [value, text, state]);
  const states = [...new Set([...(value ?? []).map((each) => each.state), ...(state === '' ? [] : [state])])].sort();
  return (
    <>
      <Heading title="Plugins" about="Every instance this host was told to run: what it is, whether it runs, what it takes." />
      <div class="filters" role="search" aria-label="Filter plugins">
        <label>Name<input class="input" type="search" value={text} placeholder="Instance or id" onInput={({ currentTarget }) => setQuery({ text: currentTarget.value })} /></label>
        <label>State<select class="input" value={state} onChange={({ currentTarget }) => setQuery({ state: currentTarget.value })}><option value="">Any</option>{states.map((each) => <option key={each} value={each}>{each}</option>)}</select></label>
      </div>
      <Rows label="Plugins" one="plugin" columns={COLUMNS} items={items} keyOf={({ instance }) => instance} isFirst={value === undefined} isLoading={isLoading && value === undefined} error={error} reload={reload}
        empty={text !== '' || state !== '' ? <Empty icon="plugins" title="None fits">Change the filter to see others.</Empty> : <Empty icon="plugins" title="No plugins yet">Put a package in the home and enable it: <code>gatehouse plugins enable &lt;package&gt;</code></Empty>} />
    </>
  );
}
