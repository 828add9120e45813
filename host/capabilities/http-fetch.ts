// `ctx.http.fetch(url, { method, headers, body, secrets })`: a request to a granted origin, performed by the host's egress under all of the instance's http.fetch grants.
import { Type } from 'typebox';
import type { CallScope } from '../broker/call-scope.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed, oneOf } from '../../schemas/closed.ts';
import { SecretHandle } from '../../schemas/ids.ts';
import { permitsOf, type Egress, type EgressRequest, type EgressResponse } from '../egress/egress.ts';
import { injectionsFor } from '../egress/injection.ts';
import { permitFor, targetOf } from '../egress/target.ts';
import { compileSchema } from '../schema.ts';
import { operation, type Caller } from './capability.ts';

interface Request {
  url: string;
  init?: { method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'; headers?: Record<string, string>; body?: string; secrets?: string[] };
}

const SECRETS = 8;

const request = compileSchema<Request>(
  closed({
    url: Type.String({ maxLength: BOUNDS.fetchUrlBytes }),
    init: Type.Optional(
      closed({
        method: Type.Optional(oneOf('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE')),
        headers: Type.Optional(Type.Record(Type.String(), Type.String(), { maxProperties: BOUNDS.fetchHeaders })),
        body: Type.Optional(Type.String()),
        secrets: Type.Optional(Type.Array(SecretHandle, { maxItems: SECRETS, uniqueItems: true })),
      }),
    ),
  }),
);

export interface HttpFetchParts {
  readonly egress: Egress;
  /** The value of an instance's secret; undefined when it cannot be read. */
  readonly secretOf: (instance: string, handle: string) => string | undefined;
}

export interface FetchRequest extends EgressRequest {
  readonly secrets?: readonly string[];
}

/** One request as the instance, under all of its grants: for `ctx.http.fetch`, and for the request actions of channels. Throws what `Egress.fetch` and `injectionsFor` throw. */
export async function fetchAs({ egress, secretOf }: HttpFetchParts, { instance, plugin, grants }: Caller, { secrets = [], ...request }: FetchRequest, signal?: AbortSignal): Promise<EgressResponse> {
  const injections = injectionsFor(secrets, grants, (handle) => secretOf(instance, handle), { instance, url: request.url });
  return await egress.fetch({ instance, plugin }, request, permitsOf(grants), injections, signal);
}

/** Quotas are charged by the egress, so that both doors count against the same ones. A fetch ends with its call. */
export function httpFetch(parts: HttpFetchParts) {
  return operation<Request, 'http.fetch'>({
    op: 'http.fetch',
    capability: 'http.fetch',
    spends: 'egressBytes',
    request,
    authorize({ url, init: { method = 'GET' } = {} }, grant) {
      const target = targetOf(url);
      if (typeof target === 'string') return { value: `${method}: ${target}` };
      return permitFor(target, method, permitsOf([grant])) ? undefined : { value: `${method} ${target.origin}` };
    },
    async perform({ url, init: { method = 'GET', ...init } = {} }, caller, scope) {
      const over = new AbortController();
      scope.onClose(() => over.abort());
      return await fetchAs(parts, caller, { url, method, ...init, onBytes: (egressBytes) => pay(scope, egressBytes) }, over.signal);
    },
  });
}

/** What has come is paid for, also when it is too much: nothing more comes then. Requests side by side see each other. */
function pay(scope: CallScope, egressBytes: number): void {
  if (egressBytes > 0) scope.spend({ egressBytes });
  scope.hold('egressBytes');
}
