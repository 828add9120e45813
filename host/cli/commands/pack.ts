// `gatehouse pack`: a built plugin as one file.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { packPackage, type SignatureState } from '../../authoring/pack.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { facts } from '../table.ts';

const SIGNATURES: Readonly<Record<SignatureState, string>> = { matches: 'yes', stale: 'no: the signature is of other content; run `gatehouse sign`, then pack again', none: 'no' };

export function register(program: Command, io: Io): void {
  program
    .command('pack <dir>')
    .description('pack a built plugin into a .tgz, with its signature if it has one')
    .requiredOption('--out <file>', 'the file to write')
    .addHelpText('after', example('gatehouse pack hello --out hello-1.0.0.tgz'))
    .action(async (dir: string, { out }: { out: string }) => {
      const packed = await packPackage(resolve(io.cwd, dir), resolve(io.cwd, out));
      io.print(packed, () => facts(io, { plugin: `${packed.id} ${packed.version}`, digest: packed.packageDigest, file: packed.path, size: `${packed.files} files, ${packed.bytes} bytes packed`, signed: SIGNATURES[packed.signature] }));
    });
}
