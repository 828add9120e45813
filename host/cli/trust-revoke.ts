// `gatehouse trust revoke`, `unrevoke` and `sign-revocations`: through the running host, or on the files where none runs. Registered by commands/trust.ts.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { RevocationBody, type RevocationResult, type Revocations } from '../../schemas/revocation.ts';
import { writeFileWhole } from '../authoring/write-file.ts';
import { systemClock, toTimestamp } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { createIds } from '../ids.ts';
import { viewOf } from '../registry/revoking.ts';
import { compileSchema } from '../schema.ts';
import { readEnvelope } from '../trust/dsse.ts';
import { readKeyFile } from '../trust/keys.ts';
import { writeSignedList } from '../trust/revocation-lists.ts';
import { loadRevocations, readRevocations, revocationId, revokedBy, type Revoked } from '../trust/revocation.ts';
import { addRevocation, removeRevocation } from '../trust/revocations-file.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import { findHost } from './client.ts';
import { configOf } from './context.ts';
import { expiryOf } from './expiry.ts';
import { storeFolder } from './files-survey.ts';
import { example } from './help.ts';
import { plainLine, type Io } from './io.ts';
import { readInput } from './read-input.ts';
import { facts } from './table.ts';

interface Named {
  readonly key?: string;
  readonly digest?: string;
  readonly plugin?: string;
  readonly reason: string;
}

export function registerRevocations(trust: Command, io: Io): void {
  for (const { verb, description, run } of [
    { verb: 'revoke', description: 'let nothing run any more that a key signed, a digest names, or a range of versions holds', run: revoke },
    { verb: 'unrevoke', description: 'take a revocation back; nothing else does', run: unrevoke },
  ]) {
    trust
      .command(verb)
      .description(description)
      .option('--key <keyid>', 'a key: of a publisher, a reviewer or a revoker')
      .option('--digest <sha256>', 'the digest of a package')
      .option('--plugin <id@range>', 'versions of a plugin, as acme.weather@<1.2.4')
      .requiredOption('--reason <text>', 'why, for the record')
      .addHelpText('after', example(`gatehouse trust ${verb} --plugin "acme.weather@<1.2.4" --reason "…" --yes`))
      .action((named: Named) => run(named, io));
  }
  trust
    .command('sign-revocations')
    .description('sign a list of revocations for other hosts')
    .requiredOption('--key <file>', 'the key file of a revoker, whose name is the issuer')
    .requiredOption('--in <file>', 'what is revoked, as in manifests/trust/revocations.json')
    .requiredOption('--expires <when>', 'until when the list is current: a date, a time, or days from now such as 14d')
    .requiredOption('--out <file>', 'the signed list')
    .option('--sequence <number>', 'one more with every list (default: one more than the list in --out)')
    .addHelpText('after', example('gatehouse trust sign-revocations --key ~/keys/sec.key.json --in revocations.json --expires 14d --out revocations.dsse.json'))
    .action((options: SignOptions) => signList(options, io));
}

async function revoke(named: Named, io: Io): Promise<void> {
  const { body, revoked } = targetOf(named);
  const id = revocationId(revoked);
  await io.confirm(`Revoke ${plainLine(id, 200)}?`);
  const host = findHost(io);
  const result = host ? await host.post<RevocationResult>('/revocations', body) : await revokeInFiles(revoked, named.reason, io);
  io.print(result, () => [
    `${id} is revoked.`,
    ...(result.stopped.length > 0 ? [`Stopped: ${result.stopped.join(', ')}.`] : []),
    ...(result.written ? [] : ['manifests/trust/revocations.json could not be written; the host remembers it all the same.']),
    ...(host ? [] : ['No host runs here; it counts from the next start on.']),
  ].join('\n'));
}

async function revokeInFiles(revoked: Revoked, reason: string, io: Io): Promise<RevocationResult> {
  const entry = { ...revoked, reason, at: toTimestamp(systemClock.now()) };
  await addRevocation(trustFilesOf(configOf(io)).revocations, entry);
  const id = revocationId(revoked);
  return { revocation: viewOf(id, { ...entry, by: 'file' }, new Map([[id, 'file']])), written: true, stopped: [], started: [] };
}

async function unrevoke(named: Named, io: Io): Promise<void> {
  const { body, revoked } = targetOf(named);
  const id = revocationId(revoked);
  await io.confirm(`Lift the revocation of ${plainLine(id, 200)}?`);
  const host = findHost(io);
  const result = host ? await host.post<RevocationResult>('/revocations/lift', body) : await liftOffline(revoked, named.reason, io);
  io.print(result, () => [`${id} is not revoked any more.`, ...(result.started.length > 0 ? [`Started: ${result.started.join(', ')}.`] : [])].join('\n'));
}

