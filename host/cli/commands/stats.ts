// `gatehouse stats`: how plugins, tools and channels have done over months.
import { Option, type Command } from 'commander';
import type { StatView } from '../../../schemas/costs.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import { plain, type Io } from '../io.ts';
import { queryString } from '../query.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  program
    .command('stats')
    .description('success, failure and cost by plugin, tool and channel, newest first')
    .addOption(new Option('--by <kind>', 'only of these').choices(['plugin', 'tool', 'channel']))
    .option('--name <name>', 'only of this instance, or of this tool as <plugin id>/<tool>')
    .addOption(new Option('--grain <grain>', 'hours or UTC days').choices(['hour', 'day']).default('day'))
    .option('--since <time>', 'from then on, as 2026-11-01T00:00:00Z')
    .option('--until <time>', 'before then')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse stats --by tool --grain hour --limit 24'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<StatView>>(`/stats${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        at: ({ grain, at }) => (grain === 'day' ? at.slice(0, 10) : at.slice(0, 16).replace('T', ' ')),
        by: ({ by }) => by,
        name: ({ name }) => name,
        ok: ({ ok }) => ok,
        failed: ({ failed }) => failed,
        denied: ({ denied }) => denied,
        why: ({ codes }) => Object.entries(codes).toSorted(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`).slice(0, 3).join(', '),
        'cpu ms': ({ cpuMs }) => cpuMs.toFixed(1),
        'egress bytes': ({ egressBytes }) => egressBytes,
      }, 'Nothing yet.'));
      if (page.cursor !== null && !io.options.json) io.say(`More: --cursor '${plain(page.cursor)}'`);
    });
}
