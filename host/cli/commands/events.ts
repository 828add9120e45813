// `gatehouse events`: what the host tells of itself, from what it kept to what comes.
import type { Command } from 'commander';
import type { EventEnvelope } from '../../../schemas/event.ts';
import { followEvents } from '../follow.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';

interface Options {
  readonly follow?: boolean;
  readonly types?: string;
  readonly instance?: string;
  readonly after?: string;
}

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
      await followEvents(io, { filter, after, follow, event: (event) => io.line(io.options.json ? JSON.stringify(event) : lineOf(io, event)) });
    });
}

/** `10:15:02.123 plugin.state instance=echo plugin=gatehouse.echo from=active to=quarantined …` */
function lineOf(io: Io, { at, type, data }: EventEnvelope): string {
  const facts = Object.entries(data).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${io.tone('dim', at.slice(11, -1))} ${io.tone('bold', type)} ${plainLine(facts.join(' '), 500)}`;
}