/** In the list, and in the store's memory where a host ever ran. Throws STORE_LOCKED when a host has just taken it. */
async function liftOffline(revoked: Revoked, reason: string, io: Io): Promise<RevocationResult> {
  const config = configOf(io);
  const id = revocationId(revoked);
  const entry = (await loadRevocations(trustFilesOf(config).revocations)).find((each) => revocationId(each) === id);
  const dir = storeFolder(config.dataDir);
  if (existsSync(dir)) {
    const [{ openStore }, { openAuditLog }, { Registry }] = await Promise.all([import('../store/lmdb.ts'), import('../trust/log/open-log.ts'), import('../registry/registry.ts')]);
    await using store = await openStore({ dir, clock: systemClock });
    await using audit = await openAuditLog({ config, store, clock: systemClock });
    const registry = await Registry.open({ config, store, audit, clock: systemClock, ids: createIds(systemClock), env: io.env });
    await registry.lift(revoked, { actor: 'command line', reason });
  } else if (!(await removeRevocation(trustFilesOf(config).revocations, revoked))) throw new GatehouseError('REVOCATION_NOT_FOUND', { what: id });
  return { revocation: viewOf(id, { ...(entry ?? revoked), at: entry?.at ?? toTimestamp(systemClock.now()), by: 'file' }, new Map()), written: true, stopped: [], started: [] };
}

/** Throws USAGE. */
function targetOf({ key, digest, plugin: versions, reason }: Named): { readonly body: RevocationBody; readonly revoked: Revoked } {
  const at = versions?.indexOf('@') ?? -1;
  const named = versions === undefined ? {} : { plugin: at === -1 ? versions : versions.slice(0, at), ...(at === -1 ? {} : { range: versions.slice(at + 1) }) };
  const body = { ...(key === undefined ? {} : { keyid: key }), ...(digest === undefined ? {} : { digest }), ...named, reason };
  const refuse = (problem: string): never => {
    throw new GatehouseError('USAGE', { problem });
  };
  const checker = compileSchema(RevocationBody);
  if (!checker.is(body)) return refuse(`${checker.explain(body)?.path ?? '/'} ${checker.explain(body)?.problem ?? 'is wrong'}`);
  const revoked = revokedBy(body);
  return 'problem' in revoked ? refuse(revoked.problem) : { body, revoked };
}

// --- Lists for other hosts -----------------------------------------------------------------------------------------------------------------------------

interface SignOptions {
  readonly key: string;
  readonly in: string;
  readonly expires: string;
  readonly out: string;
  readonly sequence?: string;
}

async function signList({ key: keyFile, in: source, expires, out, sequence: given }: SignOptions, io: Io): Promise<void> {
  const key = readKeyFile(await readInput(io, keyFile), keyFile);
  const bytes = await readInput(io, source);
  readRevocations(bytes, source);
  const { keys, digests, plugins }: Revocations = JSON.parse(bytes.toString('utf8'));
  const now = systemClock.now();
  const file = resolve(io.cwd, out);
  const sequence = given === undefined ? (await sequenceIn(file)) + 1 : Number(given);
  if (!Number.isSafeInteger(sequence) || sequence < 1) throw new GatehouseError('USAGE', { problem: `--sequence '${given}' is not a whole number from 1 on` });
  const list = { sequence, issuedAt: toTimestamp(now), expiresAt: toTimestamp(expiryOf(expires, now, 'trust')), ...(keys ? { keys } : {}), ...(digests ? { digests } : {}), ...(plugins ? { plugins } : {}) };
  await writeFileWhole(file, writeSignedList(key, list));
  const value = { file, issuer: key.publisher, keyid: key.keyid, sequence, expiresAt: list.expiresAt };
  io.print(value, () => facts(io, value));
}

/** Of the list before it; nought where there is none. Throws USAGE for something else in its place. */
async function sequenceIn(file: string): Promise<number> {
  if (!existsSync(file)) return 0;
  try {
    const { payload } = readEnvelope(await readFile(file), file);
    return Number(JSON.parse(payload.toString('utf8')).predicate.sequence);
  } catch (thrown) {
    throw new GatehouseError('USAGE', { problem: `${file} is there and no signed list (${problemOf(thrown).replace(/\.$/, '')}); give --sequence` }, { cause: thrown });
  }
}
