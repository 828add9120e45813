// Which plugins the operator enabled: every manifests/plugins/*.json, in the order of file names. Called by survey.ts.
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { diagnosticOf } from './diagnostics.ts';
import { readEnablement, type ResolvedEnablement } from './enablement-file.ts';

export interface LoadedEnablement {
  /** Absolute. */
  readonly path: string;
  /** The same relative to the home, as messages name it. */
  readonly file: string;
  readonly enablement: ResolvedEnablement;
}

export interface Discovery {
  readonly enablements: readonly LoadedEnablement[];
  /** All fatal: of a file that cannot be understood, nobody knows whether it was required. */
  readonly diagnostics: readonly Diagnostic[];
}

/** No folder means no enablements. Files whose name begins with a dot are drafts and not read. */
export async function discover({ home, manifestsDir }: Pick<ResolvedConfig, 'home' | 'manifestsDir'>): Promise<Discovery> {
  const folder = join(manifestsDir, 'plugins');
  const enablements: LoadedEnablement[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const name of await enablementFiles(folder)) {
    const path = join(folder, name);
    const file = relative(home, path);
    try {
      enablements.push({ path, file, enablement: readEnablement(await readBytes(path, file), file) });
    } catch (thrown) {
      if (!(thrown instanceof GatehouseError)) throw thrown;
      diagnostics.push(diagnosticOf(thrown, { severity: 'fatal', stage: 'discover', rule: 'enablement', manifest: file }));
    }
  }
  return { enablements, diagnostics };
}

async function enablementFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('.')).sort();
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
    throw thrown;
  }
}

async function readBytes(path: string, file: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (thrown) {
    throw new GatehouseError('JSON_INVALID', { source: file, line: 1, column: 1, problem: `it cannot be read (${problemOf(thrown).split(':')[0]})` }, { cause: thrown });
  }
}
