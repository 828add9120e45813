// `gatehouse keys`: signing keys of a publisher.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Publisher } from '../../../schemas/ids.ts';
import { writeNewKey } from '../../authoring/new-key.ts';
import { GatehouseError } from '../../errors.ts';
import { compileSchema } from '../../schema.ts';
import { readKeyFile } from '../../trust/keys.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { readInput } from '../read-input.ts';
import { facts } from '../table.ts';

export function register(program: Command, io: Io): void {
  const keys = program.command('keys').description('generate and show signing keys').addHelpText('after', example('gatehouse keys generate --publisher acme --out ~/keys'));
  keys
    .command('generate')
    .description('make a key: <publisher>.key.json to keep secret, <publisher>.json for operators')
    .requiredOption('--publisher <name>', 'the first part of your plugin ids')
    .requiredOption('--out <dir>', 'where to write both files')
    .addHelpText('after', example('gatehouse keys generate --publisher acme --out ~/keys'))
    .action(async ({ publisher, out }: { publisher: string; out: string }) => {
      const names: { is(value: unknown): boolean } = compileSchema(Publisher);
      if (!names.is(publisher)) throw new GatehouseError('USAGE', { problem: `'${publisher}' is not a publisher name: lower-case letters, digits and dashes, at most 40, starting with a letter`, command: 'keys' });
      const made = await writeNewKey(publisher, resolve(io.cwd, out));
      io.print(made, () => facts(io, { keyid: made.keyid, 'private key': made.keyFile, 'trust record': made.trustRecord }));
      io.say(`Keep the private key to yourself; operators add ${publisher}.json with \`gatehouse trust add\`.`);
    });
  keys
    .command('show <file>')
    .description('whose key a key file holds; never its private half')
    .addHelpText('after', example('gatehouse keys show ~/keys/acme.key.json'))
    .action(async (file: string) => {
      const { publisher, keyid, publicKey } = readKeyFile(await readInput(io, file), file);
      const shown = { publisher, keyid, publicKey: publicKey.toString('base64') };
      io.print(shown, () => facts(io, shown));
    });
}
