// `gatehouse import`: takes an export into the data directory of a home where no host runs.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkExport, importExport, type Imported, type ImportSource } from '../../backup/import-export.ts';
import { systemClock } from '../../clock.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { watched } from '../progress.ts';
import { hasStore, withStoreOffline } from '../store-offline.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  program
    .command('import <file>')
    .description('take an export into a home where no host runs; what is there stays')
    .option('--dry-run', 'say what would become of it, and write nothing')
    .option('--overwrite', 'what is there and differs becomes as in the file')
    .addHelpText('after', example('gatehouse import monday.ndjson --dry-run', 'gatehouse import monday.ndjson'))
    .action(async (file: string, { dryRun = false, overwrite = false }: { dryRun?: boolean; overwrite?: boolean }) => {
      const source = await sourceOf(io, file);
      const { first, last } = await checkExport(source);
      const options = { dryRun, overwrite };
      const imported = dryRun && !hasStore(io) ? await importExport(source, undefined, options) : await withStoreOffline(io, async (store, config) => {
        if (dryRun) return await importExport(source, store, options);
        const { openAuditLog } = await import('../../trust/log/open-log.ts');
        await using audit = await openAuditLog({ config, store, clock: systemClock });
        const entry = { actor: 'command line', action: 'data.import', resource: last.end.sha256, detail: { from: first.at, overwrite } } as const;
        await audit.append({ ...entry, outcome: 'begun' });
        try {
          const done = await importExport(source, store, options);
          await audit.append({ ...entry, outcome: 'done', detail: { ...entry.detail, ...sumOf(done) } });
          return done;
        } catch (thrown) {
          await audit.append({ ...entry, outcome: 'failed', detail: { ...entry.detail, code: thrown instanceof GatehouseError ? thrown.code : 'INTERNAL' } });
          throw thrown;
        }
      }, { create: true });
      told(io, { dryRun, at: first.at, gatehouse: first.gatehouse, ...sumOf(imported), kinds: imported.counts, differing: imported.conflicts });
    });
}

interface Told extends ReturnType<typeof sumOf> {
  readonly dryRun: boolean;
  readonly at: string;
  readonly gatehouse: string;
  readonly kinds: Imported['counts'];
  readonly differing: Imported['conflicts'];
}

function told(io: Io, result: Told): void {
  io.print(result, () => table(io, Object.entries(result.kinds), {
    kind: ([kind]) => kind,
    added: ([, { added }]) => added,
    kept: ([, { kept }]) => kept,
    overwritten: ([, { overwritten }]) => overwritten,
    conflicts: ([, { conflicts }]) => conflicts,
  }, 'It holds no records.'));
  if (!io.options.json) {
    for (const { kind, key, problem } of result.differing) io.say(`conflict: ${kind} ${plain(key.join(' '))}: ${problem}`);
    if (result.dryRun) io.say('Nothing was written.');
    if (result.conflicts > 0) io.say('What differs was left as it is here; --overwrite takes it from the file, but for what is in work.');
  }
  if (result.conflicts > 0) io.exitWith(1);
}

function sumOf({ counts }: Imported) {
  const all = Object.values(counts);
  const sum = (of: 'added' | 'kept' | 'conflicts' | 'overwritten') => all.reduce((total, each) => total + each[of], 0);
  return { added: sum('added'), kept: sum('kept'), overwritten: sum('overwritten'), conflicts: sum('conflicts') };
}

/** Read twice, so it is a file. Throws FILE_UNREADABLE. */
async function sourceOf(io: Io, file: string): Promise<ImportSource> {
  const path = resolve(io.cwd, file);
  const unreadable = (problem: string, cause?: unknown) => new GatehouseError('FILE_UNREADABLE', { file, problem }, { cause });
  const found = await stat(path).catch((thrown: unknown) => {
    throw unreadable(problemOf(thrown), thrown);
  });
  if (!found.isFile()) throw unreadable('it is no file');
  let passes = 0;
  const chunks = async function* () {
    passes += 1;
    try {
      yield* watched(createReadStream(path, { highWaterMark: 256 * 1024 }), io.progress(passes === 1 ? 'Checking' : 'Taking in'), found.size);
    } catch (thrown) {
      throw unreadable(problemOf(thrown), thrown);
    }
  };
  return { file, nowMs: systemClock.now(), chunks };
}
