// `approve` and `reject`: shows what would be decided on, asks, signs, and gives the decision to the running host, or puts it into the home. Called by both commands.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { ApprovalDecision, ApprovalPredicate } from '../../schemas/approval.ts';
import type { ApprovalView } from '../../schemas/control.ts';
import type { DsseEnvelope } from '../../schemas/release.ts';
import { systemClock, toTimestamp } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { GatehouseError } from '../errors.ts';
import { subjectOf } from '../registry/admission/approvals.ts';
import { examinePackage, type Candidate } from '../registry/examine.ts';
import { locatePackage } from '../registry/package-source.ts';
import { approvalsFolder } from '../registry/review-look.ts';
import { survey, type Survey } from '../registry/survey.ts';
import { putApprovalFile } from '../trust/approval-files.ts';
import { approvalFileName, approvalIdOf, writeApproval } from '../trust/approval-statement.ts';
import { approvalLines, type Proposal } from './approval-lines.ts';
import { findHost } from './client.ts';
import { configOf } from './context.ts';
import { expiryOf } from './expiry.ts';
import { surveyContextOf, surveyFiles } from './files-survey.ts';
import { plainLine, type Io } from './io.ts';
import { reviewerSeal, type SignerOptions } from './reviewer-signer.ts';

interface DecideOptions extends SignerOptions {
  readonly instance?: string;
  readonly note: string;
  readonly expires?: string;
}

/** Nobody's word lets it run, so nobody is asked for one. */
const NEVER_APPROVED: ReadonlySet<string> = new Set(['SCAN_BLOCKED', 'REVOKED']);

/** Options of both commands. */
export function withDecisionOptions(command: Command): Command {
  return command
    .requiredOption('--note <text>', 'what was looked at, and why; everybody reads it')
    .option('--instance <name>', 'the instance that would run the package (default: the one that is enabled for its id)')
    .option('--key <file>', 'your sealed key, as written by `keys generate --reviewer`')
    .option('--signer <command>', 'a command that signs: gets the bytes on stdin, prints base64')
    .option('--signer-timeout <seconds>', 'so long the command may take', '60')
    .option('--reviewer <name>', 'who you are (default: whose key it is)')
    .option('--passphrase-file <file>', 'where the passphrase of the key is read')
    .option('--passphrase-env <name>', 'the environment variable that holds it')
    .option('--expires <when>', 'it counts until then: a date, a time, or days from now such as 90d');
}

export async function decide(decision: ApprovalDecision, target: string, options: DecideOptions, io: Io): Promise<void> {
  const config = configOf(io);
  const { note } = options;
  if (note.trim() === '' || note.length > 2000) throw new GatehouseError('USAGE', { problem: '--note takes 1 to 2000 characters', command: decision });
  const now = systemClock.now();
  const expiresAt = options.expires === undefined ? undefined : toTimestamp(expiryOf(options.expires, now, decision));
  const { proposal, look } = await proposalFor(target, options.instance, config, io);
  const { seal, reviewer } = await reviewerSeal(io, options, look.understood.reviews.reviewers.store);
  const { manifest, packageDigest, publisher, keyid: signedBy } = proposal.release;
  if (reviewer === publisher) throw new GatehouseError('APPROVAL_REFUSED', { source: `by '${reviewer}'`, problem: 'whoever made the plugin does not review it' });

  for (const line of await approvalLines(io, proposal, look, config)) io.say(line);
  const blocked = decision === 'approve' ? proposal.findings.find(({ error }) => NEVER_APPROVED.has(error.code)) : undefined;
  if (blocked) throw blocked.error;
  await io.confirm(`${decision === 'approve' ? 'Approve' : 'Reject'} ${plainLine(`${manifest.id} ${manifest.version}`)} as '${proposal.instance}', as ${reviewer}?`);
  const predicate: ApprovalPredicate = { packageDigest, grantsDigest: proposal.grantsDigest, signedBy, instance: proposal.instance, reviewer, decision, note, issuedAt: toTimestamp(systemClock.now()), ...(expiresAt === undefined ? {} : { expiresAt }) };
  const payload = writeApproval(subjectOf(manifest), predicate);
  const view = await deliver(await seal(payload), { id: approvalIdOf(payload), subject: subjectOf(manifest), ...predicate }, config, io);
  io.print(view, () => `${decision === 'approve' ? 'approved' : 'rejected'}: ${view.subject} as ${view.instance}, by ${view.reviewer} (${view.file})${view.problem === undefined ? '' : `; it does not count: ${view.problem}`}`);
}

/** The same file either way: the host writes what it was sent as it is written here. */
async function deliver(envelope: Buffer, named: { readonly id: string; readonly subject: string; readonly instance: string; readonly reviewer: string }, config: ResolvedConfig, io: Io): Promise<ApprovalView> {
  const host = findHost(io);
  if (host) {
    const body: DsseEnvelope = JSON.parse(envelope.toString('utf8'));
    return await host.post<ApprovalView>('/approvals', body);
  }
  const folder = approvalsFolder(config);
  await mkdir(folder, { recursive: true });
  await putApprovalFile(join(folder, approvalFileName(named)), envelope.toString('utf8'));
  const view = (await surveyFiles(config, io.env)).approvalViews.find(({ id }) => id === named.id);
  if (!view) throw new GatehouseError('APPROVAL_NOT_FOUND', { id: named.id });
  return view;
}

interface Found {
  readonly proposal: Proposal;
  readonly look: Survey;
}

/** An instance as its files have it, or a package as the instance it would run as. Throws PLUGIN_NOT_FOUND, USAGE, and why the package is refused. */
async function proposalFor(target: string, named: string | undefined, config: ResolvedConfig, io: Io): Promise<Found> {
  const context = await surveyContextOf(config, io.env);
  const look = await survey(context);
  const { enablements, trust, revocations, policy } = look.understood;
  const resolving = { ...context, config: { ...config, trust: policy }, trust: trust.store, revocations, approvals: look.approvals, installed: enablements.map(({ enablement }) => enablement.plugin) };
  const known = enablements.find(({ enablement }) => enablement.instance === target);
  if (known) return { look, proposal: proposed(await examinePackage(await locatePackage(config.home, known), known, resolving)) };
  const path = resolve(io.cwd, target);
  if (!existsSync(path)) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance: target });
  const tried = await Promise.all(enablements.filter(({ enablement }) => named === undefined || enablement.instance === named).map((loaded) => examinePackage(path, loaded, resolving)));
  const [first, second] = tried.filter(({ findings }) => !findings.some(({ rule }) => rule === 'plugin'));
  if (!first) throw new GatehouseError('USAGE', { problem: `No enablement${named === undefined ? '' : ` named '${named}'`} is for this package: what it would be given decides, so enable it first` });
  if (second) throw new GatehouseError('USAGE', { problem: `${[first, second].map(({ loaded }) => `'${loaded.enablement.instance}'`).join(' and ')} could run this package: name one with --instance` });
  return { look, proposal: proposed(first) };
}

function proposed({ loaded, release, grantsDigest, grants, limits, secrets, findings }: Candidate): Proposal {
  if (!release || grantsDigest === undefined) throw findings.find(({ warning }) => !warning)?.error ?? new GatehouseError('PLUGIN_NOT_FOUND', { instance: loaded.enablement.instance });
  return { instance: loaded.enablement.instance, enablement: loaded.enablement, release, grantsDigest, grants, limits, secrets, findings };
}
