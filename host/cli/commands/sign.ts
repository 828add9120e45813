// `gatehouse sign`: a publisher's word for a package.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { signPackage } from '../../authoring/sign.ts';
import { systemClock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { readKeyFile } from '../../trust/keys.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { readInput } from '../read-input.ts';
import { facts } from '../table.ts';

interface SignFlags {
  readonly key: string;
  readonly force?: boolean;
  readonly expires?: string;
}

const DAY_MS = 24 * 3600 * 1000;

export function register(program: Command, io: Io): void {
  program
    .command('sign <package>')
    .description('sign a package, folder or .tgz, in place of an earlier signature')
    .requiredOption('--key <file>', 'the key file, from `gatehouse keys generate`')
    .option('--force', 'sign although the key belongs to another publisher; no host will accept it')
    .option('--expires <when>', 'refuse the release after this: a date, a time, or days from now such as 90d')
    .addHelpText('after', example('gatehouse sign hello --key ~/keys/acme.key.json', 'gatehouse sign hello-1.0.0.tgz --key ~/keys/acme.key.json --expires 365d'))
    .action(async (path: string, { key, force = false, expires }: SignFlags) => {
      const now = systemClock.now();
      const expiresAt = expires === undefined ? undefined : timeOf(expires, now);
      const signed = await signPackage(resolve(io.cwd, path), { key: readKeyFile(await readInput(io, key), key), now, force, ...(expiresAt === undefined ? {} : { expiresAt }) });
      io.print(signed, () => facts(io, { plugin: `${signed.id} ${signed.version}`, digest: signed.packageDigest, 'signed by': signed.keyid, package: signed.path }));
    });
}

/** `2027-06-30`, `2027-06-30T12:00:00Z` or `90d`; in the future. */
function timeOf(text: string, now: number): number {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  const isDate = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/.test(text);
  const time = days === undefined ? (isDate ? Date.parse(text) : Number.NaN) : now + Number(days) * DAY_MS;
  if (Number.isNaN(time)) throw new GatehouseError('USAGE', { problem: `--expires '${text}' is neither a date (2027-06-30), a time in UTC (2027-06-30T12:00:00Z) nor a number of days (90d)`, command: 'sign' });
  if (time <= now) throw new GatehouseError('USAGE', { problem: `--expires '${text}' is not in the future`, command: 'sign' });
  return time;
}
