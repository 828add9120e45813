// `gatehouse audit`: what was decided and done, and whether what the log says is what was written.
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { AuditConsistency, AuditProof, ExportEnd, type AuditEntry, type AuditHead, type AuditVerdict, type TreeHead } from '../../../schemas/audit.ts';
import { writeFileOnce } from '../../authoring/write-file.ts';
import { GatehouseError, problemOf } from '../../errors.ts';
import { compileSchema, parseDocument } from '../../schema.ts';
import { parseStrict } from '../../strict-json.ts';
import { verifyExport, type Anchor } from '../../trust/log/verify-export.ts';
import { verifyConsistency, verifyProof } from '../../trust/log/verify-proof.ts';
import { anchorOf, rememberedHead } from '../audit-anchor.ts';
import { connect } from '../client.ts';
import { configOf } from '../context.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { watched } from '../progress.ts';
import { readInput } from '../read-input.ts';
import { facts } from '../table.ts';

const EXPORT = '/audit/export';
const MEDIA = { accept: 'application/x-ndjson' };

export function register(program: Command, io: Io): void {
  const audit = program.command('audit').description('list, verify, prove and export the audit log').addHelpText('after', example('gatehouse audit list --action plugin.', 'gatehouse audit verify'));
  withListOptions(audit.command('list', { isDefault: true }), '/audit')
    .description('entries, newest first')
    .addHelpText('after', example('gatehouse audit list --resource weather'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<AuditEntry>(connect(io), '/audit', options), {
        index: ({ index }) => index,
        at: ({ at }) => at,
        actor: ({ actor }) => actor,
        action: ({ action }) => action,
        resource: ({ resource }) => resource,
        outcome: ({ outcome, detail }) => [outcome, detail?.['code']].filter((each) => each !== undefined).join(' '),
        reason: ({ detail }) => String(detail?.['reason'] ?? ''),
      }, 'No entries.');
    });
  audit
    .command('head')
    .description('the signed tree head: keep it elsewhere, and a log that is cut or rewritten later will show')
    .option('--out <file>', 'write it there')
    .addHelpText('after', example('gatehouse audit head --out /mnt/elsewhere/monday.head.json'))
    .action(async ({ out }: { out?: string }) => {
      const head = await connect(io).get<AuditHead>('/audit/head');
      if (out !== undefined) await writeNew(io, out, head);
      io.print(head, () => facts(io, { entries: head.size, root: head.root, at: head.at, keyid: head.keyid, ...(out === undefined ? {} : { file: out }) }));
    });
  audit
    .command('prove [index]')
    .description('the proof that one entry is in the log, or that the log goes on from a tree head, as JSON; `audit verify` checks it')
    .option('--since <head>', 'instead of an entry: that the log of this tree head is the beginning of the one of now')
    .option('--out <file>', 'write it there')
    .addHelpText('after', example('gatehouse audit prove 17 --out entry-17.proof.json', 'gatehouse audit prove --since monday.head.json --out since-monday.proof.json'))
    .action(async (index: string | undefined, { since, out }: { since?: string; out?: string }) => {
      if ((index === undefined) === (since === undefined)) throw new GatehouseError('USAGE', { problem: 'Name one entry by its index, or a tree head with --since' });
      if (since !== undefined) {
        const { size } = await rememberedHead(io, since);
        const proof = await connect(io).get<AuditConsistency>(`/audit/consistency?first=${size}`);
        if (out !== undefined) await writeNew(io, out, proof);
        io.print(proof, () => (out === undefined ? JSON.stringify(proof, null, 2) : `The proof that ${size} entries are the beginning of ${proof.head.size} is in ${plain(out)}; check it with --head ${plain(since)}.`));
        return;
      }
      if (index === undefined || !/^\d{1,15}$/.test(index)) throw new GatehouseError('USAGE', { problem: `'${plain(index ?? '')}' is not the index of an entry` });
      const proof = await connect(io).get<AuditProof>(`/audit/entries/${index}/proof`);
      if (out !== undefined) await writeNew(io, out, proof);
      io.print(proof, () => (out === undefined ? JSON.stringify(proof, null, 2) : `The proof of entry ${proof.entry.index} among ${proof.head.size} is in ${plain(out)}.`));
    });
  audit
    .command('export')
    .description('the whole log as lines of JSON that anybody can check')
    .requiredOption('--out <file>', 'where it is to be; nothing that is there is written over')
    .addHelpText('after', example('gatehouse audit export --out audit.jsonl'))
    .action(async ({ out }: { out: string }) => {
      const file = resolve(io.cwd, out);
      const lines = await exported(io);
      const target = await openNew(file);
      let entries: number;
      try {
        entries = await written(watched(lines, io.progress('Exporting')), target.createWriteStream({ flush: true }));
      } catch (thrown) {
        await rm(file, { force: true }); // half of a log would look like one that was cut
        if (thrown instanceof GatehouseError) throw thrown;
        throw new GatehouseError('SYSTEM_REFUSED', { call: 'write', path: file, problem: problemOf(thrown) }, { cause: thrown });
      }
      const { size } = await stat(file);
      io.print({ file, entries, bytes: size }, () => `${entries} ${entries === 1 ? 'entry is' : 'entries are'} in ${plain(out)} (${size} bytes).`);
    });
  audit
    .command('verify [file]')
    .description('whether the running host\'s log, an export or a proof is what was signed, and where not')
    .option('--key <file>', 'a log.json with the keys to believe (default: manifests/trust/log.json of the home)')
    .option('--head <file>', 'a tree head that was remembered: shows what was cut or rewritten since')
    .addHelpText('after', example('gatehouse audit verify', 'gatehouse audit verify audit.jsonl --key log.json --head monday.head.json'))
    .action(async (file: string | undefined, { key, head }: { key?: string; head?: string }) => {
      const anchor = await anchorOf(io, key);
      const remembered = head === undefined ? undefined : await rememberedHead(io, head);
      const options = { anchor, ...(remembered ? { remembered } : {}) };
      const proof = file === undefined ? undefined : await proofIn(io, file);
      const verdict = proof ? verdictOn(proof, anchor, remembered) : await verifyExport(await toVerify(io, file), options);
      io.print(verdict, () => told(io, verdict, file ?? 'the log of the running host'));
      if (!verdict.ok) io.exitWith(3);
    });
}

