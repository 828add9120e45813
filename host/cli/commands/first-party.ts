// `gatehouse first-party`: the plugins that come with Gatehouse, built where they lie.
import type { Command } from 'commander';
import { firstParty as firstPartyPlugins } from '../../authoring/shipped.ts';
import { systemClock } from '../../clock.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  const firstParty = program.command('first-party').description('build the plugins that come with Gatehouse').addHelpText('after', example('gatehouse first-party build'));
  firstParty
    .command('build', { isDefault: true })
    .description('build what changed and sign it with the development key of this checkout; an install brought them built')
    .addHelpText('after', example('gatehouse first-party build --json'))
    .action(async () => {
      const { plugins, record } = await firstPartyPlugins({ now: systemClock.now() });
      if (io.options.json) return io.print({ plugins, record }, () => '');
      const changed = plugins.filter((each) => each.changed);
      if (changed.length > 0) io.say(`Built and signed ${changed.map(({ id, version }) => `${id} ${version}`).join(', ')}.`);
      return undefined;
    });
}
