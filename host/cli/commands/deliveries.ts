// `gatehouse deliveries`: what is on its way out, how far it is, and what stands in its way.
import type { Command } from 'commander';
import type { DeliveryView } from '../../../schemas/control.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { queryString } from '../query.ts';
import { facts, table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const deliveries = program.command('deliveries').description('list and show what is on its way out').addHelpText('after', example('gatehouse deliveries list --instance webhook'));
  deliveries
    .command('list', { isDefault: true })
    .description('deliveries that wait or are under way, oldest first')
    .option('--instance <instance>', 'only of this channel instance')
    .option('--conversation <id>', 'only of this conversation')
    .option('--limit <count>', 'at most this many, 1 to 200')
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .addHelpText('after', example('gatehouse deliveries list --limit 20'))
    .action(async (filter: Record<string, string>) => {
      const page = await connect(io).get<Page<DeliveryView>>(`/deliveries${queryString(filter)}`);
      io.print(page, () => table(io, page.items, {
        id: ({ id }) => id,
        at: ({ at }) => at,
        instance: ({ instance }) => instance,
        conversation: ({ conversation }) => conversation.slice(0, 24),
        pieces: ({ pieces }) => (pieces ? `${pieces.sent}/${pieces.of}` : ''),
        attempts: ({ attempts }) => attempts,
        class: (each) => each.class,
        'next try': ({ nextTryAt }) => nextTryAt,
        problem: ({ problem }) => problem?.slice(0, 60),
      }, 'Nothing waits to be delivered.'));
      if (page.cursor !== null && !io.options.json) io.say(`More: --cursor ${page.cursor}`);
    });
  deliveries
    .command('show <id>')
    .description('one delivery, by the id of its message, also when it is over')
    .addHelpText('after', example('gatehouse deliveries show 0197a0c4-…'))
    .action(async (id: string) => {
      const delivery = await connect(io).get<DeliveryView>(`/deliveries/${encodeURIComponent(id)}`);
      const { pieces, remoteIds, ...rest } = delivery;
      io.print(delivery, () => facts(io, { ...rest, ...(pieces ? { pieces: `${pieces.sent} of ${pieces.of} sent` } : {}), ...(remoteIds ? { remoteIds: remoteIds.join(', ') } : {}) }));
    });
}
