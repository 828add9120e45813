// `gatehouse deliveries`: what is on its way out, how far it is, and what stands in its way.
import type { Command } from 'commander';
import type { DeliveryView } from '../../../schemas/control.ts';
import { connect } from '../client.ts';
import { followList, type FollowedList } from '../follow.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type Columns, type ListOptions } from '../listing.ts';
import { facts } from '../table.ts';

const COLUMNS: Columns<DeliveryView> = {
  id: ({ id }) => id,
  at: ({ at }) => at,
  instance: ({ instance }) => instance,
  conversation: ({ conversation }) => conversation.slice(0, 24),
  pieces: ({ pieces }) => (pieces ? `${pieces.sent}/${pieces.of}` : ''),
  attempts: ({ attempts }) => attempts,
  class: (each) => each.class,
  'next try': ({ nextTryAt }) => nextTryAt,
  problem: ({ problem }) => problem?.slice(0, 60),
};

const FOLLOWED: Pick<FollowedList<DeliveryView>, 'types' | 'idOf' | 'viewOf' | 'faceOf'> = {
  types: 'message.outcome',
  idOf: ({ messageId, direction }) => (direction === 'outbound' ? messageId : undefined),
  viewOf: (view) => view,
  faceOf: ({ state }) => state,
};

export function register(program: Command, io: Io): void {
  const deliveries = program.command('deliveries').description('list and show what is on its way out').addHelpText('after', example('gatehouse deliveries list --instance webhook'));
  withListOptions(deliveries.command('list', { isDefault: true }), '/deliveries')
    .description('deliveries that wait or are under way, oldest first')
    .addHelpText('after', example('gatehouse deliveries list --limit 20'))
    .option('--follow', 'then each delivery as it ends, until interrupted')
    .action(async ({ follow = false, ...options }: ListOptions & { readonly follow?: boolean }) => {
      if (follow) await followList(io, { path: '/deliveries', options, columns: COLUMNS, ...FOLLOWED });
      else printPage(io, await pageOf<DeliveryView>(connect(io), '/deliveries', options), COLUMNS, 'Nothing waits to be delivered.');
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
