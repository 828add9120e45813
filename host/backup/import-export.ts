// Takes an export into a store that no host runs on. Called by `gatehouse import`, which goes through the file twice: to judge all of it, and only then to take it in.
import { createHash, type Hash } from 'node:crypto';
import { BOUNDS } from '../../schemas/bounds.ts';
import { DATA_EXPORT, ExportFirstLine, ExportLastLine, type ExportKindName } from '../../schemas/export.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import { encodeKey } from '../store/keys.ts';
import { put, type Put, type Removal, type Store } from '../store/store.ts';
import { kvUsage } from '../store/tables.ts';
import { parseStrict } from '../strict-json.ts';
import { linesOf } from '../trust/log/lines.ts';
import { EXPORT_KINDS, type ReadRecord } from './export-kinds.ts';

/** No row of a store is longer, and those of messages are far shorter. */
const LINE_BYTES = BOUNDS.storeRowBytes;
/** One commit: so many records, or so much text. */
const BATCH = { records: 200, bytes: 4 * 1024 * 1024 };
const MOST_TOLD = 20;

export interface ImportSource {
  /** For messages. */
  readonly file: string;
  readonly nowMs: number;
  /** From its beginning, each time it is asked. */
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

/** An export that is whole. */
export interface CheckedExport {
  readonly first: ExportFirstLine;
  readonly last: ExportLastLine;
}

const firstLine = compileSchema(ExportFirstLine);
const lastLine = compileSchema(ExportLastLine);

/** Every line of it, in order, with nothing in memory but one. Throws IMPORT_VERSION, IMPORT_INVALID and IMPORT_DAMAGED, each with the line. */
export async function* readExport({ file, nowMs, chunks }: ImportSource): AsyncGenerator<ReadRecord, CheckedExport, void> {
  const reader = new Reader(file, nowMs);
  for await (const { number, bytes, isEnded } of linesOf(chunks(), LINE_BYTES)) {
    const record = reader.take(number, bytes, isEnded);
    if (record) yield record;
  }
  return reader.end();
}

class Reader {
  readonly #file: string;
  readonly #nowMs: number;
  readonly #digest: Hash = createHash('sha256');
  readonly #counts = new Map<ExportKindName, number>();
  #line = 0;
  #first: ExportFirstLine | undefined;
  #last: ExportLastLine | undefined;
  /** Place of the kind that is being read, and the key read last: what comes follows. */
  #kind = -1;
  #key: Buffer = Buffer.alloc(0);

  constructor(file: string, nowMs: number) {
    this.#file = file;
    this.#nowMs = nowMs;
  }

