// Every command with its subcommands, arguments, options and examples, as data: what completions and docs/cli.md are made from.
import { PassThrough, Writable } from 'node:stream';
import type { Command } from 'commander';
import { wholeProgram } from './cli.ts';
import { createIo } from './io.ts';

export interface OptionNode {
  /** With its dashes. */
  readonly name: string;
  readonly takesValue: boolean;
  /** The command is refused without it. */
  readonly mandatory: boolean;
  /** Words it may have, where they are few. */
  readonly choices: readonly string[];
}

export interface CommandNode {
  readonly name: string;
  /** From the first word on. */
  readonly path: readonly string[];
  /** One sentence without its stop. */
  readonly summary: string;
  /** Arguments as help shows them. */
  readonly usage: string;
  readonly arguments: readonly { readonly name: string; readonly choices: readonly string[] }[];
  readonly options: readonly OptionNode[];
  readonly examples: readonly string[];
  readonly commands: readonly CommandNode[];
}

/** The whole program; loads every command. */
export async function commandTree(): Promise<CommandNode> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const io = createIo({ streams: { stdin: new PassThrough(), stdout: nowhere, stderr: nowhere }, env: {}, cwd: '/', options: () => ({ json: false, yes: false }), exitWith: () => undefined });
  return nodeOf(await wholeProgram(io), []);
}

function nodeOf(command: Command, path: readonly string[]): CommandNode {
  return {
    name: command.name(),
    path,
    summary: command.description(),
    usage: command.registeredArguments.map((each) => (each.required ? `<${each.name()}>` : `[${each.name()}]`)).join(' '),
    arguments: command.registeredArguments.map((each) => ({ name: each.name(), choices: each.argChoices ?? [] })),
    options: command.options.map(({ long, short, required, optional, mandatory, argChoices }) => ({ name: long ?? short ?? '', takesValue: required || optional, mandatory, choices: argChoices ?? [] })),
    examples: examplesOf(command),
    commands: command.commands.map((each) => nodeOf(each, [...path, each.name()])),
  };
}

/** What `example()` of help.ts puts behind the help of a command. */
function examplesOf(command: Command): string[] {
  let written = '';
  command.configureOutput({ writeOut: (text) => (written += text), writeErr: () => undefined });
  command.outputHelp();
  return (written.split('\nExample:\n')[1] ?? '').split('\n').map((line) => line.trim()).filter((line) => line !== '');
}
