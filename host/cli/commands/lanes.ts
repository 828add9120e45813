// `gatehouse lanes`: what waits and runs, session by session; how a session's messages wait, and the end of a run.
import { Argument, type Command } from 'commander';
import type { LaneView } from '../../../schemas/control.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';

export function register(program: Command, io: Io): void {
  const lanes = program.command('lanes').description('list lanes, set their mode, end a run').addHelpText('after', example('gatehouse lanes list'));
  withListOptions(lanes.command('list', { isDefault: true }), '/lanes')
    .description('lanes that hold something, by session key')
    .addHelpText('after', example('gatehouse lanes list --limit 20'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<LaneView>(connect(io), '/lanes', options), {
        session: ({ session }) => session,
        state: ({ state }) => state,
        mode: ({ mode }) => mode,
        depth: ({ depth }) => depth,
        'running since': ({ runningSince }) => runningSince,
        'next try': ({ nextTryAt }) => nextTryAt,
      }, 'No lane holds anything.');
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
