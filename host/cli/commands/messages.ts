// `gatehouse messages`: what came, what went, and what became of it.
import type { Command } from 'commander';
import type { MessageDetail, MessageView } from '../../../schemas/control.ts';
import { connect } from '../client.ts';
import { followList, type FollowedList } from '../follow.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type Columns, type ListOptions } from '../listing.ts';
import { walkLines } from '../walk-lines.ts';

const COLUMNS: Columns<MessageView> = {
  id: ({ id }) => id,
  at: ({ at }) => at,
  direction: ({ direction }) => direction,
  outcome: ({ outcome }) => outcome,
  instance: ({ instance }) => instance,
  conversation: ({ conversation }) => conversation.slice(0, 24),
  sender: ({ sender }) => sender.name ?? sender.id,
};

const FOLLOWED: Pick<FollowedList<MessageView, MessageDetail>, 'types' | 'idOf' | 'viewOf' | 'faceOf'> = {
  types: 'message.outcome',
  idOf: ({ messageId }) => messageId,
  viewOf: ({ costs: _costs, replies: _replies, ...view }) => view,
  faceOf: ({ outcome }) => outcome,
};

export function register(program: Command, io: Io): void {
  const messages = program.command('messages').description('list and show messages').addHelpText('after', example('gatehouse messages list --instance webchat --outcome answered'));
  withListOptions(messages.command('list', { isDefault: true }), '/messages')
    .description('messages, newest first')
    .addHelpText('after', example('gatehouse messages list --limit 20'))
    .option('--follow', 'then each message as its outcome is known or changes, until interrupted')
    .action(async ({ follow = false, ...options }: ListOptions & { readonly follow?: boolean }) => {
      if (follow) await followList(io, { path: '/messages', options, columns: COLUMNS, ...FOLLOWED });
      else printPage(io, await pageOf<MessageView>(connect(io), '/messages', options), COLUMNS, 'No messages.');
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
