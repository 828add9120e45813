// Which plugins the operator enabled: every manifests/plugins/*.json, in the order of file names. Called by survey.ts.
import { readdir } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { Diagnostic } from '../../schemas/control.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { readRegularFile } from '../trust/regular-file.ts';
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

/** What a running host goes by where a file says nothing it can use. */
export interface Earlier {
  /** As last understood. */
  readonly enablements: readonly LoadedEnablement[];
  /** Whether a file is still being written: it counts as it was, and what is wrong with it is not said yet. */
  isUnsettled(path: string): boolean;
}

/**
 * Files whose name begins with a dot are drafts and not read. Without `earlier`, no folder means no enablements; with it, a file that cannot be understood counts
 * as it last did, and so does every file of a folder that is gone: a volume that is not mounted switches nothing off.
 */
export async function discover({ home, manifestsDir }: Pick<ResolvedConfig, 'home' | 'manifestsDir'>, earlier?: Earlier): Promise<Discovery> {
  const folder = join(manifestsDir, 'plugins');
  const enablements: LoadedEnablement[] = [];
  const diagnostics: Diagnostic[] = [];
  const report = (error: GatehouseError, manifest: string) => diagnostics.push(diagnosticOf(error, { severity: 'fatal', stage: 'discover', rule: 'enablement', manifest }));
  const listed = await enablementFiles(folder, earlier !== undefined);
  if (earlier && 'problem' in listed && earlier.enablements.length > 0) {
    report(new GatehouseError('FILE_UNREADABLE', { file: relative(home, folder), problem: listed.problem }), relative(home, folder));
    return { enablements: earlier.enablements, diagnostics };
  }
  const names = 'names' in listed ? listed.names : [];
  const gone = earlier?.enablements.filter(({ path }) => !names.includes(basename(path)) && earlier.isUnsettled(path)) ?? [];
  for (const name of names) {
    const path = join(folder, name);
    const file = relative(home, path);
    try {
      enablements.push({ path, file, enablement: readEnablement(await readBytes(path, file), file) });
    } catch (thrown) {
      if (!(thrown instanceof GatehouseError)) throw thrown;
      enablements.push(...(earlier?.enablements.filter((each) => each.path === path) ?? []));
      if (!earlier?.isUnsettled(path)) report(thrown, file);
    }
  }
  return { enablements: [...enablements, ...gone].sort((a, b) => (a.path < b.path ? -1 : 1)), diagnostics };
}

/** A start throws what keeps a folder from being read, other than that it is not there; a running host is told. */
async function enablementFiles(folder: string, isRunning: boolean): Promise<{ readonly names: readonly string[] } | { readonly problem: string }> {
  try {
    return { names: (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('.')).sort() };
  } catch (thrown) {
    const isGone = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!isGone && !isRunning) throw thrown;
    return { problem: isGone ? 'the folder is gone' : problemOf(thrown) };
  }
}

async function readBytes(path: string, file: string): Promise<Buffer> {
  try {
    return await readRegularFile(path);
  } catch (thrown) {
    throw new GatehouseError('JSON_INVALID', { source: file, line: 1, column: 1, problem: `it cannot be read (${problemOf(thrown).split(':')[0]})` }, { cause: thrown });
  }
}
