// `gatehouse lock`: writes down exactly what runs here, or says in what it differs from what was written down.
import type { Command } from 'commander';
import type { Lock, LockedInstance } from '../../../schemas/lock.ts';
import { writeFileWhole } from '../../authoring/write-file.ts';
import { systemClock } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { decisionsFor } from '../../registry/admission/approvals.ts';
import { EMPTY_LOCK, lockDifferences, lockFile, lockText, readLock, type LockDifference } from '../../registry/lock.ts';
import type { ResolvedPlugin } from '../../registry/resolve.ts';
import type { Survey } from '../../registry/survey.ts';
import { contentFindings, resultOf } from '../../trust/scan/scan.ts';
import { configOf } from '../context.ts';
import { surveyFiles } from '../files-survey.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('lock')
    .description('write down exactly what runs here: package, signer, grants, approvals')
    .option('--check', 'write nothing; exit 3 where something differs from what was written down')
    .addHelpText('after', example('gatehouse lock', 'gatehouse lock --check --json'))
    .action(async ({ check }: { check?: boolean }) => {
      const config = configOf(io);
      const file = lockFile(config);
      const survey = await surveyFiles(config, io.env, { unlocked: true });
      const { lock, problems } = await lockOf(survey);
      if (check) return report(io, { file, present: await readLock(file), lock, problems });
      if (problems.length > 0) throw new GatehouseError('LOCK_REFUSED', { problem: problems.join(' · ') });
      const differences = lockDifferences((await readable(file)) ?? EMPTY_LOCK, lock);
      await writeFileWhole(file, lockText(lock));
      io.print({ file, instances: Object.keys(lock.instances).length, differences }, () => [`${file} is written${differences.length === 0 ? ', as it was' : ''}.`, ...differenceLines(differences)].join('\n'));
    });
}

interface Locking {
  readonly lock: Lock;
  /** What is wrong with the home, or with an instance that is left out for it. */
  readonly problems: readonly string[];
}

/** What may run, and what only has to wait until it is old enough: the lock says what, not when. */
async function lockOf({ plugins, refused, diagnostics, approvals }: Survey): Promise<Locking> {
  const waiting = refused.flatMap(({ code, wouldRun }) => (code === 'RELEASE_TOO_FRESH' && wouldRun ? [wouldRun] : []));
  const problems = [
    ...diagnostics.filter(({ severity, instance }) => severity === 'fatal' && instance === undefined).map(({ message }) => message),
    ...refused.filter(({ instance }) => !waiting.some((each) => each.instance === instance)).map(({ instance, message }) => `${instance}: ${message}`),
  ];
  const all = await Promise.all([...plugins, ...waiting].map(async (each) => [each.instance, await lockedOf(each, approvals)] as const));
  return { lock: { lockVersion: 1, instances: Object.fromEntries(all) }, problems };
}

async function lockedOf({ instance, release, grantsDigest }: ResolvedPlugin, book: Survey['approvals']): Promise<LockedInstance> {
  const { manifest, publisher, keyid, packageDigest, files } = release;
  const approvals = decisionsFor({ instance, release, grantsDigest }, book).approvals.map(({ id }) => id);
  const { outcome } = resultOf(await contentFindings({ files, manifest }), { now: systemClock.now(), packageDigest });
  return { plugin: manifest.id, version: manifest.version, publisher, keyid, packageDigest, grantsDigest, approvals, scan: outcome };
}

/** One that nobody can read is no reason not to write a new one. */
async function readable(file: string): Promise<Lock | undefined> {
  try {
    return await readLock(file);
  } catch (thrown) {
    if (thrown instanceof GatehouseError) return undefined;
    throw thrown;
  }
}

function report(io: Io, { file, present, lock, problems }: Locking & { readonly file: string; readonly present: Lock | undefined }): void {
  const differences = lockDifferences(present ?? EMPTY_LOCK, lock);
  const ok = present !== undefined && differences.length === 0 && problems.length === 0;
  const verdict = ok ? io.tone('green', 'What would run is what is locked.') : io.tone('red', present ? 'What would run is not what is locked:' : `There is no lock: ${file}`);
  io.print({ ok, file, isThere: present !== undefined, instances: Object.keys(lock.instances).length, differences, problems }, () => [verdict, ...differenceLines(differences), ...problems.map((each) => `  ${plainLine(each, 400)}`)].join('\n'));
  if (!ok) io.exitWith(3);
}

function differenceLines(differences: readonly LockDifference[]): string[] {
  return differences.map(({ instance, what, locked, now }) => {
    const whole = locked === null ? `new: ${now}` : `gone, or may not run: ${locked}`;
    return plainLine(`  ${instance}: ${what === 'instance' ? whole : `${what} ${locked} → ${now}`}`, 400);
  });
}
