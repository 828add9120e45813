// `gatehouse sessions`: which messages belong together, since when, and a new beginning.
import type { Command } from 'commander';
import type { SessionView } from '../../../schemas/control.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { queryString } from '../query.ts';
import { facts, table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const sessions = program.command('sessions').description('list, show and reset sessions').addHelpText('after', example('gatehouse sessions list'));
  sessions
    .command('list', { isDefault: true })
    .description('sessions, by key')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse sessions list --limit 20'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<SessionView>>(`/sessions${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        key: ({ key }) => key,
        'last at': ({ lastAt }) => lastAt,
        'started at': ({ startedAt }) => startedAt,
        messages: ({ messages }) => messages,
        waiting: ({ waiting }) => waiting,
        room: ({ rooms }) => rooms?.[0]?.name ?? rooms?.[0]?.kind,
      }, 'No sessions.'));
      if (page.cursor !== null && !io.options.json) io.say(`More: --cursor ${plain(page.cursor)}`);
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
