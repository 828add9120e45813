// A plugin that fetches what it is told to, in a real host, beside an innocent neighbour: the arena of the egress tests.
import type { Enablement } from '../../schemas/enablement.ts';
import type { Capability } from '../../schemas/capability.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import type { StartOptions } from '../../host/host.ts';
import { ask, DOOR } from './door.ts';
import { startGatehouse, type Gatehouse } from './gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from './home.ts';
import { addNeighbours } from './neighbour.ts';

export interface FetchOrder {
  readonly url: string;
  readonly init?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string; readonly secrets?: readonly string[] };
}

/** What plugin code saw. */
export interface Seen {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface FetcherOptions {
  /** Granted through the config, as an operator fills them in; so they may be http where there is an exception. */
  readonly origins: readonly string[];
  readonly methods?: readonly ('GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE')[];
  readonly quota?: { readonly perMinute?: number; readonly bytesPerDay?: number };
  readonly capabilities?: readonly Capability[];
  readonly enablement?: Partial<Enablement>;
}

/** A skill that answers `<name> [orders]` with what it saw, bodies cut after 2,000 characters; orders run one after the other, or with `*` before them all at once. */
export function fetcher(name: string, { origins, methods = ['GET', 'POST'], quota, capabilities = [], enablement = {} }: FetcherOptions): TestPlugin {
  const fields = origins.map((_, index) => `o${index}`);
  const asked: Capability[] = [{ name: 'http.fetch', origins: fields.map((field) => ({ config: `/${field}` })), methods: [...methods], ...(quota && { quota }) }, ...capabilities];
  return {
    name,
    kind: 'skill',
    source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
      if (!message.text.startsWith('${name} ')) return null;
      const text = message.text.slice(${name.length + 1});
      const one = async ({ url, init }) => {
        try {
          const { status, headers, body } = await ctx.http.fetch(url, init);
          return { status, headers, body: body.slice(0, 2000), polluted: typeof ({}).polluted };
        } catch (e) { return { code: e.code ?? e.name, message: e.message }; }
      };
      const orders = JSON.parse(text.replace(/^\\*/, ''));
      const seen = [];
      if (text.startsWith('*')) seen.push(...await Promise.all(orders.map(one)));
      else for (const order of orders) seen.push(await one(order));
      return { replies: [{ text: JSON.stringify(seen) }] };
    } } });`,
    manifest: {
      skill: {},
      limits: { wallMsPerCall: 20_000 },
      capabilities: asked,
      config: { type: 'object', additionalProperties: false, properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) },
    },
    enablement: { grants: asked, config: Object.fromEntries(fields.map((field, index) => [field, origins[index]])), ...enablement },
  };
}

export interface Arena extends AsyncDisposable {
  readonly gatehouse: Gatehouse;
  readonly home: TestHome;
  /** What the fetcher of this name saw, order by order. */
  fetch(name: string, ...orders: readonly (string | FetchOrder)[]): Promise<Seen[]>;
  /** The same, all at once. */
  fetchAll(name: string, orders: readonly (string | FetchOrder)[]): Promise<Seen[]>;
}

export async function startArena(plugins: readonly TestPlugin[], allow: NonNullable<HostConfig['egress']>['allow'], options: Pick<StartOptions, 'resolve' | 'env'> = {}): Promise<Arena> {
  await using parts = new AsyncDisposableStack();
  const home = parts.use(await aHome([DOOR, ...plugins], { egress: { allow: allow ?? [] } }));
  await addNeighbours(home);
  const gatehouse = parts.use(await startGatehouse(home, options));
  const stack = parts.move();
  const asJson = (orders: readonly (string | FetchOrder)[]) => escaped(JSON.stringify(orders.map((order) => (typeof order === 'string' ? { url: order } : order))));
  return {
    gatehouse,
    home,
    fetch: (name, ...orders) => ask(gatehouse, `${name} ${asJson(orders)}`),
    fetchAll: (name, orders) => ask(gatehouse, `${name} *${asJson(orders)}`),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Messages are normalized on their way: what is not ASCII goes as an escape. */
function escaped(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
