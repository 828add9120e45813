// /openapi.json as a client reads it: the operations it lists, and a judge of answers by what it says of them. For walks over every operation.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Json = Readonly<Record<string, unknown>>;

export interface ApiParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: { readonly type?: string; readonly enum?: readonly string[]; readonly format?: string; readonly $ref?: string };
}

export interface ApiOperation {
  readonly id: string;
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly parameters: readonly ApiParameter[];
  readonly hasBody: boolean;
  /** The scope it needs; '' for any token, undefined where it answers without one. */
  readonly scope: string | undefined;
  /** Of its success. */
  readonly status: string;
}

export interface ApiDocument {
  readonly operations: readonly ApiOperation[];
  /** Methods that a path lists. */
  methodsAt(path: string): readonly string[];
  /** What is wrong with an answer by the document; undefined when nothing is. */
  faultOf(operation: ApiOperation, answer: { readonly status: number; readonly contentType: string; readonly text: string }): string | undefined;
}

interface RawOperation {
  readonly operationId: string;
  readonly parameters?: readonly ApiParameter[];
  readonly requestBody?: Json;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly responses: Readonly<Record<string, RawResponse>>;
}
interface RawResponse {
  readonly $ref?: string;
  /** None: it comes without a body. */
  readonly content?: Readonly<Record<string, { readonly schema: Json; readonly examples?: Json }>>;
}
interface RawDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>> & { readonly parameters?: readonly ApiParameter[] }>>;
  readonly components: { readonly responses: Readonly<Record<string, RawResponse>> };
}

export function readApiDocument(text: string): ApiDocument {
  const document = JSON.parse(text) as RawDocument;
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': true } });
  ajv.addSchema({ $id: 'document', components: document.components });
  const compiled = new Map<string, ValidateFunction>();
  const checkerOf = (schema: Json) => {
    const key = JSON.stringify(schema).replaceAll('"#/', '"document#/');
    const checker = compiled.get(key) ?? ajv.compile(JSON.parse(key));
    compiled.set(key, checker);
    return checker;
  };
  const raw = new Map(Object.entries(document.paths).flatMap(([path, { parameters: shared = [], ...methods }]) => Object.entries(methods).map(([method, operation]) => [operation.operationId, { path, method, shared, operation }] as const)));

  return {
    operations: [...raw.values()].map(({ path, method, shared, operation }) => ({
      id: operation.operationId, method: method.toUpperCase(), path,
      parameters: [...shared, ...(operation.parameters ?? [])],
      hasBody: operation.requestBody !== undefined,
      scope: operation.security.length === 0 || operation.security.some((each) => Object.keys(each).length === 0) ? undefined : (operation.security[0]?.['token']?.[0] ?? ''),
      status: Object.keys(operation.responses).find((status) => status.startsWith('2')) ?? 'none',
    })),
    methodsAt: (path) => Object.keys(document.paths[path] ?? {}).filter((key) => key !== 'parameters').map((method) => method.toUpperCase()),
    faultOf({ id }, { status, contentType, text: body }) {
      const responses: RawOperation['responses'] = raw.get(id)?.operation.responses ?? {};
      const found = responses[status] ?? responses[`${String(status)[0]}XX`];
      const response = found?.$ref === undefined ? found : document.components.responses[found.$ref.split('/').at(-1) ?? ''];
      if (!response) return `${status} is not documented: ${body.slice(0, 300)}`;
      if (response.content === undefined) return body === '' ? undefined : `${status} is documented without a body, and came with ${body.slice(0, 300)}`;
      const type = contentType.split(';')[0] ?? '';
      const content = response.content[type] ?? response.content['*/*'];
      if (!content) return `${status} is documented as ${Object.keys(response.content).join(' or ')}, and came as ${type}`;
      const { contentSchema, ...schema } = content.schema;
      const checks: (readonly [Json, unknown])[] = contentSchema === undefined ? [[schema, type.endsWith('json') ? JSON.parse(body) : body]] : linesOf(type, body).map((line) => [contentSchema as Json, JSON.parse(line)] as const);
      for (const [fitting, value] of checks) {
        const checker = checkerOf(fitting);
        if (!checker(value)) return `${status} does not fit: ${ajv.errorsText(checker.errors)} in ${JSON.stringify(value).slice(0, 300)}`;
      }
      const code = status >= 400 && type.endsWith('problem+json') ? String((JSON.parse(body) as Json)['code']) : undefined;
      if (code !== undefined && content.examples && !Object.hasOwn(content.examples, code)) return `${status} with the code ${code} is not documented; there are ${Object.keys(content.examples).join(', ')}`;
      return undefined;
    },
  };
}

/** Of a stream, what its schema speaks of: the data of each event, or each line. */
function linesOf(type: string, body: string): string[] {
  const lines = body.split('\n').filter((line) => line !== '');
  return type === 'text/event-stream' ? lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice('data: '.length)) : lines;
}
