// `gatehouse scan`: what the scanner says of a package, or of what an instance runs. Through the running host, which keeps it and acts on it; else on files alone.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ScanResult, ScanView } from '../../../schemas/scan.ts';
import { GatehouseError } from '../../errors.ts';
import { discover } from '../../registry/discover.ts';
import { readManifest } from '../../trust/manifest.ts';
import { MANIFEST_FILE } from '../../trust/package-names.ts';
import { findHost } from '../client.ts';
import { configOf } from '../context.ts';
import { surveyFiles } from '../files-survey.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { findingLines } from '../finding-lines.ts';
import { scanJudged } from '../scan-package.ts';
import { hasHome, judgementFor } from '../trust-context.ts';

type Scanned = Omit<ScanView, 'id'>;

export function register(program: Command, io: Io): void {
  program
    .command('scan <package|instance>')
    .description('look through the code of a package, or of what an instance runs, again')
    .addHelpText('after', example('gatehouse scan dist', 'gatehouse scan hello-1.0.0.tgz --json', 'gatehouse scan weather'))
    .action(async (target: string) => {
      const scanned = await scanTarget(target, io);
      io.print(scanned, () => [...findingLines(io, scanned.findings), ...(scanned.findings.length === 0 ? [] : ['']), verdict(io, scanned)].join('\n'));
      const isReported = scanned.outcome === 'warn' && hasHome(io) && configOf(io).trust.scan?.onWarn === 'report';
      if (scanned.outcome !== 'pass' && !isReported) io.exitWith(3);
    });
}

/** An instance first, as `approve` takes it: a folder that happens to have its name is meant by `./name`. */
async function scanTarget(target: string, io: Io): Promise<Scanned> {
  const isInstance = hasHome(io) && (await discover(configOf(io))).enablements.some(({ enablement }) => enablement.instance === target);
  return isInstance || !existsSync(resolve(io.cwd, target)) ? await scanInstance(target, io) : await scanPackage(target, io);
}

/** Signed or not: an author scans what is about to be signed. Throws what reading the package throws. */
async function scanPackage(path: string, io: Io): Promise<Scanned> {
  const judgement = await judgementFor(io, path, undefined);
  const { verification } = judgement;
  const result = await scanJudged(judgement);
  const { found } = verification.seen;
  // Its manifest says best why there was nothing to scan.
  const manifest = found && readManifest(found.files.get(MANIFEST_FILE) ?? Buffer.alloc(0), MANIFEST_FILE);
  if (!result || !manifest) throw verification.ok ? new GatehouseError('PACKAGE_INVALID', { source: path, problem: 'nothing of it could be read' }) : verification.error;
  return { plugin: manifest.id, version: manifest.version, ...result };
}

/** Throws PLUGIN_NOT_FOUND, SCAN_IMPOSSIBLE. */
async function scanInstance(instance: string, io: Io): Promise<Scanned> {
  const host = findHost(io);
  if (host) return await host.post<ScanView>(`/plugins/${encodeURIComponent(instance)}/scan`);
  const { plugins, refused, disabled } = await surveyFiles(configOf(io), io.env);
  const found = [...plugins, ...refused].find((each) => each.instance === instance);
  const problem = found ? ('message' in found ? found.message : '') : disabled.some(({ enablement }) => enablement.instance === instance) ? 'it is switched off, and its package was not looked at.' : undefined;
  if (problem === undefined) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
  if (!found?.scan || !found.release) throw new GatehouseError('SCAN_IMPOSSIBLE', { instance, problem });
  const { manifest: { id: plugin, version } } = found.release;
  return { plugin, version, ...found.scan };
}

function verdict(io: Io, { plugin, version, outcome, risk, rules }: Scanned): string {
  const words: Readonly<Record<ScanResult['outcome'], string>> = {
    pass: io.tone('green', 'Passes:'),
    warn: io.tone('yellow', 'Warned of, for reviewers to agree:'),
    block: io.tone('red', 'Blocked, whoever agrees:'),
  };
  return `${words[outcome]} ${plainLine(`${plugin} ${version}, risk ${risk}`)} ${io.tone('dim', `(rules ${rules})`)}`;
}
