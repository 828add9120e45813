// Reads from a git checkout which commit a package was built from. Used by `sign --provenance git`, on the author's own machine.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GatehouseError } from '../errors.ts';

/**
 * The commit that is checked out around `dir`, and the address of its remote `origin` where it has one over HTTP. Throws USAGE outside a checkout, without a
 * commit, and where files that git knows were changed since: the commit would name something else than what was built.
 */
export async function gitProvenance(dir: string, env: NodeJS.ProcessEnv): Promise<{ readonly commit: string; readonly source?: string }> {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new GatehouseError('USAGE', { problem: `--provenance git: ${problem}` }, { cause });
  };
  const commit = await git(env, dir, 'rev-parse', '--verify', 'HEAD').catch((thrown: unknown) => refuse(`'${dir}' is not in a git checkout with a commit`, thrown));
  const changes = await git(env, dir, 'status', '--porcelain', '--untracked-files=no');
  if (changes !== '') refuse(`the checkout has changes that are not in ${commit}; commit them, build and sign again`);
  const remote = await git(env, dir, 'config', '--get', 'remote.origin.url').catch(() => '');
  return { commit, ...(/^https?:\/\//.test(remote) && { source: withoutUser(remote) }) };
}

/** A token that somebody left in the address of a remote must not be published. */
function withoutUser(remote: string): string {
  const url = new URL(remote);
  url.username = '';
  url.password = '';
  return url.href;
}

async function git(env: NodeJS.ProcessEnv, dir: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', ['-C', dir, ...words], { timeout: 10_000, maxBuffer: 16 * 1024 * 1024, env: { ...env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' } });
  return stdout.trim();
}
