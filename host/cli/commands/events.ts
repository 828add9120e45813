// `gatehouse events`: what the host tells of itself, from what it kept to what comes.
import type { Command } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import type { EventEnvelope } from '../../../schemas/event.ts';
import { GatehouseError } from '../../errors.ts';
import { connect, type HostClient } from '../client.ts';
import { readEvents } from '../event-stream.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { queryString } from '../query.ts';

interface Options {
  readonly follow?: boolean;
  readonly types?: string;
  readonly instance?: string;
  readonly after?: string;
}

/** Between two tries to reach a host that went away. */
const AGAIN_MS = 1000;
/** So many in a row, and it is not coming back. */
const TRIES = 30;

export function register(program: Command, io: Io): void {
  program
    .command('events')
    .description('show what the host tells of itself: what it has kept, and with --follow what comes')
    .option('--follow', 'go on until interrupted; a host that restarts is found again')
    .option('--types <list>', 'only these, as plugin.state,message.*')
    .option('--instance <instance>', 'only about this instance')
    .option('--after <id>', 'only what came after this event')
    .addHelpText('after', example('gatehouse events --follow', 'gatehouse events --types plugin.*,dead-letter.created --json'))
    .action(async ({ follow = false, after = '', ...filter }: Options) => {
      let last = after;
      for (let failures = 0; ; failures += 1) {
        try {
          for await (const told of tell(connect(io), filter, last)) {
            failures = 0;
            if (told !== 'caught up') {
              last = told.event.id;
              io.line(io.options.json ? JSON.stringify(told.event) : lineOf(io, told.event));
            } else if (!follow) return;
          }
          if (!follow) throw new GatehouseError('REMOTE_UNREACHABLE', { address: connect(io).address, problem: 'it ended the stream' });
        } catch (thrown) {
          const isAway = thrown instanceof GatehouseError && (thrown.code === 'HOST_UNREACHABLE' || thrown.code === 'REMOTE_UNREACHABLE');
          if (!follow || !isAway || last === after || failures >= TRIES) throw thrown;
          if (failures === 0) io.say('The host is not there; waiting for it.');
        }
        await pause(AGAIN_MS);
      }
    });
}

async function* tell(host: HostClient, filter: Omit<Options, 'follow' | 'after'>, last: string) {
  yield* readEvents(await host.stream(`/events${queryString({ ...filter })}`, { accept: 'text/event-stream', 'last-event-id': last }));
}

/** `10:15:02.123 plugin.state instance=echo plugin=gatehouse.echo from=active to=quarantined …` */
function lineOf(io: Io, { at, type, data }: EventEnvelope): string {
  const facts = Object.entries(data).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${io.tone('dim', at.slice(11, -1))} ${io.tone('bold', type)} ${plainLine(facts.join(' '), 500)}`;
}