  take(number: number, bytes: Buffer, isEnded: boolean): ReadRecord | undefined {
    this.#line = number;
    if (bytes.length > LINE_BYTES) throw this.#invalid(`it is longer than ${LINE_BYTES} bytes`);
    if (!isEnded) throw this.#damaged('the file ends in the middle of it');
    if (this.#last) throw this.#damaged('it comes after the last line');
    const value = this.#parse(bytes);
    if (!this.#first) this.#first = this.#begin(value);
    else if (value instanceof Object && 'end' in value) {
      this.#finish(value);
      return undefined;
    } else {
      const record = this.#record(value);
      this.#hash(bytes);
      return record;
    }
    this.#hash(bytes);
    return undefined;
  }

  end(): CheckedExport {
    this.#line += 1;
    if (!this.#first || !this.#last) throw this.#damaged('the file ends before its last line');
    return { first: this.#first, last: this.#last };
  }

  #begin(value: unknown): ExportFirstLine {
    const { format, version } = { format: undefined, version: undefined, ...Object(value) };
    if (format !== DATA_EXPORT.format) throw this.#invalid(`it is not the first line of an export, which begins with {"format":"${DATA_EXPORT.format}"`);
    if (version !== DATA_EXPORT.version) throw new GatehouseError('IMPORT_VERSION', { file: this.#file, line: this.#line, version: String(version).slice(0, 20), known: DATA_EXPORT.version });
    if (firstLine.is(value)) return value;
    const { path, problem } = firstLine.explain(value) ?? { path: '/', problem: 'does not fit' };
    throw this.#invalid(`${path}: ${problem}`);
  }

  #record(value: unknown): ReadRecord {
    const { kind: name }: { kind?: unknown } = Object(value);
    const place = EXPORT_KINDS.findIndex((each) => each.name === name);
    const kind = EXPORT_KINDS[place];
    if (!kind) throw this.#invalid(`/kind: ${typeof name === 'string' ? `'${name.slice(0, 40)}'` : 'missing; it'} is none of ${EXPORT_KINDS.map((each) => each.name).join(', ')}`);
    if (!this.#first?.what.includes(kind.part)) throw this.#invalid(`the first line names no '${kind.part}'`);
    const record = kind.read(value, this.#nowMs);
    if (typeof record === 'string') throw this.#invalid(record);
    const key = this.#keyOf(record);
    if (place < this.#kind || (place === this.#kind && Buffer.compare(key, this.#key) <= 0)) throw this.#invalid('it is there twice, or not in its place');
    [this.#kind, this.#key] = [place, key];
    this.#counts.set(kind.name, (this.#counts.get(kind.name) ?? 0) + 1);
    return record;
  }

  /** Keys of every row that is written: some are longer than those of the record. */
  #keyOf({ kind: { table }, key, put: rows }: ReadRecord): Buffer {
    try {
      for (const row of rows) encodeKey(row.table.name, row.key);
      return encodeKey(table.name, key);
    } catch (thrown) {
      throw this.#invalid(problemOf(thrown), thrown);
    }
  }

  #finish(value: unknown): void {
    if (!lastLine.is(value)) {
      const { path, problem } = lastLine.explain(value) ?? { path: '/', problem: 'does not fit' };
      throw this.#invalid(`${path}: ${problem}`);
    }
    const { counts, sha256 } = value.end;
    for (const { name } of EXPORT_KINDS) {
      const found = this.#counts.get(name) ?? 0;
      if ((counts[name] ?? 0) !== found) throw this.#damaged(`it says that there are ${counts[name] ?? 0} records of the kind '${name}', and there are ${found}`);
    }
    const found = this.#digest.digest('hex');
    if (sha256 !== found) throw this.#damaged(`it says that the sha256 of all before it is ${sha256}, and it is ${found}`);
    this.#last = value;
  }

  #parse(bytes: Buffer): unknown {
    try {
      return parseStrict(bytes, { source: 'it', maxBytes: LINE_BYTES, maxDepth: BOUNDS.messageJsonDepth }).value;
    } catch (thrown) {
      throw this.#invalid(problemOf(thrown), thrown);
    }
  }

  #hash(bytes: Buffer): void {
    this.#digest.update(bytes).update('\n');
  }

  #invalid(problem: string, cause?: unknown): GatehouseError {
    return new GatehouseError('IMPORT_INVALID', { file: this.#file, line: this.#line, problem: problem.replace(/\.$/, '') }, { cause });
  }

  #damaged(problem: string): GatehouseError {
    return new GatehouseError('IMPORT_DAMAGED', { file: this.#file, line: this.#line, problem });
  }
}

/** Goes through all of it and takes nothing in. Throws as `readExport` does. */
export async function checkExport(source: ImportSource): Promise<CheckedExport> {
  const lines = readExport(source);
  for (;;) {
    const next = await lines.next();
    if (next.done === true) return next.value;
  }
}

export interface ImportCounts {
  /** Not there before. */
  added: number;
  /** There as they are in the file. */
  kept: number;
  /** There, and not as in the file; left as they are. */
  conflicts: number;
  /** As conflicts, and now as in the file. */
  overwritten: number;
}

export interface Imported {
  readonly counts: Readonly<Partial<Record<ExportKindName, ImportCounts>>>;
  /** The first of those that were left as they are. */
  readonly conflicts: readonly { readonly kind: ExportKindName; readonly key: readonly (string | number)[]; readonly problem: string }[];
}

export interface ImportOptions {
  /** Nothing is written. */
  readonly dryRun: boolean;
  readonly overwrite: boolean;
}

/**
 * Takes in what an export holds, in commits of a few hundred records: killed at any moment and begun again it comes to the same. Rows of messages, keys and letters only; none of a
 * queue, so nothing is answered or sent for it. Without a store everything counts as new, and nothing is written. Throws as `readExport` does, and what the store throws.
 */
export async function importExport(source: ImportSource, store: Store | undefined, options: ImportOptions): Promise<Imported> {
  const intake = new Intake(store, options);
  const lines = readExport(source);
  for (;;) {
    const next = await lines.next();
    if (next.done === true) break;
    await intake.take(next.value);
  }
  await intake.flush();
  return intake;
}

class Intake implements Imported {
  readonly counts: Partial<Record<ExportKindName, ImportCounts>> = {};
  readonly conflicts: Imported['conflicts'][number][] = [];
  readonly #store: Store | undefined;
  readonly #options: ImportOptions;
  #put: Put[] = [];
  #remove: Removal[] = [];
  #records = 0;
  #bytes = 0;
  /** What entries of kv in this commit change in the sum of their instance. */
  readonly #usage = new Map<string, number>();

  constructor(store: Store | undefined, options: ImportOptions) {
    this.#store = store;
    this.#options = options;
  }

  async take(record: ReadRecord): Promise<void> {
    const { kind, key, line } = record;
    const counts = (this.counts[kind.name] ??= { added: 0, kept: 0, conflicts: 0, overwritten: 0 });
    const before = await this.#store?.get(kind.table, key);
    if (!this.#store || !before) {
      counts.added += 1;
      return this.#write(record, [], 0);
    }
    const own = await kind.lineOf(this.#store, key, before.value);
    if (own === line) {
      counts.kept += 1;
      return undefined;
    }
    if (own !== undefined && this.#options.overwrite) {
      counts.overwritten += 1;
      return this.#write(record, await record.replaced(this.#store), kind.name === 'kv' ? sizeOf(before.value) : 0);
    }
    counts.conflicts += 1;
    if (this.conflicts.length < MOST_TOLD) this.conflicts.push({ kind: kind.name, key: key.slice(1), problem: own === undefined ? 'it is in work here' : 'it is another here' });
    return undefined;
  }

  async flush(): Promise<void> {
    const store = this.#store;
    if (store && !this.#options.dryRun && this.#records > 0) {
      const sums = await Promise.all([...this.#usage].map(async ([instance, change]) => {
        const bytes = (await store.get(kvUsage, kvUsage.key(instance)))?.value.bytes ?? 0;
        return put(kvUsage, kvUsage.key(instance), { bytes: bytes + change });
      }));
      await store.commit({ put: [...this.#put, ...sums], remove: this.#remove });
    }
    [this.#put, this.#remove, this.#records, this.#bytes] = [[], [], 0, 0];
    this.#usage.clear();
  }

  async #write({ put: rows, line, usage }: ReadRecord, replaced: readonly Removal[], sizeBefore: number): Promise<void> {
    if (this.#options.dryRun) return;
    this.#put.push(...rows);
    // A commit puts first and removes then: what is put must not be removed.
    this.#remove.push(...replaced.filter((each) => !rows.some((row) => row.table === each.table && row.key.join('\0') === each.key.join('\0'))));
    if (usage) this.#usage.set(usage.instance, (this.#usage.get(usage.instance) ?? 0) + usage.bytes - sizeBefore);
    this.#records += 1;
    this.#bytes += line.length;
    if (this.#records >= BATCH.records || this.#bytes >= BATCH.bytes) await this.flush();
  }
}

const sizeOf = (row: unknown): number => {
  const { sizeBytes }: { sizeBytes?: unknown } = Object(row);
  return typeof sizeBytes === 'number' ? sizeBytes : 0;
};
