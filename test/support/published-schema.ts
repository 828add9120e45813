// The schemas as the world sees them: schemas/json/*.json in an ajv of their own, with every check of the metaschema on.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

const FOLDER = resolve(import.meta.dirname, '../../schemas/json');

/** `plugin-manifest` → whether a value fits schemas/json/plugin-manifest.schema.json. */
export function publishedSchema(name: string): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, allErrors: false, validateSchema: true });
  return ajv.compile(JSON.parse(readFileSync(resolve(FOLDER, `${name}.schema.json`), 'utf8')));
}
