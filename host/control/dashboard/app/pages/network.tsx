// What the network policy and discovery came to, to look at: two panels of the settings.
import type { DiscoveryView } from '../../../../../schemas/discovery.ts';
import type { NetworkView } from '../../../../../schemas/network.ts';
import { useApi } from '../core/context.ts';
import { useResource } from '../core/use-resource.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Callout, Facts, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';

/** A certificate is renewed before this is left. */
const FEW_DAYS = 21;

const worded = (value: unknown): string => (value === null ? '–' : typeof value === 'string' ? value || '–' : Array.isArray(value) && value.length === 0 ? 'none' : Array.isArray(value) ? value.map(worded).join(', ') : JSON.stringify(value));

const line = ({ path, value, source }: NetworkView['values'][number]) => [path, <span key={path}><code>{worded(value)}</code> <span class="muted">{source}</span></span>] as const;

export function Network() {
  const { value, error, reload } = useResource<NetworkView>(useApi(), '/config/network');
  if (!value) return <Panel title="Network policy">{error ? <Refusal error={error} onRetry={reload} /> : <Skeleton lines={5} />}</Panel>;
  const { certificate } = value;
  const said = value.values.filter(({ source }) => source !== 'default');
  const left = value.values.filter(({ source }) => source === 'default');
  return (
    <Panel title="Network policy" hint={<Badge tone={value.public ? 'warn' : 'good'} icon={value.public ? 'info' : 'check'}>{value.public ? 'others reach it' : 'this machine only'}</Badge>}>
      <Facts of={[['Address', <code key="a">{value.address}</code>], ['Profile', value.profile], ['Certificate', certificate ? `${certificate.subject}, ${certificate.daysLeft} days left` : 'none: the host ends no TLS itself'], ...said.map(line)]} />
      {certificate && certificate.daysLeft < FEW_DAYS ? <Callout tone="warn"><strong>Its certificate ends soon.</strong> Put the next one in its place; the host takes it up by itself.</Callout> : null}
      {left.length > 0 ? <details class="more"><summary>{left.length} more as by default</summary><Facts of={left.map(line)} /></details> : null}
    </Panel>
  );
}

const MDNS: Readonly<Record<DiscoveryView['mdns']['state'], Tone>> = { off: 'quiet', probing: 'info', announced: 'good', failed: 'bad' };
const TAILNET: Readonly<Record<DiscoveryView['tailnet']['state'], Tone>> = { off: 'quiet', up: 'good', down: 'warn', absent: 'warn', failed: 'bad' };

export function Discovery() {
  const { value, error, reload } = useResource<DiscoveryView>(useApi(), '/config/discovery');
  if (!value) return <Panel title="Discovery">{error ? <Refusal error={error} onRetry={reload} /> : <Skeleton lines={3} />}</Panel>;
  const { mdns, tailnet } = value;
  return (
    <Panel title="Discovery">
      <Facts of={[
        ['Local network', <Badge key="m" tone={MDNS[mdns.state]}>{mdns.state}</Badge>], ['Announced as', mdns.name], ['Port', mdns.port], ['Addresses', mdns.addresses?.join(', ')], ['Told', mdns.txt ? Object.entries(mdns.txt).map(([name, text]) => `${name}=${text}`).join(' ') : undefined], ['Problem', mdns.problem],
        ['Tailnet', <Badge key="t" tone={TAILNET[tailnet.state]}>{tailnet.state}</Badge>], ['Its name', tailnet.name], ['Its addresses', tailnet.addresses?.join(', ')], ['Its problem', tailnet.problem], ['Looked', tailnet.checkedAt ? <Time key="c" at={tailnet.checkedAt} /> : undefined],
      ]} />
    </Panel>
  );
}
