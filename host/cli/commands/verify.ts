// `gatehouse verify`: may this package run here?
import type { Command } from 'commander';
import type { Verification } from '../../trust/verify.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { checkLines } from '../check-lines.ts';
import { verifyFor } from '../trust-context.ts';

export function register(program: Command, io: Io): void {
  program
    .command('verify <package>')
    .description('check signature, content and identity of a package, folder or .tgz')
    .option('--trust <dir>', "a folder of trust records (default: the home's)")
    .addHelpText('after', example('gatehouse verify hello-1.0.0.tgz --trust manifests/trust', 'gatehouse verify plugins/acme.hello-1.0.0 --json'))
    .action(async (path: string, { trust }: { trust?: string }) => {
      const verification = await verifyFor(io, path, trust);
      io.print(reportOf(verification), () => [...checkLines(io, verification.checks), '', verdict(io, verification)].join('\n'));
      if (!verification.ok) io.exitWith(3);
    });
}

function reportOf(verification: Verification) {
  const { claims, checks, ok } = verification;
  return { ok, ...claims, checks, ...(verification.ok ? {} : { code: verification.error.code, message: verification.error.message, fix: verification.error.fix }) };
}

function verdict(io: Io, verification: Verification): string {
  if (!verification.ok) return `${io.tone('red', 'Refused.')} ${plainLine(verification.error.message, 400)}\n${plainLine(verification.error.fix, 400)}`;
  const { manifest, packageDigest, publisher } = verification.release;
  const name = `${manifest.id} ${manifest.version}\n${packageDigest}`;
  if (verification.checks.some(({ ok, name: check }) => check === 'trust' && ok === null)) return `${io.tone('yellow', 'Intact, but nobody vouches for it:')} ${name}\nThe signature was not checked. Name trust records with --trust, or a home with --home.`;
  return `${io.tone('green', `Verified, signed by '${publisher}':`)} ${name}`;
}
