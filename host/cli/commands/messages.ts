// `gatehouse messages`: what came, what went, and what became of it.
import type { Command } from 'commander';
import type { MessageDetail, MessageView } from '../../../schemas/control.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { queryString } from '../query.ts';
import { table } from '../table.ts';
import { walkLines } from '../walk-lines.ts';

export function register(program: Command, io: Io): void {
  const messages = program.command('messages').description('list and show messages').addHelpText('after', example('gatehouse messages list --instance webchat --outcome answered'));
  messages
    .command('list', { isDefault: true })
    .description('messages, newest first')
    .option('--instance <instance>', 'only of this channel instance')
    .option('--conversation <id>', 'only of this conversation')
    .option('--outcome <outcome>', 'only with this outcome, for example answered, denied or dead-lettered')
    .option('--direction <direction>', 'inbound or outbound')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse messages list --limit 20'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<MessageView>>(`/messages${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        id: ({ id }) => id,
        at: ({ at }) => at,
        direction: ({ direction }) => direction,
        outcome: ({ outcome }) => outcome,
        instance: ({ instance }) => instance,
        conversation: ({ conversation }) => conversation.slice(0, 24),
        sender: ({ sender }) => sender.name ?? sender.id,
      }, 'No messages.'));
      if (page.cursor !== null && !io.options.json) io.say(`More: --cursor ${page.cursor}`);
    });
  messages
    .command('show <id>')
    .description('one message with its whole walk: stages, decisions, plugins, times, costs, deliveries')
    .addHelpText('after', example('gatehouse messages show 0197a0c4-…'))
    .action(async (id: string) => {
      const message = await connect(io).get<MessageDetail>(`/messages/${encodeURIComponent(id)}`);
      io.print(message, () => walkLines(io, message));
    });
}
