// `gatehouse dead-letters`: work that ended without success, and what can be done about it.
import type { Command } from 'commander';
import type { DeadLetterView } from '../../../schemas/control.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { queryString } from '../query.ts';
import { facts, table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const deadLetters = program.command('dead-letters').description('list, show, replay and drop work that failed').addHelpText('after', example('gatehouse dead-letters list'));
  deadLetters
    .command('list', { isDefault: true })
    .description('dead letters, newest first')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse dead-letters list --limit 20'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<DeadLetterView>>(`/dead-letters${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        id: ({ id }) => id,
        at: ({ at }) => at,
        instance: ({ instance }) => instance,
        stage: ({ stage }) => stage,
        code: ({ code }) => code,
        attempts: ({ attempts }) => attempts,
        reason: ({ reason }) => reason,
      }, 'No dead letters.'));
      if (page.cursor !== null && !io.options.json) io.say(`More: --cursor ${page.cursor}`);
    });
  deadLetters
    .command('show <id>')
    .description('one dead letter with the text it is about')
    .addHelpText('after', example('gatehouse dead-letters show 0197a0c4-…'))
    .action(async (id: string) => {
      const letter = await connect(io).get<DeadLetterView & { text?: string }>(`/dead-letters/${encodeURIComponent(id)}`);
      const { text, ...rest } = letter;
      io.print(letter, () => (text === undefined ? facts(io, rest) : `${facts(io, rest)}\n\n${plain(text)}`));
    });
  deadLetters
    .command('replay <id>')
    .description('put the work back into its queue')
    .addHelpText('after', example('gatehouse dead-letters replay 0197a0c4-…'))
    .action(async (id: string) => {
      const replayed = await connect(io).post<{ id: string; messageId: string }>(`/dead-letters/${encodeURIComponent(id)}/replay`);
      io.print(replayed, () => `Message ${replayed.messageId} is back in its queue.`);
    });
  deadLetters
    .command('drop <id>')
    .description('give the work up for good')
    .addHelpText('after', example('gatehouse dead-letters drop 0197a0c4-… --yes'))
    .action(async (id: string) => {
      const host = connect(io);
      await io.confirm(`Drop dead letter ${plain(id)} for good?`);
      const dropped = await host.delete<{ id: string }>(`/dead-letters/${encodeURIComponent(id)}`);
      io.print(dropped, () => `Dropped ${dropped.id}.`);
    });
}
