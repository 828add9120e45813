// From a command's options to the operator's home and settings. Called by every command that needs them.
import { findHome, loadConfig, type ResolvedConfig } from '../config.ts';
import type { Io } from './io.ts';

/** Throws HOME_NOT_FOUND. */
export function homeOf(io: Io): string {
  return findHome({ home: io.options.home, env: io.env, cwd: io.cwd });
}

/** Throws as `findHome` and `loadConfig` do. */
export function configOf(io: Io, flags: { readonly listen?: string | undefined } = {}): ResolvedConfig {
  return loadConfig({ home: homeOf(io), data: io.options.data, listen: flags.listen, env: io.env, cwd: io.cwd });
}
