// host.json as it is written and what it comes to, to look at. Changes are made with `gatehouse config`, which shows what they lead to.
import type { ComponentChildren } from 'preact';
import type { ConfigHistoryItem, ConfigView } from '../../../../../schemas/config-view.ts';
import { useApi } from '../core/context.ts';
import { moment } from '../core/format.ts';
import type { Page } from '../core/types.ts';
import { useResource } from '../core/use-resource.ts';
import { Discovery, Network } from './network.tsx';
import { Block, Callout, Heading, Id, Panel, Refusal, Skeleton } from '../parts/parts.tsx';

export function Settings() {
  const api = useApi();
  const config = useResource<ConfigView>(api, '/config');
  const history = useResource<Page<ConfigHistoryItem>>(api, '/config/history');
  return (
    <>
      <Heading title="Settings" about={<>To look at. Change them with <code>gatehouse config patch</code>, which says first what follows.</>} />
      {config.error ? <Refusal error={config.error} onRetry={config.reload} /> : config.value ? (
        <div class="stack">
          {config.value.restart.length > 0 ? <Callout tone="warn"><strong>Written, and not in force before the next start:</strong> {config.value.restart.join(', ')}</Callout> : null}
          {config.value.overrides.length > 0 ? <Callout tone="info"><strong>Decided by the environment:</strong> {config.value.overrides.map(({ name, path }) => `${name} (${path})`).join(', ')}</Callout> : null}
          <div class="columns">
            <div class="stack"><Network /><Json title="What holds" value={config.value.settings} /></div>
            <div class="stack"><Discovery /><Json title="As it is written" hint={<Id text={config.value.hash} />} value={config.value.written} />
              <Panel title="History" flush><ul class="findings">{(history.value?.items ?? []).slice(0, 20).map(({ at, actor, hash, reason, changes }) => <li key={`${at}${hash}`}><div><strong>{reason ?? (changes.map(({ path }) => path).join(', ') || 'As it was found')}</strong><p class="muted">{actor} · {moment(at)}</p></div></li>)}</ul></Panel>
            </div>
          </div>
        </div>
      ) : <div class="panel"><div class="body"><Skeleton lines={8} /></div></div>}
    </>
  );
}

function Json({ title, hint, value }: { readonly title: string; readonly hint?: ComponentChildren; readonly value: unknown }) {
  return <Panel title={title} hint={hint} flush><Block label={`${title}, JSON`} text={JSON.stringify(value, null, 2)} /></Panel>;
}
