// /openapi.json as others read it: a validator, a linter and a schema compiler that are not ours, and the promises that the document makes about itself.
import SwaggerParser from '@apidevtools/swagger-parser';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { openApi } from '../../host/control/openapi/document.ts';
import { describedRoutes } from '../../host/control/server.ts';
import { ERRORS } from '../../host/errors.ts';
import type { Host } from '../../host/host.ts';

// Routes are data: to list them asks nothing of a host.
const document = openApi(describedRoutes({} as Host));
const text = JSON.stringify(document);

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
}
const operations = Object.values(document.paths).flatMap((item) => Object.values(item as Record<string, Operation>).filter((each) => 'operationId' in each));

describe('/openapi.json', () => {
  it('is OpenAPI 3.1 to an independent validator', async () => {
    await SwaggerParser.validate(JSON.parse(text));
    const { info: _, ...headless } = JSON.parse(text);
    await expect(SwaggerParser.validate(headless)).rejects.toThrow(/info/);
  });

  it('has nothing that an independent linter would change, by all of its recommended rules', async () => {
    expect(await lint(text)).toEqual([]);
    const careless = JSON.parse(text);
    delete careless.info.license;
    careless.paths['/api/v1/status'].get.operationId = 'listPlugins';
    expect(await lint(JSON.stringify(careless))).toEqual(expect.arrayContaining(['info-license', 'operation-operationId-unique']));
  });

  it('has schemas that compile one by one, strictly', () => {
    const ajv = new Ajv2020({ strict: true, allErrors: true, strictTypes: false, formats: { 'date-time': true } });
    ajv.addVocabulary(['components']);
    ajv.addSchema({ $id: 'document', components: JSON.parse(text).components });
    for (const name of Object.keys(document.components.schemas)) expect([name, typeof ajv.getSchema(`document#/components/schemas/${name}`)]).toEqual([name, 'function']);
    const isProblem = ajv.getSchema('document#/components/schemas/Problem');
    for (const [code, { value }] of Object.entries(document.components.examples)) expect([code, isProblem?.(value)]).toEqual([code, true]);
  });

  it('names every operation once, as a verb and what it is about, and says what each parameter means', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(ids.length).toBeGreaterThan(60);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z]+([A-Z][a-z]+)*$/.test(id))).toEqual([]);
    const silent = operations.flatMap(({ operationId, parameters = [] }) => parameters.filter(({ description = '' }) => description === '').map(({ name }) => `${operationId} ${name}`));
    expect(silent).toEqual([]);
  });

  it('shows a refusal as the host words it, with every value filled in', () => {
    const examples = Object.entries(document.components.examples);
    expect(examples.filter(([code, { summary, value }]) => !Object.hasOwn(ERRORS, code) || /\{\w+\}/.test(`${summary} ${value.detail}`)).map(([code]) => code)).toEqual([]);
  });

  it('shows the headers that answers carry: the id of the request on each, and on mutations whether it is a repetition', () => {
    const headersOf = (path: string, method: string, status: string) => Object.keys(Object(JSON.parse(text)).paths[path][method].responses[status].headers ?? {});
    expect(headersOf('/api/v1/plugins', 'get', '200')).toEqual(['X-Request-Id']);
    expect(headersOf('/api/v1/plugins/{instance}/disable', 'post', '200')).toEqual(['X-Request-Id', 'Idempotency-Replayed']);
    expect(headersOf('/healthz', 'get', '200')).toEqual(['X-Request-Id']);
    const responses = [...Object.values(document.components.responses), ...operations.flatMap((each) => Object.values((each as unknown as { readonly responses: Record<string, object> }).responses))];
    expect(responses.filter((response) => !('$ref' in response) && !('X-Request-Id' in Object(Object(response).headers)))).toEqual([]);
  });

  it('writes no schema twice that has members worth a name', () => {
    const seen = new Map<string, number>();
    JSON.stringify(document, (_key, value: unknown) => {
      if (value instanceof Object && 'properties' in value && Object.keys(Object(value.properties)).length > 3) {
        const shape = JSON.stringify(value);
        seen.set(shape, (seen.get(shape) ?? 0) + 1);
      }
      return value;
    });
    expect([...seen].filter(([, times]) => times > 1).map(([shape]) => shape.slice(0, 200))).toEqual([]);
  });
});

/** The rules that are broken. */
async function lint(source: string): Promise<string[]> {
  const found = await lintFromString({ source, absoluteRef: '/openapi.json', config: await createConfig({ extends: ['recommended'] }) });
  return found.map(({ ruleId }) => ruleId);
}
