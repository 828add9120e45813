// `gatehouse completion`: what a shell sources to complete commands, options and names of instances.
import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

export function register(program: Command, io: Io): void {
  program
    .command('completion')
    .description('print what a shell sources to complete commands, options and instances')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .addHelpText('after', example('source <(gatehouse completion bash)', 'gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish'))
    .action(async (shell: Shell) => {
      const { commandTree } = await import('../command-tree.ts'); // loads every command
      const script = completionScript(shell, await commandTree());
      io.print({ shell, script }, () => script.trimEnd());
    });
}
