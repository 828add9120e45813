// The way to the host that --host names: its address, judged before a token goes there, and the token from a file or the environment, never from the command line. Called by client.ts.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { GatehouseError, problemOf } from '../errors.ts';
import { isLoopback } from '../network/addresses.ts';
import type { Way } from './client.ts';
import type { Io } from './io.ts';

/** Throws USAGE for an address that is none, or that a token would cross a network to in clear; FILE_UNREADABLE for the token's file. */
export function remoteWay(io: Io, given: string): Way {
  const address = addressOf(given);
  return { address, token: tokenOf(io), unreachable: (problem, cause) => new GatehouseError('REMOTE_UNREACHABLE', { address, problem }, { cause }) };
}

function addressOf(given: string): string {
  const usage = (problem: string) => new GatehouseError('USAGE', { problem: `--host: ${problem}` });
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw usage('write an address with its scheme, as https://chat.example.com');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') throw usage('write scheme, name and port alone');
  if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) throw usage('the token would cross the network in clear; use https, or a tunnel that ends on this machine');
  return `${url.origin}${url.pathname === '/' ? '' : url.pathname.replace(/\/+$/, '')}`;
}

function tokenOf(io: Io): string {
  const { tokenFile } = io.options;
  const token = tokenFile === undefined ? io.env['GATEHOUSE_TOKEN'] : readTokenFile(resolve(io.cwd, tokenFile));
  if (token === undefined || token === '') throw new GatehouseError('USAGE', { problem: '--host needs a token: name its file with --token-file, or set GATEHOUSE_TOKEN' });
  // Whatever else stands in that file must not travel as a header.
  if (!/^ght_[A-Za-z0-9]+_[A-Za-z0-9_-]+$/.test(token)) throw new GatehouseError('USAGE', { problem: `What ${tokenFile === undefined ? 'GATEHOUSE_TOKEN holds' : `stands in ${tokenFile}`} is no token of Gatehouse; one begins with ght_` });
  return token;
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (thrown) {
    throw new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
  }
}
