// The shape of a route under /api/v1 and how it meets Fastify. Each file beside this one lists its routes as data; server.ts registers them.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static, type TSchema } from 'typebox';
import { GatehouseError, type ErrorCode } from '../../errors.ts';
import type { Page } from '../../host.ts';
import { compileSchema } from '../../schema.ts';
import { parseStrict } from '../../strict-json.ts';
import { BOUNDS } from '../../../schemas/bounds.ts';
import { closed } from '../../../schemas/closed.ts';
import { requireScope } from '../auth.ts';
import { deprecationHeaders, type Deprecation } from '../deprecation.ts';
import { pathOf } from '../http-errors.ts';
import { idempotencyKeyOf, type Bind, type Idempotency } from '../idempotency.ts';
import type { MutationRecord } from '../mutations.ts';
import { demand, isFresh, preconditionsOf, tagOf, type Preconditions, type Tagging } from '../preconditions.ts';
import type { Scope } from '../scopes.ts';
import type { Principal } from '../tokens.ts';
import { queryTexts, type QuerySchemas } from './query.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

export interface ApiCall<Body = unknown, Query = Readonly<Record<string, string>>> {
  readonly params: Readonly<Record<string, string>>;
  /** One text a name; `withQuery` makes of it what the schemas say. */
  readonly query: Query;
  readonly body: Body;
  /** `token:<id>`, for the record. */
  readonly actor: string;
  /** Who asks, and what they may. */
  readonly principal: Principal;
  /** Of a request with a key: the row by which a repetition finds what this one makes, for the same commit. */
  readonly bind?: Bind;
  /** Of a request with preconditions: throws PRECONDITION_FAILED where they do not hold for this view of what is changed. Asked before `run`; whoever can asks again in the moment of the change. */
  readonly demand?: (view: unknown) => void;
}

export interface ApiRoute {
  /** Its name in /openapi.json and in clients made from it, as `listPlugins`: a verb and what it is about, never changed once released. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v1, with `:name` for parameters. */
  readonly path: string;
  /** `any`: every token that counts, whatever it may do. */
  readonly scope: Scope | 'any';
  readonly summary: string;
  /** 200 unless said otherwise. */
  readonly status?: number;
  /** The query parameters it takes, each with a description; others are refused. Made with `withQuery`, which reads them. */
  readonly query?: QuerySchemas;
  /** The request headers it reads, each with a description, for /openapi.json. */
  readonly headers?: QuerySchemas;
  readonly body?: TSchema;
  /** No body means `{}`. */
  readonly optionalBody?: boolean;
  /** What it answers with, for /openapi.json. */
  readonly answer: TSchema;
  /** Refusals of its own, beside those that every route may give, for /openapi.json. */
  readonly errors?: readonly ErrorCode[];
  /** It is to go: announced in the answers of the route and in the document until it does. */
  readonly deprecated?: Deprecation;
  /** The media type of an answer that `run` gives as a stream; JSON without it. */
  readonly media?: string;
  /** Its answer holds a secret that is told once: a repetition by key is not told it again. */
  readonly answersOnce?: boolean;
  /** Of a GET: its answer is one thing whose state can race, and carries an entity tag. */
  readonly tagged?: Tagging;
  /** Of a mutation: the name of the tagged GET that shows what it changes, under the same parameters; it may then be bound to a state by If-Match. */
  readonly guards?: string;
  /** What became of what an earlier request with this key has made. Only of routes that bind it. */
  resume?(bound: string): unknown;
  run(call: ApiCall): unknown;
}

/** A route as documents show it. */
export type DescribedRoute = Omit<ApiRoute, 'run' | 'resume'>;

/** A route whose body is typed by its schema: the check below earns the type. */
export function withBody<S extends TSchema>(route: Omit<ApiRoute, 'body' | 'run'> & { readonly body: S; run(call: ApiCall<Static<S>>): unknown }): ApiRoute {
  const checker = compileSchema(route.body);
  return {
    ...route,
    run(call) {
      const body = call.body === undefined && route.optionalBody ? {} : call.body;
      if (checker.is(body)) return route.run({ ...call, body });
      const { path = '/', problem = 'a JSON body is missing' } = (body === undefined ? undefined : checker.explain(body)) ?? {};
      throw new GatehouseError('REQUEST_INVALID', { path, problem });
    },
  };
}

/** Never asks: every route has a scope, and nobody has none of them. */
const NOBODY: Principal = { tokenId: '', scopes: [] };

/** Who asks, for the record. */
export const actorOf = ({ principal }: Pick<FastifyRequest, 'principal'>): string => `token:${principal?.tokenId ?? ''}`;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

export interface ApiParts {
  readonly mutations: MutationRecord;
  readonly idempotency: Idempotency;
}

