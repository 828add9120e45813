// How every list of the API is asked: `limit` and `cursor` beside its own parameters, `{items, cursor}` as its answer. Routes with lists are made with it.
import type { TSchema } from 'typebox';
import { GatehouseError } from '../../errors.ts';
import type { Page } from '../../host.ts';
import { PAGE } from '../../../schemas/query.ts';
import { asPage, pageSchema, type ApiCall, type ApiRoute } from './api.ts';
import { withQuery, type QueryOf, type QuerySchemas } from './query.ts';

type Listing<Q extends QuerySchemas, Item> = Omit<ApiRoute, 'method' | 'query' | 'answer' | 'run'> & {
  readonly item: TSchema;
  readonly query: Q;
  readonly run: (query: QueryOf<Q & typeof PAGE>, call: Pick<ApiCall, 'params'>) => Page<Item> | Promise<Page<Item>>;
};

/**
 * Outside, a cursor is text that means something to this list in this order alone; `run` sees and gives the place within. One of another list, of another order, or of
 * nobody is refused with CURSOR_INVALID.
 */
export function listRoute<const Q extends QuerySchemas, Item>({ item, query, run, ...route }: Listing<Q, Item>): ApiRoute {
  const usual = String(Reflect.get(query['sort'] ?? {}, 'default') ?? '');
  return withQuery({
    ...route,
    errors: [...(route.errors ?? []), 'CURSOR_INVALID'],
    method: 'GET',
    query: { ...PAGE, ...query },
    answer: pageSchema(item),
    run: async ({ query: given, params }) => {
      const { cursor, ...asked }: QueryOf<typeof PAGE & { readonly sort: TSchema }> = given;
      const order = typeof asked.sort === 'string' ? asked.sort : usual;
      const inner: QueryOf<typeof PAGE> = cursor === undefined ? asked : { ...asked, cursor: placeIn(cursor, route.id, order) };
      const page = asPage(await run({ ...given, ...inner }, { params }));
      return page.cursor === null ? page : { ...page, cursor: cursorOf(route.id, order, page.cursor) };
    },
  });
}

/** No place is longer; the store would refuse a key made of it. */
const MOST_CHARACTERS = 512;

const cursorOf = (list: string, order: string, place: string): string => Buffer.from(JSON.stringify([list, order, place])).toString('base64url');

function placeIn(cursor: string, list: string, order: string): string {
  try {
    const [itsList, itsOrder, place]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (itsList === list && itsOrder === order && typeof place === 'string' && place.length <= MOST_CHARACTERS && place.isWellFormed()) return place;
  } catch {
    // Not ours: told below.
  }
  throw new GatehouseError('CURSOR_INVALID');
}
