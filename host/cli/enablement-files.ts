// The operator's enablement files as the command line finds and writes them. Called by `init` and `plugins`.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../../schemas/bounds.ts';
import { Enablement } from '../../schemas/enablement.ts';
import { writeFileWhole } from '../authoring/write-file.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { discover, type LoadedEnablement } from '../registry/discover.ts';
import { compileSchema, parseDocument } from '../schema.ts';

const SCHEMA_URL = 'https://gatehouse.dev/schemas/enablement.schema.json';

/** The file that enables this instance, if any. A file that cannot be read may be the one that is meant: then the finding is thrown. */
export async function findEnablement(config: ResolvedConfig, instance: string): Promise<LoadedEnablement | undefined> {
  const { enablements, diagnostics } = await discover(config);
  const found = enablements.find(({ enablement }) => enablement.instance === instance);
  const [unread] = diagnostics;
  if (!found && unread) throw new GatehouseError('ENABLEMENT_UNREADABLE', { instance, problem: unread.message });
  return found;
}

/** Throws PLUGIN_NOT_FOUND. */
export async function requireEnablement(config: ResolvedConfig, instance: string): Promise<LoadedEnablement> {
  const found = await findEnablement(config, instance);
  if (!found) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
  return found;
}

/** What the operator wrote, without defaults. */
export async function readAsWritten({ path, file }: LoadedEnablement): Promise<Enablement> {
  return parseDocument(await readFile(path), compileSchema(Enablement), { source: file, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth });
}

/** Writes the whole file at once: where the instance's file is, else as `<instance>.json`. Returns its path. */
export async function writeEnablement({ manifestsDir }: Pick<ResolvedConfig, 'manifestsDir'>, enablement: Enablement & { readonly instance: string }, present?: LoadedEnablement): Promise<string> {
  const folder = join(manifestsDir, 'plugins');
  await mkdir(folder, { recursive: true });
  const path = present?.path ?? join(folder, `${enablement.instance}.json`);
  const { $schema = SCHEMA_URL, ...rest } = enablement;
  await writeFileWhole(path, `${JSON.stringify({ $schema, ...rest }, null, 2)}\n`);
  return path;
}
