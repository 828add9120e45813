// `gatehouse approvals`: what reviewers decided, and taking a decision back.
import type { Command } from 'commander';
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { ApprovalView } from '../../../schemas/control.ts';
import { systemClock, toTimestamp } from '../../clock.ts';
import { GatehouseError } from '../../errors.ts';
import { approvalsFolder } from '../../registry/review-look.ts';
import { loadRevoked, putApprovalFile, revokedFile, withRevoked } from '../../trust/approval-files.ts';
import { connect, findHost } from '../client.ts';
import { configOf } from '../context.ts';
import { surveyFiles } from '../files-survey.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { isFiltered, pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';

export function register(program: Command, io: Io): void {
  const approvals = program.command('approvals').description('list and revoke what reviewers decided').addHelpText('after', example('gatehouse approvals list'));
  withListOptions(approvals.command('list', { isDefault: true }), '/approvals')
    .description('approvals and rejections, newest first, and whether each counts')
    .addHelpText('after', example('gatehouse approvals list --json'))
    .action(async (options: ListOptions) => {
      const host = isFiltered(options, 'instance') ? connect(io) : findHost(io);
      const page = host ? await pageOf<ApprovalView>(host, '/approvals', options) : { items: await offline(io, options['instance']), cursor: null };
      printPage(io, page, {
        id: ({ id }) => id,
        decision: ({ decision }) => decision,
        package: ({ subject }) => subject,
        instance: ({ instance }) => instance,
        reviewer: ({ reviewer }) => reviewer,
        issued: ({ issuedAt }) => issuedAt,
        counts: ({ counts, problem = '' }) => (counts ? 'yes' : `no: ${problem}`),
        note: ({ note }) => note,
      }, 'Nobody has approved or rejected anything.');
    });

  approvals
    .command('revoke <id>')
    .description('take an approval or rejection back for good; what needed an approval stops')
    .requiredOption('--reason <text>', 'why, for the record')
    .addHelpText('after', example('gatehouse approvals revoke 5f0c… --reason "the key was on a lost laptop" --yes'))
    .action(async (id: string, { reason }: { reason: string }) => {
      const host = findHost(io);
      const known = host ? await host.get<ApprovalView>(`/approvals/${encodeURIComponent(id)}`) : (await offline(io)).find((each) => each.id === id);
      if (!known) throw new GatehouseError('APPROVAL_NOT_FOUND', { id });
      await io.confirm(`Take back the ${known.decision === 'approve' ? 'approval' : 'rejection'} of ${plainLine(known.subject)} as '${known.instance}' by ${known.reviewer}?`);
      const view = host ? await host.post<ApprovalView>(`/approvals/${encodeURIComponent(id)}/revoke`, { reason }) : await revokeOffline(io, id, reason);
      io.print(view, () => `${view.id} is revoked.`);
    });
}

async function offline(io: Io, instance?: string): Promise<ApprovalView[]> {
  const { approvalViews } = await surveyFiles(configOf(io), io.env);
  return approvalViews.filter((each) => instance === undefined || each.instance === instance).sort((a, b) => (a.issuedAt < b.issuedAt ? 1 : -1));
}

/** The list that a host goes by and remembers, from its next look on. */
async function revokeOffline(io: Io, id: string, reason: string): Promise<ApprovalView> {
  const folder = approvalsFolder(configOf(io));
  const revoked = await loadRevoked(folder);
  await mkdir(folder, { recursive: true });
  if (!revoked.some((each) => each.id === id)) await putApprovalFile(revokedFile(folder), withRevoked(revoked, { id, at: toTimestamp(systemClock.now()), actor: `command line (${userInfo().username})`, reason }));
  const view = (await offline(io)).find((each) => each.id === id);
  if (!view) throw new GatehouseError('APPROVAL_NOT_FOUND', { id });
  return view;
}
