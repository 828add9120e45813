// `gatehouse costs`: what each plugin has spent today and what it may.
import type { Command } from 'commander';
import type { CostView, Resource } from '../../../schemas/costs.ts';
import type { Page } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { table } from '../table.ts';

export function register(program: Command, io: Io): void {
  program
    .command('costs [instance]')
    .description('what plugins have spent today (UTC), and their budgets')
    .addHelpText('after', example('gatehouse costs', 'gatehouse costs weather'))
    .action(async (instance: string | undefined) => {
      if (instance === undefined) {
        const page = await connect(io).get<Page<CostView>>('/costs');
        io.print(page, () => costTable(io, page.items));
        return;
      }
      const view = await connect(io).get<CostView>(`/costs/${encodeURIComponent(instance)}`);
      io.print(view, () => costTable(io, [view]));
    });
}

const costTable = (io: Io, items: readonly CostView[]) =>
  table(io, items, {
    instance: ({ instance }) => instance,
    state: ({ state }) => state,
    calls: (view) => against(view, 'calls'),
    failed: ({ spent }) => spent.failed,
    'cpu ms': (view) => against(view, 'cpuMs'),
    'host calls': (view) => against(view, 'hostCalls'),
    'egress bytes': (view) => against(view, 'egressBytes'),
    'kv bytes': (view) => against(view, 'kvBytes'),
    'kv held': ({ kvHeldBytes }) => kvHeldBytes,
  }, 'No instances.');

/** `12 of 100` where there is a budget for the day. */
function against({ spent, budgets }: CostView, resource: Resource): string {
  const value = String(Math.round(spent[resource]));
  const most = budgets.perDay?.[resource];
  return most === undefined ? value : `${value} of ${most}`;
}
