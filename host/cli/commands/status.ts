// `gatehouse status`: one look at the running host.
import type { Command } from 'commander';
import type { HostStatus } from '../../host.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';
import { facts } from '../table.ts';
import { changeLine } from '../reload-lines.ts';

export function register(program: Command, io: Io): void {
  program
    .command('status')
    .description('show the running host')
    .addHelpText('after', example('gatehouse status --json'))
    .action(async () => {
      const host = connect(io);
      const status = { address: host.address, ...(await host.get<HostStatus>('/status')) };
      io.print(status, () => facts(io, {
        address: status.address,
        ready: status.ready,
        version: `${status.version} (plugin API ${status.hostApi})`,
        started: `${status.startedAt}, process ${status.pid}`,
        home: status.home,
        profile: status.strict ? `${status.profile}, strict` : status.profile,
        confinement: status.confinement,
        plugins: Object.entries(status.plugins).map(([state, count]) => `${count} ${state}`).join(', ') || 'none',
        ...Object.fromEntries(status.degraded.map(({ instance, state, code, message }) => [`degraded ${instance}`, `${state}: ${code} ${message}`])),
        lanes: `${status.lanes.waiting} waiting, ${status.lanes.running} running`,
        deliveries: `${status.deliveries.waiting} waiting, ${status.deliveries.running} running`,
        'dead letters': status.deadLetters,
        pressure: `${status.pressure.level}, the fullest queue at ${Math.round(status.pressure.ratio * 100)} %${status.pressure.shed > 0 ? `; ${status.pressure.shed} messages sent away` : ''}`,
        workers: status.workers.map(({ name, state, problem }) => (problem === undefined ? name : `${name} ${state}: ${problem}`)).join(', '),
        'audit log': `${status.audit.size} entries, signed by ${status.audit.keyid}`,
        reload: status.reload.watching ? 'changes of the home are noticed' : 'changes of the home are not noticed; `gatehouse plugins reload` looks',
        'last look': status.reload.last ? `${status.reload.last.at}: ${status.reload.last.changes.map(changeLine).join('; ') || 'nothing changed'}${status.reload.last.refused.length === 0 ? '' : `; ${status.reload.last.refused.length} not taken up`}` : undefined,
        ...Object.fromEntries((status.reload.last?.refused ?? []).map(({ instance, manifest, code, message }) => [`not taken up ${instance ?? manifest ?? ''}`.trim(), `${code} ${message}`])),
      }));
    });
}
