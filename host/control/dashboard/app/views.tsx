// Which view an address names.
import type { ComponentChildren } from 'preact';
import type { Route } from './core/router.ts';
import { useMay } from './core/context.ts';
import { to } from './core/router.ts';
import { Approvals } from './pages/approvals.tsx';
import { Audit } from './pages/audit.tsx';
import { Costs } from './pages/costs.tsx';
import { Events } from './pages/events.tsx';
import { LetterPage, Letters } from './pages/letters.tsx';
import { MessagePage } from './pages/message.tsx';
import { Messages } from './pages/messages.tsx';
import { Overview } from './pages/overview.tsx';
import { PluginPage } from './pages/plugin.tsx';
import { Plugins } from './pages/plugins.tsx';
import { Quarantine, QuarantinePage } from './pages/quarantine.tsx';
import { Settings } from './pages/settings.tsx';
import { Tokens } from './pages/tokens.tsx';
import { Deliveries, Lanes, Sessions } from './pages/traffic.tsx';
import { later } from './parts/later.tsx';
import { Empty, Heading } from './parts/parts.tsx';
import { PLACES } from './places.ts';

/** Of those that are opened seldom the largest; another chunk of its own each would cost more than it saves. */
const Pairing = later(async () => (await import('./pages/pairing.tsx')).Pairing);

export const viewOf = (route: Route) => <Guarded place={route.path[0] ?? ''}>{pageOf(route)}</Guarded>;

function pageOf({ path: [place = '', id], query }: Route) {
  switch (place) {
    case '': return <Overview />;
    case 'plugins': return id === undefined ? <Plugins query={query} /> : <PluginPage key={id} instance={id} />;
    case 'messages': return id === undefined ? <Messages query={query} /> : <MessagePage key={id} id={id} />;
    case 'dead-letters': return id === undefined ? <Letters query={query} /> : <LetterPage key={id} id={id} />;
    case 'deliveries': return <Deliveries query={query} />;
    case 'lanes': return <Lanes />;
    case 'sessions': return <Sessions />;
    case 'costs': return <Costs query={query} />;
    case 'pairing': return <Pairing query={query} />;
    case 'quarantine': return id === undefined ? <Quarantine /> : <QuarantinePage key={id} instance={id} />;
    case 'approvals': return <Approvals />;
    case 'events': return <Events query={query} />;
    case 'audit': return <Audit query={query} />;
    case 'tokens': return <Tokens />;
    case 'settings': return <Settings />;
    default: return <Nowhere />;
  }
}

/** What the token does not permit is not asked for; whoever follows a link there is told. */
function Guarded({ place, children }: { readonly place: string; readonly children: ComponentChildren }) {
  const may = useMay();
  const found = PLACES.flatMap(({ places }) => places).find(({ path }) => path === place);
  if (!found || may(found.scope)) return <>{children}</>;
  const open = PLACES.flatMap(({ places }) => places).find(({ scope }) => may(scope));
  return (
    <>
      <Heading title={found.name} />
      <div class="list"><Empty icon="tokens" title="This token does not permit it">It needs the scope <code>{found.scope}</code>. {open && open.path !== place ? <a href={to(...(open.path === '' ? [] : [open.path]))}>Go to {open.name}</a> : null}</Empty></div>
    </>
  );
}

function Nowhere() {
  return (
    <>
      <Heading title="Not found" />
      <div class="list"><Empty icon="help" title="There is no such page"><a href={to()}>Go to the overview</a></Empty></div>
    </>
  );
}
