// The commands that the host answers itself, without a plugin. registry.ts lists them before all others, stages/command.ts runs them.
import type { Message } from '../../../schemas/message.ts';
import { HOST_COMMAND_NAMES, type CommandDeclaration, type HostCommandName } from '../../../schemas/plugin-manifest.ts';
import type { SessionRow } from '../../store/tables.ts';
import type { Policy } from '../policy.ts';
import { help } from './help.ts';
import { queue } from './queue.ts';
import { reset } from './reset.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import type { SessionControl } from './session-control.ts';
import type { Parsed } from './parse.ts';
import type { CommandTable } from './registry.ts';

/** One use of a command. */
export interface CommandUse {
  readonly message: Message;
  /** What follows the name. */
  readonly arguments: string;
  readonly sessionKey: string;
  /** Of the command among all messages: what was said before it has a lower one. */
  readonly place: string;
  readonly session: SessionRow;
  /** Of the conversation, as it is now. */
  readonly policy: Policy;
}

/** What commands may ask of the host. */
export interface CommandTools {
  readonly table: CommandTable;
  readonly control: SessionControl;
}

export interface HostCommand extends Required<Pick<CommandDeclaration, 'name' | 'description' | 'permission'>>, Pick<CommandDeclaration, 'usage'> {
  /** Whether the session begins anew with the commit that accepts the command. */
  readonly beginsSession?: true;
  /** What is answered. May run more than once for one use, so that a second time must do no harm. */
  run(use: CommandUse, tools: CommandTools): string | Promise<string>;
}

const COMMANDS: Readonly<Record<HostCommandName, HostCommand>> = { help, status, reset, queue, stop };

export const HOST_COMMANDS: readonly HostCommand[] = HOST_COMMAND_NAMES.map((name) => COMMANDS[name]);

const byName: ReadonlyMap<string, HostCommand> = new Map(HOST_COMMANDS.map((each) => [each.name, each]));

/** Whether the host itself answers it, beside the lane of its session. */
export const isHostCommand = (parsed: Parsed): boolean => parsed.kind === 'command' && byName.has(parsed.name);

export const hostCommand = (name: string | undefined): HostCommand | undefined => (name === undefined ? undefined : byName.get(name));
