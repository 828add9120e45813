// `gatehouse send`: a message from the operator through a channel of the running host.
import type { Command } from 'commander';
import type { Sent } from '../../../schemas/control.ts';
import { GatehouseError } from '../../errors.ts';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

interface Target {
  readonly channel?: string;
  readonly to?: string;
  readonly toSession?: string;
  readonly toIdentity?: string;
}

export function register(program: Command, io: Io): void {
  program
    .command('send')
    .description('send a message through a channel')
    .option('--channel <instance>', 'the channel instance to send through')
    .option('--to <conversation>', 'the conversation to send to')
    .option('--to-session <key>', 'instead: to the place where a session was last heard of')
    .option('--to-identity <name>', 'instead: to the place where a linked person wrote last')
    .requiredOption('--text <text>', 'what to say')
    .addHelpText('after', example('gatehouse send --channel webchat --to <conversation> --text "Back in five minutes."'))
    .action(async ({ text, ...to }: Target & { text: string }) => {
      const sent = await connect(io).post<Sent>('/messages', { ...addressOf(to), text });
      io.print(sent, () => `${sent.outcome}  ${sent.messageId}${sent.reason === undefined ? '' : `  ${sent.code ?? ''} ${sent.reason}`}`);
      if (sent.outcome === 'denied') io.exitWith(3);
      if (sent.outcome === 'dead-lettered') io.exitWith(1);
    });
}

/** Exactly one way to say whom. */
function addressOf({ channel, to, toSession, toIdentity }: Target): { channel: string; to: string } | { session: string } | { identity: string } {
  const ways = [channel ?? to, toSession, toIdentity].filter((each) => each !== undefined);
  if (ways.length !== 1) throw new GatehouseError('USAGE', { problem: 'say where to: --channel with --to, or --to-session, or --to-identity' });
  if (toSession !== undefined) return { session: toSession };
  if (toIdentity !== undefined) return { identity: toIdentity };
  if (channel === undefined || to === undefined) throw new GatehouseError('USAGE', { problem: 'a channel and a conversation go together: --channel and --to' });
  return { channel, to };
}
