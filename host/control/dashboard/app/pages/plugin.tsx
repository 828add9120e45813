// One instance: everything the host knows of it, and what can be done about it.
import type { PluginView } from '../../../../../schemas/control.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { bytes, count, duration, plural } from '../core/format.ts';
import { to } from '../core/router.ts';
import { useResource } from '../core/use-resource.ts';
import { Badge, StateBadge } from '../parts/badge.tsx';
import { Icon } from '../parts/icon.tsx';
import { Callout, Facts, Heading, Id, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { InstanceCosts, InstanceHistory } from './costs.tsx';
import { FixOf } from './fix.tsx';
import { Grants } from './grants.tsx';
import { PluginActions } from './plugin-action.tsx';

const BACK = { href: to('plugins'), name: 'Plugins' };
const GOOD = new Set(['active', 'hibernated', 'starting']);

export function PluginPage({ instance }: { readonly instance: string }) {
  const may = useMay();
  const { value: plugin, error, reload } = useResource<PluginView>(useApi(), `/plugins/${segment(instance)}`, { everyMs: 3000 });
  if (!plugin) return <><Heading title={instance} back={BACK} />{error ? <Refusal error={error} onRetry={reload} /> : <div class="panel"><div class="body"><Skeleton lines={6} /></div></div>}</>;
  const { state, kind, code, message, diagnostics = [] } = plugin;
  return (
    <>
      <Heading title={instance} back={BACK} about={<span class="row"><StateBadge state={state} />{plugin.required ? <Badge tone="info" icon="info">required</Badge> : null}<span>{plugin.plugin} {plugin.version ?? ''}</span></span>}>{state === 'active' && plugin.grants.some(({ name }) => name === 'ui') ? <a class="button" href={`/channels/${segment(instance)}/`} target="_blank" rel="noopener noreferrer"><Icon name="link" />Open its page<span class="unseen"> in a new tab</span></a> : null}{kind === 'channel' && may('messages:read') ? <a class="button" href={`${to('messages')}?instance=${encodeURIComponent(instance)}`}><Icon name="messages" />Messages</a> : null}<PluginActions plugin={plugin} onDone={reload} /></Heading>
      <div class="stack">
        {error ? <Refusal error={error} onRetry={reload} /> : null}
        {GOOD.has(state) || (code === undefined && message === undefined) ? null : <Callout tone={state === 'quarantined' || state === 'revoked' || state === 'rejected' ? 'bad' : 'warn'}><strong>{message ?? state}</strong>{code ? <p class="code"><code>{code}</code></p> : null}<FixOf code={code ?? state} instance={instance} state={state} /></Callout>}
        {diagnostics.map((each) => <Callout key={`${each.code}${each.message}`} tone="warn"><strong>{each.message}</strong><p>{each.fix}</p><p class="code"><code>{each.code}</code></p></Callout>)}
        <Costs plugin={plugin} />
        {may('costs:read') ? <div class="columns"><InstanceCosts instance={instance} /><InstanceHistory instance={instance} /></div> : null}
        <div class="columns">
          <div class="stack">
            <Panel title="Grants" hint={`${plugin.grants.length} given`}><Grants grants={plugin.grants} /></Panel>
            <Limits plugin={plugin} />
          </div>
          <div class="stack">
            <Package plugin={plugin} />
            {plugin.channel ? <Channel channel={plugin.channel} /> : null}
          </div>
        </div>
      </div>
    </>
  );
}

function Costs({ plugin: { calls, cpuMs, restarts, strikes } }: { readonly plugin: PluginView }) {
  const tiles: readonly (readonly [string, string, string])[] = [
    ['Calls', count(calls), 'since its first sandbox'],
    ['CPU', duration(cpuMs), calls === 0 ? 'not called yet' : `${duration(cpuMs / calls)} a call`],
    ['Restarts', count(restarts), 'of its sandbox'],
    ['Strikes', count(strikes), strikes === 0 ? 'no fault proven' : 'three within an hour end it'],
  ];
  return (
    <div class="tiles">
      {tiles.map(([name, value, note]) => <div key={name} class="tile"><span class="name">{name}</span><span class="value">{value}</span><span class="note">{note}</span></div>)}
    </div>
  );
}

function Package({ plugin: { plugin, version, digest, kind, scan, madeFrom, rebuild, grantsDigest, startPosition } }: { readonly plugin: PluginView }) {
  return (
    <Panel title="Package">
      <Facts of={[
        ['Plugin', <code key="p">{plugin}</code>], ['Version', version], ['Kind', kind],
        ['Digest', digest ? <Id key="d" text={digest} label="Copy the package digest" /> : <span key="d" class="muted">unknown</span>],
        ['Grants digest', grantsDigest ? <Id key="g" text={grantsDigest} label="Copy the grants digest" /> : undefined],
        ['Scan', scan ? <span key="s" class="row"><Badge tone={scan.outcome === 'pass' ? 'good' : scan.outcome === 'warn' ? 'warn' : 'bad'}>{scan.outcome}</Badge><span>risk {scan.risk}, {plural(scan.findings, 'finding')}, <Time at={scan.at} /></span></span> : undefined],
        ['Made from', madeFrom ? <code key="m">{Object.values(madeFrom).join(' ')}</code> : undefined],
        ['Rebuilt', rebuild ? <span key="r">{rebuild.verdict}, <Time at={rebuild.at} /></span> : undefined],
        ['Start position', startPosition],
      ]} />
    </Panel>
  );
}

function Limits({ plugin: { limits, retry } }: { readonly plugin: PluginView }) {
  if (!limits && !retry) return null;
  return (
    <Panel title="Limits">
      <Facts of={[
        ...(limits ? ([['Heap', bytes(limits.heapMb * 2 ** 20)], ['CPU a call', duration(limits.cpuMsPerCall)], ['Time a call', duration(limits.wallMsPerCall)], ['Calls at once', count(limits.concurrency)]] as const) : []),
        ...(retry ? ([['First restart', 'at once'], ['Then after', `${duration(retry.firstDelayMs)}, doubling to ${duration(retry.mostDelayMs)}`], ['New row after', `${duration(retry.stableMs)} up`], ['Quarantine after', `${retry.strikes} strikes in ${duration(retry.windowMs)}`]] as const) : []),
      ]} />
    </Panel>
  );
}

function Channel({ channel: { effective, without, health } }: { readonly channel: NonNullable<PluginView['channel']> }) {
  return (
    <Panel title="Channel" hint={health ? <Badge tone={health.healthy ? 'good' : 'warn'}>{health.healthy ? 'healthy' : 'unhealthy'}</Badge> : undefined}>
      <Facts of={[
        ['Can', <span key="c" class="row">{effective.map((each) => <span key={each} class="chip">{each}</span>)}</span>],
        ...Object.entries(without).map(([ability, instead]): readonly [string, string] => [`Without ${ability}`, instead]),
        ['Probes', health ? `${count(health.probes)}, ${count(health.failures)} failed in a row, ${count(health.reconnects)} reconnects` : undefined],
        ['Problem', health?.problem],
      ]} />
    </Panel>
  );
}
