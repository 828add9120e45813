// `gatehouse sign`: a publisher's word for a package.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Provenance } from '../../../schemas/release.ts';
import { gitProvenance } from '../../authoring/git-provenance.ts';
import { signPackage } from '../../authoring/sign.ts';
import { systemClock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { readKeyFile } from '../../trust/keys.ts';
import { packageRoot } from '../../trust/package.ts';
import { isHttpsSource, provenanceProblem } from '../../trust/provenance.ts';
import { expiryOf } from '../expiry.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { readInput } from '../read-input.ts';
import { facts } from '../table.ts';

interface SignFlags {
  readonly key: string;
  readonly force?: boolean;
  readonly expires?: string;
  readonly source?: string;
  readonly commit?: string;
  readonly builder?: string;
  readonly provenance?: string;
}

export function register(program: Command, io: Io): void {
  program
    .command('sign <package>')
    .description('sign a package, folder or .tgz, in place of an earlier signature')
    .requiredOption('--key <file>', 'the key file, from `gatehouse keys generate`')
    .option('--force', 'sign although the key belongs to another publisher; no host will accept it')
    .option('--expires <when>', 'refuse the release after this: a date, a time, or days from now such as 90d')
    .option('--source <url>', 'state which repository it was built from')
    .option('--commit <id>', 'state which commit of it, by its whole id')
    .option('--builder <text>', 'state what built it')
    .option('--provenance <from>', 'git: take commit and, where it is http(s), remote from the checkout around the package')
    .addHelpText('after', example('gatehouse sign hello --key ~/keys/acme.key.json', 'gatehouse sign hello --key ~/keys/acme.key.json --provenance git', 'gatehouse sign hello-1.0.0.tgz --key ~/keys/acme.key.json --expires 365d'))
    .action(async (path: string, { key, force = false, expires, ...stated }: SignFlags) => {
      const now = systemClock.now();
      const expiresAt = expires === undefined ? undefined : expiryOf(expires, now, 'sign');
      const provenance = await provenanceFor(io, resolve(io.cwd, path), stated);
      if (provenance && !isHttpsSource(provenance)) io.say(plain(`Warning: ${provenance.source} is not https; hosts with trust.requireHttpsSource refuse the release.`));
      const signed = await signPackage(resolve(io.cwd, path), { key: readKeyFile(await readInput(io, key), key), now, force, ...(expiresAt === undefined ? {} : { expiresAt }), ...(provenance && { provenance }) });
      const value = { ...signed, ...(provenance && { provenance }) };
      io.print(value, () => facts(io, { plugin: `${signed.id} ${signed.version}`, digest: signed.packageDigest, 'signed by': signed.keyid, 'made from': provenance && `${provenance.source} at ${provenance.commit}`, package: signed.path }));
    });
}

/** What was stated, completed from git where that is asked for; nothing where nothing was. Throws USAGE for half of it. */
async function provenanceFor(io: Io, path: string, { source, commit, builder, provenance: from }: Pick<SignFlags, 'source' | 'commit' | 'builder' | 'provenance'>): Promise<Provenance | undefined> {
  const refuse = (problem: string): never => {
    throw new GatehouseError('USAGE', { problem, command: 'sign' });
  };
  if (from !== undefined && from !== 'git') refuse(`--provenance '${from}' is unknown; there is git`);
  if (from === 'git' && commit !== undefined) refuse('--provenance git finds the commit by itself; leave out --commit');
  const found = from === 'git' ? await checkoutAround(io, path) : undefined;
  const stated = { source: source ?? found?.source, commit: commit ?? found?.commit, builder };
  if (stated.source === undefined && stated.commit === undefined && builder === undefined) return undefined;
  if (stated.source === undefined || stated.commit === undefined) return refuse(`provenance is a repository and a commit; add ${stated.source === undefined ? '--source URL' : '--commit ID'}`);
  const provenance: Provenance = { source: stated.source, commit: stated.commit, ...(builder === undefined ? {} : { builder }) };
  const problem = provenanceProblem(provenance);
  return problem === undefined ? provenance : refuse(problem);
}

async function checkoutAround(io: Io, path: string): Promise<{ readonly commit: string; readonly source?: string }> {
  const { path: root, form } = await packageRoot(path);
  if (form === 'archive') throw new GatehouseError('USAGE', { problem: 'an archive lies in no checkout; sign the folder, or name --source and --commit', command: 'sign' });
  return gitProvenance(root, io.env);
}
