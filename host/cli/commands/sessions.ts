// `gatehouse sessions`: which messages belong together, since when, and a new beginning.
import type { Command } from 'commander';
import type { SessionView } from '../../../schemas/control.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type ListOptions } from '../listing.ts';
import { facts, table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const sessions = program.command('sessions').description('list, show and reset sessions').addHelpText('after', example('gatehouse sessions list'));
  withListOptions(sessions.command('list', { isDefault: true }), '/sessions')
    .description('sessions, by key')
    .addHelpText('after', example('gatehouse sessions list --limit 20'))
    .action(async (options: ListOptions) => {
      printPage(io, await pageOf<SessionView>(connect(io), '/sessions', options), {
        key: ({ key }) => key,
        'last at': ({ lastAt }) => lastAt,
        'started at': ({ startedAt }) => startedAt,
        messages: ({ messages }) => messages,
        waiting: ({ waiting }) => waiting,
        room: ({ rooms }) => rooms?.[0]?.name ?? rooms?.[0]?.kind,
      }, 'No sessions.');
    });
  sessions
    .command('show <key>')
    .description('one session')
    .addHelpText('after', example('gatehouse sessions show webhook:team-7'))
    .action(async (key: string) => {
      const session = await connect(io).get<SessionView>(`/sessions/${encodeURIComponent(key)}`);
      io.print(session, () => {
        const { routes = [], rooms = [], ...rest } = session;
        const places = table(io, routes, { at: ({ at }) => at, instance: ({ instance }) => instance, conversation: ({ conversation }) => conversation, thread: ({ thread }) => thread, account: ({ account }) => account }, '');
        const people = rooms.flatMap(({ people: known = [], name, kind }) => known.map((each) => ({ room: name ?? kind, ...each })));
        const speakers = table(io, people, { room: ({ room }) => room, sender: ({ id }) => id, name: ({ name }) => name, 'last at': ({ lastAt }) => lastAt }, '');
        return [facts(io, rest), places, speakers].filter((part) => part !== '').join('\n\n');
      });
    });
  sessions
    .command('reset <key>')
    .description('begin a session anew: the next message is its first')
    .addHelpText('after', example('gatehouse sessions reset @identity:ada'))
    .action(async (key: string) => {
      const session = await connect(io).post<SessionView>(`/sessions/${encodeURIComponent(key)}/reset`);
      io.print(session, () => `The next message of ${plain(session.key)} begins a new session.`);
    });
}
