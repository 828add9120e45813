// `gatehouse keys`: signing keys of publishers and reviewers.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Publisher } from '../../../schemas/ids.ts';
import { writeNewKey } from '../../authoring/new-key.ts';
import { writeNewReviewerKey } from '../../authoring/new-reviewer-key.ts';
import { GatehouseError } from '../../errors.ts';
import { compileSchema } from '../../schema.ts';
import { readKeyFile } from '../../trust/keys.ts';
import { isSealedKey, readSealedKey } from '../../trust/sealed-key.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { newPassphrase, type PassphraseOptions } from '../passphrase.ts';
import { readInput } from '../read-input.ts';
import { facts } from '../table.ts';
import { registerKeySuccession } from '../trust-succeed.ts';

interface GenerateOptions extends PassphraseOptions {
  readonly publisher?: string;
  readonly reviewer?: string;
  readonly revoker?: string;
  readonly out: string;
}

export function register(program: Command, io: Io): void {
  const keys = program.command('keys').description('generate and show signing keys').addHelpText('after', example('gatehouse keys generate --publisher acme --out ~/keys'));
  keys
    .command('generate')
    .description('make a key: <name>.key.json to keep secret, <name>.json for operators')
    .option('--publisher <name>', 'for a publisher: the first part of your plugin ids')
    .option('--reviewer <name>', 'for a reviewer: the private half is sealed with a passphrase')
    .option('--revoker <name>', 'for whoever signs lists of revocations for other hosts')
    .requiredOption('--out <dir>', 'where to write both files')
    .option('--passphrase-file <file>', 'for a reviewer: where the passphrase is read, without one trailing newline')
    .option('--passphrase-env <name>', 'for a reviewer: the environment variable that holds the passphrase')
    .addHelpText('after', example('gatehouse keys generate --publisher acme --out ~/keys', 'gatehouse keys generate --reviewer alice --out ~/keys'))
    .action(async ({ publisher, reviewer, revoker, out, ...passphrase }: GenerateOptions) => {
      const [name, ...others] = [publisher, reviewer, revoker].filter((each) => each !== undefined);
      if (name === undefined || others.length > 0) throw new GatehouseError('USAGE', { problem: 'name one of --publisher, --reviewer and --revoker', command: 'keys' });
      const names: { is(value: unknown): boolean } = compileSchema(Publisher);
      if (!names.is(name)) throw new GatehouseError('USAGE', { problem: `'${name}' is no name for a key: lower-case letters, digits and dashes, at most 40, starting with a letter`, command: 'keys' });
      const folder = resolve(io.cwd, out);
      const made = reviewer === undefined ? await writeNewKey(name, folder, revoker === undefined ? 'publisher' : 'revoker') : await writeNewReviewerKey(name, await newPassphrase(io, passphrase, `${name}.key.json`), folder);
      io.print(made, () => facts(io, { keyid: made.keyid, 'private key': made.keyFile, 'trust record': made.trustRecord }));
      io.say(`Keep the private key to yourself; operators add ${name}.json with \`gatehouse trust add\`.`);
    });
  registerKeySuccession(keys, io);
  keys
    .command('show <file>')
    .description('whose key a key file holds; never its private half')
    .addHelpText('after', example('gatehouse keys show ~/keys/acme.key.json'))
    .action(async (file: string) => {
      const shown = publicHalf(await readInput(io, file), file);
      io.print(shown, () => facts(io, shown));
    });
}

/** A sealed file says it openly. */
function publicHalf(bytes: Buffer, source: string) {
  if (isSealedKey(bytes)) {
    const { reviewer, keyid, publicKey } = readSealedKey(bytes, source);
    return { reviewer, keyid, publicKey };
  }
  const { publisher, keyid, publicKey } = readKeyFile(bytes, source);
  return { publisher, keyid, publicKey: publicKey.toString('base64') };
}
