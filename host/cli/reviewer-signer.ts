// Who signs an approval: the sealed key of a reviewer, or a command that holds one. Called by approving.ts.
import { basename } from 'node:path';
import { signExternally } from '../authoring/external-signer.ts';
import { GatehouseError } from '../errors.ts';
import { preAuthEncoding } from '../trust/dsse.ts';
import { verifyWithNode } from '../trust/keys.ts';
import { readPublicKey } from '../trust/keys.ts';
import type { Reviewers } from '../trust/reviewers.ts';
import { sealApproval } from '../trust/approval-statement.ts';
import { openSealedKey, readSealedKey } from '../trust/sealed-key.ts';
import type { Io } from './io.ts';
import { passphraseOf, type PassphraseOptions } from './passphrase.ts';
import { readInput } from './read-input.ts';

export interface SignerOptions extends PassphraseOptions {
  readonly key?: string;
  readonly signer?: string;
  readonly signerTimeout?: string;
  readonly reviewer?: string;
}

export interface ReviewerSeal {
  readonly reviewer: string;
  /** Asks for the passphrase or runs the command, and proves the signature before anybody is given it. Throws KEY_SEALED, SIGNER_FAILED. */
  readonly seal: (payload: Buffer) => Promise<Buffer>;
}

const TIMEOUT_S = 60;

/** All that can be known before anything is asked: the file can be read, and the home's records name the key. Throws USAGE, KEY_FILE, APPROVAL_REFUSED. */
export async function reviewerSeal(io: Io, options: SignerOptions, reviewers: Reviewers): Promise<ReviewerSeal> {
  const { key, signer, reviewer } = options;
  if ((key === undefined) === (signer === undefined)) throw new GatehouseError('USAGE', { problem: 'name either --key FILE or --signer COMMAND' });
  return key === undefined ? byCommand(io, { ...options, command: signer ?? '' }, reviewers) : await byFile(io, options, key, reviewer, reviewers);
}

async function byFile(io: Io, options: SignerOptions, file: string, reviewer: string | undefined, reviewers: Reviewers): Promise<ReviewerSeal> {
  const sealed = readSealedKey(await readInput(io, file), file);
  if (reviewer !== undefined && reviewer !== sealed.reviewer) throw new GatehouseError('KEY_FILE', { source: file, problem: `it is the key of '${sealed.reviewer}', not of '${reviewer}'` });
  const known = reviewers.find(sealed.keyid);
  if (known?.reviewer !== sealed.reviewer) throw unknown(file, `no record of reviewer '${sealed.reviewer}' names its key ${sealed.keyid}; an operator adds one with \`gatehouse trust add\``);
  return {
    reviewer: sealed.reviewer,
    async seal(payload) {
      const opened = await openSealedKey(sealed, await passphraseOf(io, options, basename(file)), file);
      return sealApproval(payload, opened, known.publicKey);
    },
  };
}

function byCommand(io: Io, { command, reviewer, signerTimeout = String(TIMEOUT_S) }: SignerOptions & { readonly command: string }, reviewers: Reviewers): ReviewerSeal {
  if (reviewer === undefined) throw new GatehouseError('USAGE', { problem: '--signer needs --reviewer NAME: a command does not say whose key it holds' });
  const record = reviewers.records.find((each) => each.record.reviewer === reviewer)?.record;
  if (!record) throw unknown('by the signer', `'${reviewer}' has no record here; an operator adds one with \`gatehouse trust add\``);
  const seconds = Number(signerTimeout);
  if (!(seconds > 0 && seconds <= 3600)) throw new GatehouseError('USAGE', { problem: `--signer-timeout '${signerTimeout}' is no number of seconds up to 3600` });
  return {
    reviewer,
    async seal(payload) {
      const message = preAuthEncoding(payload);
      const signature = await signExternally({ command, timeoutMs: seconds * 1000, cwd: io.cwd, env: io.env }, message);
      for (const { keyid, publicKey } of record.keys) {
        const raw = readPublicKey(publicKey, keyid);
        if (verifyWithNode(raw, message, signature)) return sealApproval(payload, { keyid, sign: () => signature }, raw);
      }
      throw new GatehouseError('SIGNER_FAILED', { command: basename(command.split(/\s/)[0] ?? ''), problem: `its signature is by none of the keys of '${reviewer}'` });
    },
  };
}

const unknown = (source: string, problem: string) => new GatehouseError('APPROVAL_REFUSED', { source, problem });
