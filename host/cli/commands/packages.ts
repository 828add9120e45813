// `gatehouse packages`: what runs and what was scanned here, by digest, with everything that was said of it.
import type { Command } from 'commander';
import type { PackageDetail, PackageView } from '../../../schemas/package.ts';
import type { ScanView } from '../../../schemas/scan.ts';
import { connect } from '../client.ts';
import { findingLines } from '../finding-lines.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { facts, table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const packages = program.command('packages').description('list and show packages by their digest').addHelpText('after', example('gatehouse packages list'));
  withListOptions(packages.command('list', { isDefault: true }), '/packages')
    .description('every package that an instance runs, or whose scan is kept')
    .addHelpText('after', example('gatehouse packages list --used true'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<PackageView>(connect(io), '/packages', options), {
        plugin: ({ plugin }) => plugin,
        version: ({ version }) => version,
        instances: ({ instances }) => instances.map(({ instance }) => instance).join(', '),
        scan: ({ scan }) => scan?.outcome ?? 'none',
        digest: ({ digest }) => digest,
      }, 'No packages.');
    });
  withListOptions(packages.command('scans'), '/scans')
    .description('what the scanner said of packages, newest first')
    .addHelpText('after', example('gatehouse packages scans --outcome warn'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<ScanView>(connect(io), '/scans', options), {
        at: ({ at }) => at,
        plugin: ({ plugin }) => plugin,
        version: ({ version }) => version,
        outcome: ({ outcome }) => outcome,
        risk: ({ risk }) => risk,
        findings: ({ findings }) => findings.length,
        digest: ({ packageDigest }) => packageDigest,
      }, 'No scans.');
    });
  packages
    .command('show <digest>')
    .description('one package: who runs it, its scans, and what reviewers decided')
    .addHelpText('after', example('gatehouse packages show sha256:9f86d081…'))
    .action(async (digest: string) => {
      const detail = await connect(io).get<PackageDetail>(`/packages/${encodeURIComponent(digest)}`);
      const { plugin, version, instances, scans, approvals } = detail;
      io.print(detail, () => [
        facts(io, { digest: detail.digest, plugin, version }),
        table(io, instances, { instance: (each) => each.instance, state: ({ state }) => state }, 'No instance has it now.'),
        table(io, scans, { 'scanned at': ({ at }) => at, outcome: ({ outcome }) => outcome, risk: ({ risk }) => risk, findings: ({ findings }) => findings.length, rules: ({ rules }) => rules }, 'No scan of it is kept.'),
        findingLines(io, scans[0]?.findings ?? []).join('\n'),
        table(io, approvals, { decision: ({ decision }) => decision, instance: ({ instance }) => instance, reviewer: ({ reviewer }) => reviewer, issued: ({ issuedAt }) => issuedAt, counts: ({ counts, problem = '' }) => (counts ? 'yes' : `no: ${problem}`) }, 'Nobody approved or rejected it.'),
      ].filter((part) => part !== '').join('\n\n'));
    });
}
