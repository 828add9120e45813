// `gatehouse export`: what is stored, as lines of JSON for another host; from the running host, or from the data directory where none runs.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { EXPORT_PARTS, ExportLastLine } from '../../../schemas/export.ts';
import { exportData, exportParts } from '../../backup/write-export.ts';
import { systemClock } from '../../clock.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import { compileSchema, parseDocument } from '../../schema.ts';
import { findHost, type HostClient } from '../client.ts';
import { configOf } from '../context.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { watched } from '../progress.ts';
import { queryString } from '../query.ts';
import { withStoreOffline } from '../store-offline.ts';

export function register(program: Command, io: Io): void {
  program
    .command('export')
    .description('what is stored, as lines of JSON that `gatehouse import` takes in elsewhere')
    .option('--out <file>', 'where it is to be, or - for stdout; nothing that is there is written over', '-')
    .option('--what <parts>', `parts of it, joined by commas: ${EXPORT_PARTS.join(', ')} (default: all)`)
    .addHelpText('after', example('gatehouse export --out monday.ndjson', 'gatehouse export --what kv,sessions | gzip > some.ndjson.gz'))
    .action(async ({ out, what }: { out: string; what?: string }) => {
      const parts = partsOf(what);
      const take = async (lines: AsyncIterable<string | Uint8Array>) => await (out === '-' ? toStdout(io, lines) : toFile(io, lines, out));
      const host = findHost(io);
      if (host) return await take(answered(io, host, what));
      return await withStoreOffline(io, async (store) => await take(exportData(store, parts, systemClock)));
    });
}

function partsOf(what: string | undefined) {
  try {
    return exportParts(what);
  } catch (thrown) {
    throw new GatehouseError('USAGE', { problem: problemOf(thrown).replace(/\.$/, '') }, { cause: thrown });
  }
}

/** What goes wrong on the way is the host's: HOST_UNREACHABLE. */
async function* answered(io: Io, host: HostClient, what: string | undefined): AsyncGenerator<Uint8Array, void, void> {
  const answer: AsyncIterable<Uint8Array> = await host.stream(`/export${queryString({ what })}`, { accept: 'application/x-ndjson' });
  try {
    yield* answer;
  } catch (thrown) {
    throw new GatehouseError('HOST_UNREACHABLE', { home: io.options.host ?? configOf(io).home, problem: problemOf(thrown) }, { cause: thrown });
  }
}

async function toStdout(io: Io, lines: AsyncIterable<string | Uint8Array>): Promise<void> {
  const tail = new Tail();
  await io.pour(tail.of(lines));
  const { inWork } = tail.last().end;
  if (inWork > 0) io.say(inWorkOf(inWork));
}

async function toFile(io: Io, lines: AsyncIterable<string | Uint8Array>, out: string): Promise<void> {
  const file = resolve(io.cwd, out);
  const tail = new Tail();
  const target = await openNew(file);
  try {
    await pipeline(Readable.from(watched(tail.of(lines), io.progress('Exporting')), { objectMode: false }), target.createWriteStream({ flush: true }));
    tail.last();
  } catch (thrown) {
    await rm(file, { force: true }); // no half of one is left behind
    if (thrown instanceof GatehouseError) throw thrown;
    throw new GatehouseError('SYSTEM_REFUSED', { call: 'write', path: file, problem: problemOf(thrown) }, { cause: thrown });
  }
  const { counts, inWork } = tail.last().end;
  const told = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(', ');
  const sha256 = await digestOf(file);
  io.print({ file, bytes: tail.bytes, sha256, counts, inWork }, () => [`${plain(out)} (${tail.bytes} bytes): ${told}.`, `sha256 ${sha256}`, ...(inWork > 0 ? [inWorkOf(inWork)] : [])].join('\n'));
}

const inWorkOf = (count: number) => `${count} ${count === 1 ? 'message is' : 'messages are'} in work and left out; once that is over, export again.`;

/** More than the last line of an export. */
const TAIL_BYTES = 4096;

/** Lets chunks pass, and knows how they ended. */
class Tail {
  bytes = 0;
  #tail = Buffer.alloc(0);

  async *of(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of chunks) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      this.bytes += bytes.length;
      this.#tail = Buffer.concat([this.#tail, bytes.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
      yield bytes;
    }
  }

  /** Throws SCHEMA_INVALID and its like when what passed is no whole export. */
  last(): ExportLastLine {
    return parseDocument(this.#tail.toString().trimEnd().split('\n').at(-1) ?? '', compileSchema(ExportLastLine), { source: 'the end of the export', maxBytes: TAIL_BYTES, maxDepth: 3 });
  }
}

async function openNew(file: string) {
  try {
    return await open(file, 'wx', 0o600);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') throw new GatehouseError('FILE_EXISTS', { file }, { cause: thrown });
    throw new GatehouseError('SYSTEM_REFUSED', { call: 'open', path: file, problem: problemOf(thrown) }, { cause: thrown });
  }
}

/** Of the whole file, for whoever carries it. */
async function digestOf(file: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(file)) digest.update(chunk);
  return digest.digest('hex');
}
