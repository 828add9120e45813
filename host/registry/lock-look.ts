// The lock as it counts at a look: asked for in strict alone, and in a running host as last understood where it cannot be read. Called by survey.ts.
import { dirname, relative } from 'node:path';
import { existsSync } from 'node:fs';
import type { Diagnostic } from '../../schemas/control.ts';
import type { Lock } from '../../schemas/lock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { diagnosticOf } from './diagnostics.ts';
import { EMPTY_LOCK, lockFile, readLock } from './lock.ts';

export interface LockLook {
  /** Undefined where nobody asks for one. */
  readonly lock: Lock | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

interface Last {
  readonly understood: { readonly lock: Lock | undefined };
  readonly isUnsettled: (path: string) => boolean;
}

/** No file locks nothing, so nothing may run; at a start neither does a file that cannot be read, which is fatal. */
export async function lookAtLock(config: Pick<ResolvedConfig, 'home' | 'manifestsDir' | 'strict'>, last: Last | undefined): Promise<LockLook> {
  if (!config.strict) return { lock: undefined, diagnostics: [] };
  const file = lockFile(config);
  const before = last?.understood.lock;
  const isUnsettled = last?.isUnsettled(file) ?? false;
  if (before && !existsSync(file) && (isUnsettled || !existsSync(dirname(file)))) return { lock: before, diagnostics: [] };
  try {
    return { lock: (await readLock(file)) ?? EMPTY_LOCK, diagnostics: [] };
  } catch (thrown) {
    const error = thrown instanceof GatehouseError ? thrown : new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
    const diagnostics = isUnsettled ? [] : [diagnosticOf(error, { severity: 'fatal', stage: 'trust', rule: 'lock', manifest: relative(config.home, file) })];
    return { lock: before ?? EMPTY_LOCK, diagnostics };
  }
}
