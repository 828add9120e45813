// `gatehouse trust`: whose word counts in this home, and what is revoked.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { TrustRecord } from '../../../schemas/release.ts';
import { writeFileWhole } from '../../authoring/write-file.ts';
import { GatehouseError } from '../../errors.ts';
import { reviewersFolder } from '../../registry/review-look.ts';
import { claimsOf } from '../../trust/one-trade.ts';
import { loadReviewers } from '../../trust/reviewers.ts';
import { loadTrust, overlapOf, readTrustRecord } from '../../trust/trust-store.ts';
import { configOf } from '../context.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { readInput } from '../read-input.ts';
import { listTrust } from '../trust-list.ts';
import { addReviewer } from '../trust-reviewer.ts';
import { addRevoker } from '../trust-revoker.ts';
import { registerRevocations } from '../trust-revoke.ts';
import { registerTrustSuccession } from '../trust-succeed.ts';
import { publisherFolders } from '../../config.ts';

export function register(program: Command, io: Io): void {
  const trust = program.command('trust').description('decide whose signatures count').addHelpText('after', example('gatehouse trust add acme.json'));
  trust
    .command('add <file>')
    .description("add a publisher's, reviewer's or revoker's trust record, or a new key to one that is there")
    .option('--development', 'accept its keys as development keys: in profile local without strict only')
    .addHelpText('after', example('gatehouse trust add acme.json'))
    .action(async (file: string, { development = false }: { development?: boolean }) => {
      const reviewer = await addReviewer(io, file);
      if (reviewer) return io.print(reviewer, () => `approvals of ${reviewer.reviewer} now count (${reviewer.file})`);
      const revoker = await addRevoker(io, file);
      if (revoker) return io.print(revoker, () => `${revoker.revoker} may now revoke for this host (${revoker.file})`);
      const added = await addRecord(io, file, development);
      io.print(added, () => `${added.publisher} may now sign ${added.prefixes.join(', ')} (${added.file})`);
    });
  trust
    .command('list', { isDefault: true })
    .description('publishers, reviewers and revokers with their keys, successions of keys, and what is revoked')
    .addHelpText('after', example('gatehouse trust list --json'))
    .action(() => listTrust(io));
  registerRevocations(trust, io);
  registerTrustSuccession(trust, io);
}

interface Added {
  readonly file: string;
  readonly publisher: string;
  readonly prefixes: readonly string[];
  readonly keyids: readonly string[];
}

async function addRecord(io: Io, file: string, development: boolean): Promise<Added> {
  const config = configOf(io);
  const { record: given, signers } = readTrustRecord(await readInput(io, file), file);
  if (!development && given.keys.some((key) => key.development === true)) throw new GatehouseError('TRUST_DEVELOPMENT', { publisher: given.publisher });
  const { store: reviewers } = await loadReviewers(reviewersFolder(config));
  const [claim] = claimsOf(reviewers, { signers: (keyid) => signers.filter((each) => each.keyid === keyid) });
  if (claim) throw new GatehouseError('TRUST_RECORD', { source: file, problem: `its key ${claim.signer.keyid} is one that '${claim.reviewer}' reviews with, and whoever reviews a plugin does not sign it` });
  const target = join(config.manifestsDir, 'trust', 'publishers', `${given.publisher}.json`);
  const before = existsSync(target) ? readTrustRecord(await readFile(target), target).record : undefined;
  const record = merged(before, development ? { ...given, keys: given.keys.map((key) => ({ ...key, development: true })) } : given);
  await refuseOverlap(record, target, publisherFolders(config));
  for (const line of described(record, before)) io.say(plain(line));
  await io.confirm(`Trust ${record.publisher} to sign plugins for this host?`);
  await mkdir(dirname(target), { recursive: true });
  await writeFileWhole(target, `${JSON.stringify(record, null, 2)}\n`);
  return { file: target, publisher: record.publisher, prefixes: record.prefixes, keyids: record.keys.map(({ keyid }) => keyid) };
}

/** Keys that are there stay, so that a publisher can change keys; a key given again replaces its entry. */
function merged(before: TrustRecord | undefined, given: TrustRecord): TrustRecord {
  if (!before) return given;
  const keys = [...before.keys.filter(({ keyid }) => !given.keys.some((each) => each.keyid === keyid)), ...given.keys];
  return { ...before, prefixes: [...new Set([...before.prefixes, ...given.prefixes])], keys };
}

/** Added, the record would make the host refuse both; better to say so now. */
async function refuseOverlap(record: TrustRecord, target: string, folders: readonly string[]): Promise<void> {
  const { store } = await loadTrust(folders);
  for (const { record: other, source } of store.records) {
    const overlap = source === target ? undefined : overlapOf(record, other);
    if (overlap) throw new GatehouseError('TRUST_OVERLAP', { ...overlap, first: target, second: source });
  }
}

function described(record: TrustRecord, before: TrustRecord | undefined): string[] {
  return [
    `Publisher '${record.publisher}' could sign every plugin whose id starts with ${record.prefixes.join(' or ')}, with`,
    ...record.keys.map(({ keyid, notBefore, notAfter, development }) => {
      const notes = [before?.keys.some((each) => each.keyid === keyid) === true ? 'trusted already' : '', development === true ? 'development' : '', notBefore === undefined ? '' : `from ${notBefore}`, notAfter === undefined ? '' : `until ${notAfter}`].filter((note) => note !== '');
      return `  ${keyid}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
    }),
    'Compare the key id with what the publisher tells you in another way.',
  ];
}
