// Secrets that stand in clear where settings stand: in host.json, in enablements, in what a plugin's own schema calls secret. Asked by the audit; no value is ever repeated.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hostConfigPath } from '../../config.ts';
import { problemOf } from '../../errors.ts';
import { secretIn } from '../../secret-formats.ts';
import type { SecurityCheck, Sighting } from './check.ts';
import { filesIn } from './file-modes.ts';

export const secretsInFiles: SecurityCheck = {
  severity: 'high',
  why: 'Settings are copied, committed and shown; a secret in them is soon known to people it is not for.',
  async look({ config: { home, manifestsDir } }) {
    const files = [hostConfigPath(home), ...(await filesIn(join(manifestsDir, 'plugins'), (name) => name.endsWith('.json')))];
    const found = await Promise.all(files.filter((file) => existsSync(file)).map(async (file) => ({ file, texts: textsIn(await documentIn(file)) })));
    return found.flatMap(({ file, texts }) => texts.flatMap(({ path, text }): Sighting[] => {
      const kind = secretIn(text);
      return kind === undefined ? [] : [{ where: `${relative(home, file)} ${path}`, found: `it holds ${kind} in clear`, fix: 'Treat it as known: take another one from whoever issued it, and name where it is kept in `secrets` of the enablement (`env` or `file`).' }];
    }));
  },
};

export const markedSecrets: SecurityCheck = {
  severity: 'medium',
  why: 'Its author calls it a secret, and it stands in a file that is not kept like one.',
  look: ({ instances }) => instances.flatMap(({ name, file, manifest, enablement: { config } }) => markedIn(manifest?.config, config).map((path) => ({ where: name, found: `${file} has config ${path} in clear, which the plugin marks as secret`, fix: `Let only the host read ${file}; ask the author to take it by \`secret.use\`.` }))),
};

/** Pointers to values of the config that the schema marks with `x-secret`. */
function markedIn(schema: unknown, value: unknown, path = ''): string[] {
  if (!isRecord(schema) || value === undefined || value === '') return [];
  if (schema['x-secret'] === true) return [path];
  const { properties } = schema;
  if (!isRecord(properties) || !isRecord(value)) return [];
  return Object.keys(properties).flatMap((key) => (Object.hasOwn(value, key) ? markedIn(properties[key], value[key], `${path}/${key}`) : []));
}

/** A file that is not JSON is searched as the text it is. */
async function documentIn(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (thrown) {
    return { [problemOf(thrown).slice(0, 40)]: text };
  }
}

/** Every text in a document, keys included, by JSON pointer. */
function textsIn(value: unknown, path = ''): { readonly path: string; readonly text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [{ path, text: key }, ...textsIn(child, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)]);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
