// `gatehouse trust add` for a reviewer: whose approvals count in this home. Called by commands/trust.ts.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ReviewerRecord } from '../../schemas/approval.ts';
import { writeFileWhole } from '../authoring/write-file.ts';
import { publisherFolders } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { reviewersFolder } from '../registry/review-look.ts';
import { readReviewerRecord } from '../trust/reviewers.ts';
import { loadTrust } from '../trust/trust-store.ts';
import { configOf } from './context.ts';
import { plain, type Io } from './io.ts';
import { readInput } from './read-input.ts';

export interface AddedReviewer {
  readonly file: string;
  readonly reviewer: string;
  readonly keyids: readonly string[];
}

/** Undefined for the record of somebody else than a reviewer. Throws TRUST_RECORD, KEY_REFUSED, and what `confirm` throws. */
export async function addReviewer(io: Io, file: string): Promise<AddedReviewer | undefined> {
  const bytes = await readInput(io, file);
  if (!/^\s*\{[^[]*"reviewer"\s*:/.test(bytes.toString('utf8'))) return undefined; // read strictly below
  const config = configOf(io);
  const { record: given } = readReviewerRecord(bytes, file);
  const { reviewer } = given;
  const publishers = (await loadTrust(publisherFolders(config))).store;
  const signing = given.keys.find(({ keyid }) => publishers.signers(keyid).length > 0);
  if (signing) throw new GatehouseError('TRUST_RECORD', { source: file, problem: `its key ${signing.keyid} signs plugins of publisher '${publishers.signers(signing.keyid)[0]?.publisher}', and whoever writes a plugin does not review it` });
  const target = join(reviewersFolder(config), `${reviewer}.json`);
  const before = existsSync(target) ? readReviewerRecord(await readFile(target), target).record : undefined;
  const keys = [...(before?.keys ?? []).filter(({ keyid }) => !given.keys.some((each) => each.keyid === keyid)), ...given.keys];
  const record: ReviewerRecord = { ...given, keys };
  io.say(`Approvals by '${reviewer}' could let plugins run, with`);
  for (const { keyid, notBefore, notAfter } of keys) {
    const notes = [before?.keys.some((each) => each.keyid === keyid) === true ? 'known already' : '', notBefore === undefined ? '' : `from ${notBefore}`, notAfter === undefined ? '' : `until ${notAfter}`].filter((note) => note !== '');
    io.say(plain(`  ${keyid}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`));
  }
  io.say('Compare the key id with what the reviewer tells you in another way.');
  await io.confirm(`Let ${reviewer} review plugins for this host?`);
  await mkdir(dirname(target), { recursive: true });
  await writeFileWhole(target, `${JSON.stringify(record, null, 2)}\n`);
  return { file: target, reviewer, keyids: keys.map(({ keyid }) => keyid) };
}