/** Everything but a GET is a mutation, and in the transparency log: before it is done, and how it ended. */
export function registerApi(app: FastifyInstance, routes: readonly ApiRoute[], { mutations, idempotency }: ApiParts): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    try {
      done(null, parseStrict(Buffer.from(bytes), { source: 'the request body', maxBytes: bytes.length, maxDepth: BOUNDS.messageJsonDepth }).value);
    } catch (thrown) {
      done(thrown instanceof Error ? thrown : new Error('unreadable body'));
    }
  });
  const tagged = new Map(routes.filter((route) => route.tagged).map((route) => [route.id, route]));
  const shownBy = (route: ApiRoute) => tagged.get(route.guards ?? route.id);
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      config: { ...(route.scope === 'any' ? {} : { scope: route.scope }), ...(route.method === 'GET' ? {} : { mutates: route.path }), ...(route.media === undefined ? {} : { streams: true }) },
      handler: async (request, reply) => {
        const principal = request.principal ?? NOBODY;
        const call: ApiCall = { params: flat(request.params), query: queryTexts(request.query, Object.keys(route.query ?? {})), body: request.body, actor: actorOf(request), principal };
        reply.headers(SECURITY_HEADERS).code(route.status ?? 200);
        if (route.media !== undefined) reply.type(route.media);
        if (route.deprecated) reply.headers(deprecationHeaders(route.deprecated, call.params));
        const preconditions = preconditionsOf(request.headers);
        const shown = shownBy(route);
        if (preconditions.match !== undefined && shown === undefined) throw new GatehouseError('REQUEST_INVALID', { path: 'header if-match', problem: 'nothing at this address has a tag' });
        if (route.method === 'GET') return await answered(route, call, preconditions, reply);
        const perform = (bind?: Bind) =>
          mutations.carryOut({ actor: call.actor, method: route.method, path: route.path, params: call.params }, async () => {
            const check = shown && Object.keys(preconditions).length > 0 ? (view: unknown) => demand(preconditions, tagOf(view, shown.tagged)) : undefined;
            if (shown && check) check(await viewOf(shown, call));
            return await route.run({ ...call, ...(bind ? { bind } : {}), ...(check ? { demand: check } : {}) });
          });
        const key = idempotencyKeyOf(request.headers['idempotency-key']);
        if (key === undefined) return await perform();
        const resume = route.resume && ((bound: string) => route.resume?.(bound));
        const { answer, replayed } = await idempotency.carryOut({ tokenId: principal.tokenId, key, method: route.method, path: route.path, address: request.url, body: request.body }, { answersOnce: route.answersOnce, resume }, perform);
        if (replayed) reply.header('idempotency-replayed', 'true');
        return answer;
      },
    });
  }
  for (const [path, known] of Map.groupBy(routes, (route) => route.path)) {
    refuseOtherMethods(app, path, known.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])));
  }
}

/** A GET: with its tag where it has one, and as 304 without a body for whoever has that answer already. */
async function answered(route: ApiRoute, call: ApiCall, preconditions: Preconditions, reply: FastifyReply): Promise<unknown> {
  const answer = await route.run(call);
  if (!route.tagged) return answer;
  const tag = tagOf(answer, route.tagged);
  const { noneMatch: _, ...match } = preconditions;
  demand(match, tag);
  reply.header('etag', tag);
  return isFresh(preconditions, tag) ? reply.code(304).send() : answer;
}

/** What a mutation changes, as it is now; parameters by place, as a pairing's id may stand where its code does. A tag tells of what it is made of: whoever asks by it must be allowed to look. */
async function viewOf(route: ApiRoute, call: ApiCall): Promise<unknown> {
  if (route.scope !== 'any') requireScope(call.principal, route.scope);
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  const values = Object.values(call.params);
  return await route.run({ ...call, params: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])), query: {}, body: undefined });
}

/** Every other method at this path is answered with METHOD_NOT_ALLOWED. */
export function refuseOtherMethods(app: FastifyInstance, path: string, allowed: readonly string[]): void {
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url: path,
    config: {},
    onRequest: async (request) => {
      throw new GatehouseError('METHOD_NOT_ALLOWED', { path: pathOf(request), method: request.method, allow: allowed.join(', ') });
    },
    handler: async () => undefined,
  });
}

/** The schema of a page of items. */
export const pageSchema = (item: TSchema) => closed({ items: Type.Array(item), cursor: Type.Union([Type.String(), Type.Null()]) });

/** Exactly the two members of a page, whatever the host's object carries besides. */
export const asPage = <Item>({ items, cursor }: Page<Item>): Page<Item> => ({ items, cursor });

/** No id or key of a session is longer; the store would refuse a key made of it. */
const MOST_CHARACTERS = 512;

/** As decoded: the server's own bound is on what was sent, where a character may take nine. */
export function flat(params: unknown): Record<string, string> {
  const given = Object.entries({ ...Object(params) }).map(([name, value]) => [name, String(value)] as const);
  if (given.some(([, value]) => value.length > MOST_CHARACTERS)) throw new GatehouseError('URL_TOO_LONG');
  return Object.fromEntries(given);
}
