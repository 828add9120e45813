// `gatehouse dead-letters`: work that ended without success, and what can be done about it.
import type { Command } from 'commander';
import type { DeadLetterDetail, DeadLetterView } from '../../../schemas/control.ts';
import { GatehouseError } from '../../errors.ts';
import type { Marked, Replayed } from '../../pipeline/letters/letter-replays.ts';
import { connect } from '../client.ts';
import { followList, type FollowedList } from '../follow.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type Columns, type ListOptions } from '../listing.ts';
import { facts } from '../table.ts';
import { walkTable } from '../walk-lines.ts';

const COLUMNS: Columns<DeadLetterView> = {
  id: ({ id }) => id,
  at: ({ at }) => at,
  instance: ({ instance }) => instance,
  stage: ({ stage }) => stage,
  code: ({ code }) => code,
  attempts: ({ attempts }) => attempts,
  reason: ({ reason }) => reason,
};

const FOLLOWED: Pick<FollowedList<DeadLetterView, DeadLetterDetail>, 'types' | 'idOf' | 'viewOf' | 'faceOf'> = {
  types: 'dead-letter.created',
  idOf: ({ id }) => id,
  viewOf: ({ text: _text, message: _message, ...view }) => view,
  faceOf: ({ attempts }) => String(attempts),
};

export function register(program: Command, io: Io): void {
  const deadLetters = program.command('dead-letters').description('list, show, replay and drop work that failed').addHelpText('after', example('gatehouse dead-letters list'));
  withListOptions(deadLetters.command('list', { isDefault: true }), '/dead-letters')
    .description('dead letters, newest first')
    .addHelpText('after', example('gatehouse dead-letters list --code DELIVERY_FAILED --limit 20'))
    .option('--follow', 'then each dead letter as it comes, until interrupted')
    .action(async ({ follow = false, ...options }: ListOptions & { readonly follow?: boolean }) => {
      if (follow) await followList(io, { path: '/dead-letters', options, columns: COLUMNS, ...FOLLOWED });
      else printPage(io, await pageOf<DeadLetterView>(connect(io), '/dead-letters', options), COLUMNS, 'No dead letters.');
    });
  deadLetters
    .command('show <id>')
    .description('one dead letter with the text it is about')
    .addHelpText('after', example('gatehouse dead-letters show 0197a0c4-…'))
    .action(async (id: string) => {
      const letter = await connect(io).get<DeadLetterDetail>(`/dead-letters/${encodeURIComponent(id)}`);
      const { text, message, ...rest } = letter;
      io.print(letter, () => [facts(io, rest), walkTable(io, message?.stages ?? []), plain(text ?? '')].filter((part) => part !== '').join('\n\n'));
    });
  deadLetters
    .command('replay [id]')
    .description('put the work back into its queue: of one letter, or with --all of every one that fits')
    .option('--all', 'every letter that fits the options below; the host takes up some twenty a second')
    .option('--instance <instance>', 'with --all: only of this channel instance')
    .option('--conversation <id>', 'with --all: only of this conversation')
    .option('--code <code>', 'with --all: only with this code')
    .option('--stage <stage>', 'with --all: only those that ended in this stage')
    .option('--direction <direction>', 'with --all: inbound or outbound')
    .option('--since <moment>', 'with --all: only made then or later')
    .option('--until <moment>', 'with --all: only made before')
    .option('--force', 'also what was put back five times, or may have been delivered')
    .addHelpText('after', example('gatehouse dead-letters replay 0197a0c4-…', 'gatehouse dead-letters replay --all --code DELIVERY_FAILED --yes'))
    .action(async (id: string | undefined, { all = false, force = false, ...filter }: { all?: boolean; force?: boolean } & Record<string, string>) => {
      if ((id === undefined) !== all) throw new GatehouseError('USAGE', { problem: 'Name one dead letter, or pass --all' });
      if (id !== undefined && Object.keys(filter).length > 0) throw new GatehouseError('USAGE', { problem: `--${Object.keys(filter)[0]} goes with --all` });
      const host = connect(io);
      if (id !== undefined) {
        const replayed = await host.post<Replayed>(`/dead-letters/${encodeURIComponent(id)}/replay`, force ? { force } : undefined);
        io.print(replayed, () => (replayed.status === 'already' ? `Message ${replayed.messageId} is in its queue already.` : `Message ${replayed.messageId} is back in its queue.`));
        return;
      }
      await io.confirm(`Put back every dead letter${Object.entries(filter).map(([name, value]) => `, ${name} ${plain(value)}`).join('')}?`);
      const marked = await host.post<Marked>('/dead-letters/replay', { ...filter, ...(force ? { force } : {}) });
      io.print(marked, () => [`${marked.marked} will be put back, some twenty a second.`, ...Object.entries(marked.guarded).map(([why, count]) => `${count} stay: ${why}.`), ...(marked.more ? ['There are more; ask again.'] : [])].join('\n'));
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
