// From a command's options to the operator's home and settings. Called by every command that needs them.
import { findHome, loadConfig, type ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import type { Io } from './io.ts';

/** Throws HOME_NOT_FOUND, and USAGE under --host: what works on files must not take those of this machine for the other's. */
export function homeOf(io: Io): string {
  if (io.options.host !== undefined) throw new GatehouseError('USAGE', { problem: 'This command works on the files of a home, and --host names a host elsewhere; run it where the home is' });
  return findHome({ home: io.options.home, env: io.env, cwd: io.cwd });
}

/** Throws as `findHome` and `loadConfig` do. */
export function configOf(io: Io, flags: { readonly listen?: string | undefined } = {}): ResolvedConfig {
  return loadConfig({ home: homeOf(io), data: io.options.data, listen: flags.listen, env: io.env, cwd: io.cwd });
}

/** The settings and what would refuse a start with them, for a look that must not end there. Throws as `findHome` does, and for settings that cannot be read. */
export function auditConfigOf(io: Io): { readonly config: ResolvedConfig; readonly unsafe: readonly GatehouseError[] } {
  const unsafe: GatehouseError[] = [];
  const config = loadConfig({ home: homeOf(io), data: io.options.data, env: io.env, cwd: io.cwd }, (error) => unsafe.push(error));
  return { config, unsafe };
}
