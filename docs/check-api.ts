// Holds the API against docs/api-baseline.json, the document of the last release: what a client of it uses is still there. Part of `npm run check`; `--release` writes the baseline anew, once a release is out; `--against FILE` compares with another.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openApi } from '../host/control/openapi/document.ts';
import { describedRoutes } from '../host/control/server.ts';
import type { Host } from '../host/host.ts';
import { breaksBetween } from './api-changes.ts';

const { values } = parseArgs({ options: { release: { type: 'boolean', default: false }, against: { type: 'string' } } });
const BASELINE = values.against ?? join(import.meta.dirname, 'api-baseline.json');

/** The document as far as a program depends on it; words and examples may change. */
function contract(): string {
  // Routes are data: to list them asks nothing of a host.
  const document = openApi(describedRoutes({} as Host)); // oxlint-disable-line typescript/no-unsafe-type-assertion
  const wordless = (key: string, value: unknown) => ((key === 'description' || key === 'summary') && typeof value === 'string') || key === 'examples' ? undefined : value;
  return `${JSON.stringify({ paths: successes(document.paths), components: { schemas: document.components.schemas } }, wordless, 1)}\n`;
}

/** Refusals are what docs/errors.md promises: codes are never renamed. */
const successes = (paths: object) => JSON.parse(JSON.stringify(paths, (key, value: unknown) => (key === 'responses' && value instanceof Object ? Object.fromEntries(Object.entries(value).filter(([status]) => status.startsWith('2'))) : value)));

if (values.release) {
  writeFileSync(BASELINE, contract());
  console.error('docs/api-baseline.json: the API as it is now');
} else {
  const breaks = breaksBetween(JSON.parse(readFileSync(BASELINE, 'utf8')), JSON.parse(contract()), new Date().toISOString().slice(0, 10));
  for (const each of breaks) console.error(each);
  console.error(breaks.length === 0 ? 'docs/api-baseline.json: nothing that a client uses is gone' : 'The API takes away what its last release had. Bring it back, or deprecate it first: docs/api.md, “How the API changes”.');
  process.exitCode = breaks.length === 0 ? 0 : 1;
}
