// `gatehouse send`: a message from the operator through a channel of the running host.
import type { Command } from 'commander';
import { connect } from '../client.ts';
import { example } from '../help.ts';
import type { Io } from '../io.ts';

interface Sent {
  readonly messageId: string;
  readonly outcome: string;
  readonly code?: string;
  readonly reason?: string;
}

export function register(program: Command, io: Io): void {
  program
    .command('send')
    .description('send a message through a channel')
    .requiredOption('--channel <instance>', 'the channel instance to send through')
    .requiredOption('--to <conversation>', 'the conversation to send to')
    .requiredOption('--text <text>', 'what to say')
    .addHelpText('after', example('gatehouse send --channel webchat --to <conversation> --text "Back in five minutes."'))
    .action(async ({ channel, to, text }: { channel: string; to: string; text: string }) => {
      const sent = await connect(io).post<Sent>('/messages', { channel, to, text });
      io.print(sent, () => `${sent.outcome}  ${sent.messageId}${sent.reason === undefined ? '' : `  ${sent.code ?? ''} ${sent.reason}`}`);
      if (sent.outcome === 'denied') io.exitWith(3);
      if (sent.outcome === 'dead-lettered') io.exitWith(1);
    });
}
