// `gatehouse lanes`: what waits and runs, session by session; how a session's messages wait, and the end of a run.
import { Argument, type Command } from 'commander';
import type { LaneView } from '../../../schemas/control.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { queryString } from '../query.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const lanes = program.command('lanes').description('list lanes, set their mode, end a run').addHelpText('after', example('gatehouse lanes list'));
  lanes
    .command('list', { isDefault: true })
    .description('lanes that hold something, by session key')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse lanes list --limit 20'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<LaneView>>(`/lanes${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        session: ({ session }) => session,
        state: ({ state }) => state,
        mode: ({ mode }) => mode,
        depth: ({ depth }) => depth,
        'running since': ({ runningSince }) => runningSince,
        'next try': ({ nextTryAt }) => nextTryAt,
      }, 'No lane holds anything.'));
      if (page.cursor !== null && !io.options.json) io.say(`More: --cursor ${plain(page.cursor)}`);
    });
  lanes
    .command('mode <session>')
    .description('how the messages of a session wait')
    .addArgument(new Argument('<mode>', 'default is what the policy says').choices(['followup', 'collect', 'steer', 'interrupt', 'default']))
    .addHelpText('after', example('gatehouse lanes mode webhook:team-7 collect'))
    .action(async (session: string, mode: string) => {
      const set = await connect(io).post<{ session: string; mode: string | null }>(`/lanes/${encodeURIComponent(session)}/mode`, { mode: mode === 'default' ? null : mode });
      io.print(set, () => `From its next run on, ${plain(set.session)} goes by ${set.mode ?? 'what its policy says'}.`);
    });
  lanes
    .command('interrupt <session>')
    .description('end the run of a session without an answer')
    .addHelpText('after', example('gatehouse lanes interrupt webhook:team-7'))
    .action(async (session: string) => {
      const ended = await connect(io).post<{ session: string; interrupted: boolean }>(`/lanes/${encodeURIComponent(session)}/interrupt`);
      io.print(ended, () => (ended.interrupted ? `The run of ${plain(ended.session)} is ended; its message is dropped.` : `${plain(ended.session)} has no run that can be ended.`));
    });
}
