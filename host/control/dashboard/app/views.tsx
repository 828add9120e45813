// Which view an address names.
import type { ComponentChildren } from 'preact';
import type { Route } from './core/router.ts';
import { useMay } from './core/context.ts';
import { to } from './core/router.ts';
import { Overview } from './pages/overview.tsx';
import { PluginPage } from './pages/plugin.tsx';
import { Plugins } from './pages/plugins.tsx';
import { Empty, Heading } from './parts/parts.tsx';
import { PLACES } from './places.ts';

export const viewOf = (route: Route) => <Guarded place={route.path[0] ?? ''}>{pageOf(route)}</Guarded>;

function pageOf({ path: [place = '', id], query }: Route) {
  switch (place) {
    case '': return <Overview />;
    case 'plugins': return id === undefined ? <Plugins query={query} /> : <PluginPage key={id} instance={id} />;
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