/** The log as the running host sends it. What goes wrong on the way is the host's: HOST_UNREACHABLE. */
async function exported(io: Io): Promise<AsyncIterable<Uint8Array>> {
  return answered(await connect(io).stream(EXPORT, MEDIA), configOf(io).home);
}

async function* answered(chunks: AsyncIterable<Uint8Array>, home: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* chunks;
  } catch (thrown) {
    throw new GatehouseError('HOST_UNREACHABLE', { home, problem: problemOf(thrown) }, { cause: thrown });
  }
}

/** More than the line with the tree head, which ends an export. */
const TAIL_BYTES = 1024;

/** How many entries there are, by the tree head at the end of what was written. Throws what reading and writing throw. */
async function written(lines: AsyncIterable<Uint8Array>, target: Writable): Promise<number> {
  let tail = Buffer.alloc(0);
  await pipeline(lines, async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
      yield chunk;
    }
  }, target);
  const last = tail.toString().trimEnd().split('\n').at(-1) ?? '';
  return parseDocument(last, compileSchema(ExportEnd), { source: 'the end of the export', maxBytes: TAIL_BYTES, maxDepth: 3 }).head.size;
}

function told(io: Io, { ok, entries, root, faults, notes }: AuditVerdict, what: string): string {
  const first = ok ? io.tone('green', `${plain(what)} is as it was signed: ${entries} ${entries === 1 ? 'entry' : 'entries'}, root ${root}.`) : io.tone('red', `${plain(what)} is not what was signed; ${entries} entries are confirmed.`);
  return [first, ...faults.map(({ kind, message }) => `  ${kind}: ${plain(message)}`), ...notes.map(plain)].join('\n');
}

/** Larger than any proof. */
const PROOF_BYTES = 64 * 1024;

/** Undefined for what is an export, or nothing at all: that is told like an export that is wrong. So is a proof that names a key twice: readers differ in which they believe. */
async function proofIn(io: Io, file: string): Promise<AuditProof | AuditConsistency | undefined> {
  const { size } = await sizeOf(resolve(io.cwd, file), file);
  if (size > PROOF_BYTES) return undefined;
  const bytes = await readInput(io, file);
  try {
    const { value } = parseStrict(bytes, { source: file, maxBytes: PROOF_BYTES, maxDepth: 5 });
    return compileSchema(AuditProof).is(value) || compileSchema(AuditConsistency).is(value) ? value : undefined;
  } catch {
    return undefined; // not one JSON document
  }
}

function verdictOn(proof: AuditProof | AuditConsistency, anchor: Anchor, remembered: AuditHead | TreeHead | undefined): AuditVerdict {
  if ('entry' in proof) return verifyProof(proof, anchor, remembered);
  if (!remembered) throw new GatehouseError('USAGE', { problem: `This proof says that ${proof.first} entries are the beginning of ${proof.head.size}: name the tree head of those ${proof.first} with --head` });
  return verifyConsistency(proof, anchor, remembered);
}

/** The log of the running host, or an export. */
async function toVerify(io: Io, file: string | undefined): Promise<AsyncIterable<Uint8Array>> {
  if (file === undefined) return watched(await exported(io), io.progress('Verifying'));
  const path = resolve(io.cwd, file);
  const { size } = await sizeOf(path, file);
  return watched(createReadStream(path), io.progress('Verifying'), size);
}

async function sizeOf(path: string, file: string): Promise<{ readonly size: number }> {
  try {
    return await stat(path);
  } catch (thrown) {
    throw new GatehouseError('FILE_UNREADABLE', { file, problem: problemOf(thrown) }, { cause: thrown });
  }
}

/** Throws FILE_EXISTS: what was remembered or exported before is evidence. */
async function writeNew(io: Io, out: string, value: object): Promise<void> {
  if (!(await writeFileOnce(resolve(io.cwd, out), `${JSON.stringify(value, null, 2)}\n`))) throw new GatehouseError('FILE_EXISTS', { file: out });
}

async function openNew(file: string) {
  try {
    return await open(file, 'wx', 0o600);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') throw new GatehouseError('FILE_EXISTS', { file }, { cause: thrown });
    throw thrown;
  }
}
