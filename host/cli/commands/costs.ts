// `gatehouse costs`: what each plugin has spent today and what it may.
import type { Command } from 'commander';
import type { CostView, Resource } from '../../../schemas/costs.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { pageOf, printPage, withListOptions, type Columns, type ListOptions } from '../listing.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  const costs = program.command('costs').description('list and show what plugins have spent today (UTC), and their budgets').addHelpText('after', example('gatehouse costs list --sort -cpuMs'));
  withListOptions(
    costs.command('list', { isDefault: true }).description('every instance').addHelpText('after', example('gatehouse costs list --state exceeded')),
    '/costs',
  ).action(async (options: ListOptions) => printPage(io, await pageOf<CostView>(connect(io), '/costs', options), COLUMNS, 'No instances.'));
  costs
    .command('show <instance>')
    .description('one instance')
    .addHelpText('after', example('gatehouse costs show weather'))
    .action(async (instance: string) => {
      const view = await connect(io).get<CostView>(`/costs/${encodeURIComponent(instance)}`);
      io.print(view, () => table(io, [view], COLUMNS, ''));
    });
}

const COLUMNS: Columns<CostView> = {
  instance: ({ instance }) => instance,
  state: ({ state }) => state,
  calls: (view) => against(view, 'calls'),
  failed: ({ spent }) => spent.failed,
  'cpu ms': (view) => against(view, 'cpuMs'),
  'host calls': (view) => against(view, 'hostCalls'),
  'egress bytes': (view) => against(view, 'egressBytes'),
  'kv bytes': (view) => against(view, 'kvBytes'),
  'kv held': ({ kvHeldBytes }) => kvHeldBytes,
};

/** `12 of 100` where there is a budget for the day. */
function against({ spent, budgets }: CostView, resource: Resource): string {
  const value = String(Math.round(spent[resource]));
  const most = budgets.perDay?.[resource];
  return most === undefined ? value : `${value} of ${most}`;
}
