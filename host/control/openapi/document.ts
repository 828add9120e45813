// The API as OpenAPI 3.1, made from the same list that registers the routes, so that it cannot say anything else. routes/openapi.ts serves it; docs/generate-openapi.ts writes a copy.
import { Problem } from '../../../schemas/control.ts';
import type { ErrorCode } from '../../errors.ts';
import { VERSION } from '../../version.ts';
import type { DescribedRoute } from '../routes/api.ts';
import { SCOPES } from '../scopes.ts';
import { createComponents } from './components.ts';
import { operation } from './operation.ts';
import { HEADERS, codesOf, problemComponents } from './problems.ts';
import { PUBLIC_CODES, publicPaths } from './public-routes.ts';
import { tagList } from './tags.ts';

const DESCRIPTION = `The control plane of a Gatehouse host: everything that its command line and its dashboard do, and what they are made with.

Every failure is \`application/problem+json\` (RFC 9457) with a stable \`code\`; docs/errors.md has them all. A query parameter or a member of a body that is not listed here is refused, not ignored.
A method that a path does not list is answered 405 with \`allow\`; HEAD is answered wherever GET is. An answer may grow members: readers skip what they do not know.`;

/** https://spec.openapis.org/oas/v3.1.1 */
export function openApi(routes: readonly DescribedRoute[]) {
  const components = createComponents();
  components.refer(Problem);
  const byPath = Map.groupBy(routes, ({ path }) => `/api/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  const paths = {
    ...Object.fromEntries([...byPath].map(([path, methods]) => [path, Object.fromEntries(methods.map((route) => [route.method.toLowerCase(), operation(route, components)]))])),
    ...publicPaths(components),
  };
  const codes = new Set<ErrorCode>(['INTERNAL', ...PUBLIC_CODES, ...routes.flatMap(codesOf)]);
  const { responses, examples } = problemComponents(codes, referredTo(paths, codes));
  return {
    openapi: '3.1.1',
    info: { title: 'Gatehouse', version: VERSION, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'The host that serves this document.' }],
    tags: tagList(tagsIn(paths)),
    security: [{ token: [] }],
    paths,
    components: {
      schemas: components.schemas(),
      responses,
      examples,
      headers: HEADERS,
      securitySchemes: {
        token: {
          type: 'http', scheme: 'bearer', bearerFormat: 'ght_<id>_<secret>',
          description: `The first token is in the data directory, file admin-token. What an operation needs stands in its \`security\`; there are ${SCOPES.map((scope) => `\`${scope}\``).join(', ')}.`,
        },
      },
    },
  };
}

/** Codes that have a response of their own: those that are alone under their status somewhere. */
function referredTo(paths: object, codes: ReadonlySet<ErrorCode>): ReadonlySet<ErrorCode> {
  const text = JSON.stringify(paths);
  return new Set([...codes].filter((code) => text.includes(`"#/components/responses/${code}"`)));
}

const tagsIn = (paths: object): ReadonlySet<string> => new Set(Object.values(paths).flatMap((item: object) => Object.values(item).flatMap((each: unknown) => (each instanceof Object && 'tags' in each && Array.isArray(each.tags) ? each.tags.map(String) : []))));
