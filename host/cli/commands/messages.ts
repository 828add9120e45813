// `gatehouse messages`: what came, what went, and what became of it.
import type { Command } from 'commander';
import type { MessageDetail, MessageView } from '../../../schemas/control.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { walkLines } from '../walk-lines.ts';

export function register(program: Command, io: Io): void {
  const messages = program.command('messages').description('list and show messages').addHelpText('after', example('gatehouse messages list --instance webchat --outcome answered'));
  withListOptions(messages.command('list', { isDefault: true }), '/messages')
    .description('messages, newest first')
    .addHelpText('after', example('gatehouse messages list --limit 20'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<MessageView>(connect(io), '/messages', options), {
        id: ({ id }) => id,
        at: ({ at }) => at,
        direction: ({ direction }) => direction,
        outcome: ({ outcome }) => outcome,
        instance: ({ instance }) => instance,
        conversation: ({ conversation }) => conversation.slice(0, 24),
        sender: ({ sender }) => sender.name ?? sender.id,
      }, 'No messages.');
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
