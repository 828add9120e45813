// `gatehouse keys succeed`, by which a publisher's key introduces the next, and `gatehouse trust succeed`, by which an operator takes that up. Registered by commands/keys.ts and commands/trust.ts.
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { writeFileOnce, writeFileWhole } from '../authoring/write-file.ts';
import { systemClock, toTimestamp } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { reviewersFolder } from '../registry/review-look.ts';
import { readKeyFile } from '../trust/keys.ts';
import { loadReviewers } from '../trust/reviewers.ts';
import { SUCCESSION_SUFFIX, withSuccessions, writeSuccession } from '../trust/successions.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import { configOf } from './context.ts';
import { expiryOf } from './expiry.ts';
import { example } from './help.ts';
import { lookAtHomeTrust } from './home-trust.ts';
import { plain, type Io } from './io.ts';
import { readInput } from './read-input.ts';
import { facts } from './table.ts';

export function registerKeySuccession(keys: Command, io: Io): void {
  keys
    .command('succeed')
    .description('let your old key introduce your new one, for operators who trust the old one')
    .requiredOption('--key <file>', 'the key file they know')
    .requiredOption('--new <file>', 'the key file that follows it')
    .requiredOption('--out <file>', 'the statement, to hand to operators')
    .option('--from <when>', 'when the new key begins to count: a date, a time, or days from now (default: at once)')
    .addHelpText('after', example('gatehouse keys succeed --key old/acme.key.json --new new/acme.key.json --out acme-2027.dsse.json'))
    .action(async ({ key, new: heirFile, out, from }: { key: string; new: string; out: string; from?: string }) => {
      const old = readKeyFile(await readInput(io, key), key);
      const heir = readKeyFile(await readInput(io, heirFile), heirFile);
      if (heir.publisher !== old.publisher) throw new GatehouseError('USAGE', { problem: `${heirFile} is a key of '${heir.publisher}', and ${key} one of '${old.publisher}'` });
      if (heir.keyid === old.keyid) throw new GatehouseError('USAGE', { problem: `${heirFile} and ${key} are the same key` });
      const now = systemClock.now();
      const notBefore = toTimestamp(from === undefined ? now : expiryOf(from, now, 'keys', '--from'));
      const file = resolve(io.cwd, out);
      if (!(await writeFileOnce(file, writeSuccession(old, heir, { issuedAt: toTimestamp(now), notBefore })))) throw new GatehouseError('FILE_EXISTS', { file });
      const value = { file, publisher: old.publisher, oldKeyid: old.keyid, newKeyid: heir.keyid, notBefore };
      io.print(value, () => facts(io, value));
      io.say('A key introduces one other. Operators take it up with `gatehouse trust succeed`.');
    });
}

export function registerTrustSuccession(trust: Command, io: Io): void {
  trust
    .command('succeed <file>')
    .description("take up a publisher's next key, which a key you trust introduces")
    .addHelpText('after', example('gatehouse trust succeed acme-2027.dsse.json'))
    .action(async (file: string) => {
      const bytes = await readInput(io, file);
      const config = configOf(io);
      const { look: { understood, revocations }, memory } = await lookAtHomeTrust(config, systemClock.now());
      const context = { now: systemClock.now(), revocations: revocations.understood, remembered: (oldKeyid: string) => memory.succession(oldKeyid) };
      const { accepted, refused } = withSuccessions(understood.records.found, [...understood.successions.found, { source: file, bytes }], context);
      const refusal = refused.find(({ source }) => source === file);
      if (refusal) throw refusal.error;
      const succession = accepted.find(({ source }) => source === file);
      if (!succession) {
        io.print({ file, added: false }, () => 'It counts here already.');
        return;
      }
      const { publisher, oldKeyid, newKeyid, notBefore } = succession;
      const reviewing = (await loadReviewers(reviewersFolder(config))).store.find(newKeyid);
      if (reviewing) throw new GatehouseError('KEY_SUCCESSION', { source: file, problem: `${newKeyid} is a key that '${reviewing.reviewer}' reviews with, and whoever reviews a plugin does not sign it` });
      const prefixes = understood.records.found.records.filter(({ record }) => record.publisher === publisher).flatMap(({ record }) => record.prefixes);
      io.say(plain(`From ${notBefore} on ${newKeyid} could sign for '${publisher}', every plugin whose id starts with ${prefixes.join(' or ')}; ${oldKeyid} says so.`));
      await io.confirm(`Take up the next key of ${publisher}?`);
      const target = join(trustFilesOf(config).successions, `${publisher}-${newKeyid.slice(-12)}${SUCCESSION_SUFFIX}`);
      await mkdir(dirname(target), { recursive: true });
      await writeFileWhole(target, bytes);
      io.print({ file: target, added: true, publisher, oldKeyid, newKeyid, notBefore }, () => `${newKeyid} may now sign for ${publisher} (${target})`);
    });
}
