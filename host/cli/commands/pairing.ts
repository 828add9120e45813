// `gatehouse pairing`: who may speak to a channel whose enablement says `"access": "pairing"`, and invites to its page.
import type { Command } from 'commander';
import type { InviteView, NewInviteView, PairingView } from '../../../schemas/pairing.ts';
import { GatehouseError } from '../../errors.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { durationMs } from '../duration.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { queryString } from '../query.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const pairing = program.command('pairing').description('let people speak to channels, by codes and by invites').addHelpText('after', example('gatehouse pairing list --state pending'));
  pairing
    .command('list', { isDefault: true })
    .description('who asked to be let in, and what became of it')
    .option('--state <state>', 'pending, approved, denied, revoked or expired')
    .option('--instance <instance>', 'only of this channel')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse pairing list --state pending'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<PairingView>>(`/pairing${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        id: ({ id }) => id,
        channel: ({ instance }) => instance,
        sender: ({ sender, via }) => (sender === undefined ? via : sender.name === undefined ? sender.id : `${sender.id} (${sender.name})`),
        state: ({ state }) => state,
        asked: ({ requestedAt }) => requestedAt,
        decided: ({ decidedAt, decidedBy, expiresAt }) => (decidedAt === undefined ? (expiresAt === undefined ? '' : `until ${expiresAt}`) : `${decidedAt} by ${decidedBy ?? ''}`),
      }, 'Nobody asked.'));
      tellMore(io, page);
    });
  decision('approve <code>', 'approve', 'let in whoever was told this code; by its id, somebody denied or revoked before', 'gatehouse pairing approve K7QM2XHR');
  decision('deny <code>', 'deny', 'refuse whoever was told this code, or has this id', 'gatehouse pairing deny K7QM2XHR');
  decision('revoke <id>', 'revoke', 'shut out somebody who was let in, at once', 'gatehouse pairing revoke 9f86d081884c7d659a2feaa0c55ad015');

  function decision(usage: string, verb: string, description: string, shown: string): void {
    pairing
      .command(usage)
      .description(description)
      .addHelpText('after', example(shown))
      .action(async (codeOrId: string) => {
        const view = await connect(io).post<PairingView>(`/pairing/${encodeURIComponent(codeOrId)}/${verb}`);
        io.print(view, () => `${plain(view.sender?.id ?? view.via)} is ${view.state} at '${view.instance}' (${view.id}).`);
      });
  }

  pairing
    .command('invite')
    .description('a new invite to a channel with a page; its link is printed once')
    .option('--instance <instance>', 'which channel', 'webchat')
    .option('--expires-in <time>', 'so long it lets somebody in, as 30m or 7d', '24h')
    .option('--uses <count>', 'so many conversations it lets in', '1')
    .option('--label <text>', 'for people: who is invited')
    .addHelpText('after', example('gatehouse pairing invite --expires-in 7d --label "Ada"'))
    .action(async ({ instance, expiresIn, uses, label }: { instance: string; expiresIn: string; uses: string; label?: string }) => {
      if (!/^\d{1,4}$/.test(uses)) throw new GatehouseError('USAGE', { problem: `--uses takes a whole number, not '${uses}'` });
      const host = connect(io);
      const made = await host.post<NewInviteView>('/pairing/invites', { instance, expiresInSeconds: durationMs(expiresIn) / 1000, uses: Number(uses), ...(label !== undefined && { label }) });
      // The link alone on stdout, for a pipe; what it is on stderr.
      io.print(made, () => made.url ?? `${host.address}${made.path}`);
      if (!io.options.json) io.say(`Lets ${made.uses === 1 ? 'one conversation' : `${made.uses} conversations`} in, until ${made.expiresAt}. It is not shown again.${made.url === undefined ? ' Others reach this host by another name? Set pipeline.files.url.' : ''}`);
    });
  pairing
    .command('invites')
    .description('every invite, without its secret')
    .option('--instance <instance>', 'only of this channel')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse pairing invites'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<InviteView>>(`/pairing/invites${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        id: ({ id }) => id,
        channel: ({ instance }) => instance,
        label: ({ label }) => label ?? '',
        state: ({ state }) => state,
        used: ({ used, uses }) => `${used} of ${uses}`,
        ends: ({ expiresAt }) => expiresAt,
        'made by': ({ createdBy }) => createdBy,
      }, 'No invites.'));
      tellMore(io, page);
    });
  pairing
    .command('withdraw <invite>')
    .description('an invite lets nobody in any more; whoever it let in stays until revoked')
    .addHelpText('after', example('gatehouse pairing withdraw 0f3c55ad015a3bf4'))
    .action(async (id: string) => {
      const view = await connect(io).post<InviteView>(`/pairing/invites/${encodeURIComponent(id)}/withdraw`);
      io.print(view, () => `The invite ${view.id} is ${view.state}; it let in ${view.used} of ${view.uses}.`);
    });
}

function tellMore(io: Io, { cursor }: Page<unknown>): void {
  if (cursor !== null && !io.options.json) io.say(`More: --cursor ${plain(cursor)}`);
}
