// From a package named on the command line to its report, with a rebuild where one is asked for. Called by `verify` and `inspect`.
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { rebuild, type Rebuild } from '../authoring/rebuild.ts';
import { writeFileWhole } from '../authoring/write-file.ts';
import { systemClock, toTimestamp } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import type { RebuildAttempt } from '../../schemas/rebuild.ts';
import { readRebuilds, rebuildFile, withAttempt } from '../trust/rebuilds.ts';
import { reportOf, type Report } from '../trust/report/report.ts';
import { sarifOf } from '../trust/report/sarif.ts';
import type { Verification } from '../trust/verify.ts';
import { VERSION } from '../version.ts';
import { plain, type Io } from './io.ts';
import { reviewsFor } from './report-parts.ts';
import { scanJudged } from './scan-package.ts';
import { judgementFor } from './trust-context.ts';

export interface ReportFlags {
  readonly trust?: string;
  readonly sarif?: boolean;
  readonly rebuild?: string;
}

export interface PackageReport {
  readonly report: Report;
  readonly verification: Verification;
  /** What was built just now. */
  readonly rebuilt?: Rebuild;
}

/** Throws USAGE for --sarif with --json, and what reading trust throws; whatever is wrong with the package is in the report. */
export async function packageReport(io: Io, path: string, { trust: named, sarif = false, rebuild: source }: ReportFlags): Promise<PackageReport> {
  if (sarif && io.options.json) throw new GatehouseError('USAGE', { problem: '--sarif and --json are two forms of one report; choose one' });
  const judgement = await judgementFor(io, path, named);
  const { verification, trust, trustDir, homeTrustDir } = judgement;
  const { packageDigest } = verification.claims;
  const known = trustDir === undefined || packageDigest === null ? { attempts: [] } : await readRebuilds(trustDir, packageDigest);
  const parts = { verification, trust, scan: await scanJudged(judgement), reviews: await reviewsFor(io, judgement) };
  const rebuilt = source === undefined ? undefined : await rebuildOf(io, verification, resolve(io.cwd, source));
  if (!rebuilt) return { verification, report: reportOf({ ...parts, rebuilds: known }) };
  const attempt = attemptOf(rebuilt);
  await keep(io, verification, attempt, homeTrustDir);
  return { verification, rebuilt, report: reportOf({ ...parts, rebuilds: { ...known, attempts: [attempt, ...known.attempts] } }) };
}

/** The report in the form that was asked for; the command ends with this code. */
export function printReport(io: Io, { report, rebuilt }: PackageReport, { sarif = false }: ReportFlags, exitCode: 0 | 3, render: () => string): void {
  if (exitCode !== 0) io.exitWith(exitCode);
  if (sarif) io.line(JSON.stringify(sarifOf(report, exitCode), null, 2));
  else io.print(rebuilt ? { ...report, rebuild: rebuilt } : report, render);
}

async function rebuildOf(io: Io, { seen: { found } }: Verification, source: string): Promise<Rebuild | undefined> {
  if (!found) return undefined;
  io.say(plain(`Building ${source} again. Nothing of it is run.`));
  return rebuild(source, found.files);
}

function attemptOf({ verdict, problem, bundler, commit, files, differences }: Rebuild): RebuildAttempt {
  return {
    at: toTimestamp(systemClock.now()), verdict, files,
    tools: { gatehouse: VERSION, ...(bundler === undefined ? {} : { esbuild: bundler }) },
    ...(commit === undefined ? {} : { commit }),
    ...(problem === undefined ? {} : { problem: problem.slice(0, 2000).toWellFormed() }),
    ...(differences.length === 0 ? {} : { differences: differences.slice(0, 1000).map(({ name, package: signed, rebuilt }) => ({ name, package: signed, rebuilt })) }),
  };
}

/** Only of a package whose statement was read: the record names what the release names. */
async function keep(io: Io, { claims: { id, version, packageDigest } }: Verification, attempt: RebuildAttempt, trustDir: string | undefined): Promise<void> {
  if (id === null || version === null || packageDigest === null) return;
  if (trustDir === undefined) return io.say('The verdict is not kept: name a home with --home.');
  const file = rebuildFile(trustDir, packageDigest);
  const { attempts, problem } = await readRebuilds(trustDir, packageDigest);
  if (problem !== undefined) throw new GatehouseError('FILE_UNREADABLE', { file, problem });
  await mkdir(dirname(file), { recursive: true });
  await writeFileWhole(file, withAttempt({ plugin: id, version, packageDigest }, attempt, attempts));
  io.say(plain(`Kept in ${file}.`));
}
