// The command line: which commands there are, the options all share, and how a failure is told. Called by main.ts.
import { Command, CommanderError } from 'commander';
import { GatehouseError, problemOf } from '../errors.ts';
import { nearestOf } from '../nearest.ts';
import { VERSION } from '../version.ts';
import { HostSaidNo } from './client.ts';
import { createIo, plain, type ExitCode, type GlobalOptions, type Io, type IoStreams } from './io.ts';

/** What each file in commands/ exports: adds its command, with its subcommands, to the program. */
export interface CommandModule {
  register(program: Command, io: Io): void;
}

interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

/** Runs a host until it stops; main.ts composes it. Resolves with the exit code. */
export type Serve = (options: { readonly home: string; readonly data?: string; readonly listen?: string }, io: Io) => Promise<ExitCode>;

export interface CliParts {
  readonly argv: readonly string[];
  readonly streams: IoStreams;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly serve: Serve;
}

/** In the order help shows them. Only the command that is asked for is loaded: `status` never pays for the bundler. */
const commandTable = (serve: Serve): Readonly<Record<string, CommandEntry>> => ({
  init: { summary: 'create a home directory with the first-party plugins', load: () => import('./commands/init.ts') },
  start: { summary: 'run the host', load: async () => (await import('./commands/start.ts')).startCommand(serve) },
  check: { summary: 'say whether a start would succeed, and why not', load: () => import('./commands/check.ts') },
  status: { summary: 'show the running host', load: () => import('./commands/status.ts') },
  doctor: { summary: 'examine machine, home and data directory', load: () => import('./commands/doctor.ts') },
  send: { summary: 'send a message through a channel', load: () => import('./commands/send.ts') },
  events: { summary: 'follow what the host tells of itself', load: () => import('./commands/events.ts') },
  messages: { summary: 'list and show messages', load: () => import('./commands/messages.ts') },
  deliveries: { summary: 'list and show what is on its way out', load: () => import('./commands/deliveries.ts') },
  sessions: { summary: 'list, show and reset sessions', load: () => import('./commands/sessions.ts') },
  lanes: { summary: 'list lanes, set their mode, end a run', load: () => import('./commands/lanes.ts') },
  costs: { summary: 'show what plugins have spent today, and their budgets', load: () => import('./commands/costs.ts') },
  stats: { summary: 'show how plugins, tools and channels have done', load: () => import('./commands/stats.ts') },
  config: { summary: 'look at host.json, change it, take it back', load: () => import('./commands/config.ts') },
  tokens: { summary: 'list, create, rotate and revoke tokens', load: () => import('./commands/tokens.ts') },
  pairing: { summary: 'let people speak to channels, by codes and by invites', load: () => import('./commands/pairing.ts') },
  backup: { summary: 'back up home and data directory', load: () => import('./commands/backup.ts') },
  restore: { summary: 'bring a backup back', load: () => import('./commands/restore.ts') },
  export: { summary: 'write what is stored, for another host', load: () => import('./commands/export.ts') },
  import: { summary: 'take in what another host has exported', load: () => import('./commands/import.ts') },
  plugins: { summary: 'list, show, enable, disable, quarantine and release plugins', load: () => import('./commands/plugins.ts') },
  packages: { summary: 'list and show packages by their digest', load: () => import('./commands/packages.ts') },
  scan: { summary: 'look through the code of a package or an instance', load: () => import('./commands/scan.ts') },
  quarantine: { summary: 'list and show who was stopped, with the evidence', load: () => import('./commands/quarantine.ts') },
  'dead-letters': { summary: 'list, show, replay and drop work that failed', load: () => import('./commands/dead-letters.ts') },
  new: { summary: 'start a plugin of your own', load: () => import('./commands/new.ts') },
  dev: { summary: 'run a plugin while it is written', load: () => import('./commands/dev.ts') },
  test: { summary: 'build a plugin, run its tests, load it in a sandbox', load: () => import('./commands/test.ts') },
  build: { summary: 'bundle a plugin into dist/', load: () => import('./commands/build.ts') },
  pack: { summary: 'pack a built plugin into a .tgz', load: () => import('./commands/pack.ts') },
  sign: { summary: 'sign a package', load: () => import('./commands/sign.ts') },
  keys: { summary: 'generate and show signing keys', load: () => import('./commands/keys.ts') },
  verify: { summary: 'verify the signature and content of a package', load: () => import('./commands/verify.ts') },
  inspect: { summary: 'show what a package is and asks for', load: () => import('./commands/inspect.ts') },
  diff: { summary: 'show what changes from one package to another', load: () => import('./commands/diff.ts') },
  approve: { summary: 'agree to a package and what it is given', load: () => import('./commands/approve.ts') },
  reject: { summary: 'object to a package', load: () => import('./commands/reject.ts') },
  approvals: { summary: 'list and revoke what reviewers decided', load: () => import('./commands/approvals.ts') },
  lock: { summary: 'write down exactly what runs here, or check it', load: () => import('./commands/lock.ts') },
  trust: { summary: 'decide whose signatures count', load: () => import('./commands/trust.ts') },
  security: { summary: 'examine how safely a home is set up', load: () => import('./commands/security.ts') },
  audit: { summary: 'list, verify, prove and export the audit log', load: () => import('./commands/audit.ts') },
  completion: { summary: 'complete commands in bash, zsh and fish', load: () => import('./commands/completion.ts') },
  'first-party': { summary: 'build the plugins that come with Gatehouse', load: () => import('./commands/first-party.ts') },
});

/** Parses and runs one command; resolves with the exit code and never rejects. */
export async function runCli(parts: CliParts): Promise<ExitCode> {
  const program = newProgram();
  let exitCode: ExitCode = 0;
  const io = createIo({
    streams: parts.streams,
    env: parts.env,
    cwd: parts.cwd,
    options: () => globalOptions(program),
    exitWith: (code) => {
      exitCode = code;
    },
  });
  program.configureOutput({ writeOut: (text) => void parts.streams.stdout.write(text), writeErr: (text) => void parts.streams.stderr.write(text), outputError: () => undefined });
  try {
    await registerCommands(program, io, parts);
    await program.parseAsync([...parts.argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    return report(thrown, io, program);
  }
}

/** The program with the options of all commands, and no command yet. */
function newProgram(): Command {
  const program = new Command('gatehouse');
  program
    .description('A small host that runs untrusted messaging plugins: signed, sandboxed, supervised.')
    .version(VERSION)
    .option('--home <dir>', 'the home directory (default: GATEHOUSE_HOME, else the current directory)')
    .option('--data <dir>', 'the data directory (default: dataDir of manifests/host.json)')
    .option('--host <url>', 'a host elsewhere, as https://chat.example.com; its token comes from --token-file or GATEHOUSE_TOKEN')
    .option('--token-file <file>', 'where the token for --host is read')
    .option('--json', 'print data as JSON')
    .option('--yes', 'agree to every question')
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 12 })
    .exitOverride()
    .addHelpText('after', '\nExample:\n  gatehouse init my-home && gatehouse start --home my-home');
  return program;
}

/** With every command: slower to make than most commands take. */
export async function wholeProgram(io: Io): Promise<Command> {
  const program = newProgram();
  for (const { load } of Object.values(commandTable(async () => 0))) (await load()).register(program, io);
  return program;
}

/** The asked-for command for real, the others as names: enough for help and for «did you mean». */
async function registerCommands(program: Command, io: Io, parts: CliParts): Promise<void> {
  const wanted = wantedCommand(parts.argv);
  for (const [name, { summary, load }] of Object.entries(commandTable(parts.serve))) {
    if (name === wanted) (await load()).register(program, io);
    else program.command(name).description(summary);
  }
}

/** Options of all commands that a value follows. */
const VALUED: ReadonlySet<string> = new Set(['--home', '--data', '--host', '--token-file']);

/** The first word that is neither an option nor the value of one; `help x` asks for x. */
function wantedCommand(argv: readonly string[]): string | undefined {
  const words: string[] = [];
  let isValue = false;
  for (const word of argv) {
    if (!isValue && !word.startsWith('-')) words.push(word);
    isValue = !isValue && VALUED.has(word);
  }
  return words[0] === 'help' ? words[1] : words[0];
}

function globalOptions(program: Command): GlobalOptions {
  const { json = false, yes = false, ...given } = program.opts<Partial<GlobalOptions>>();
  return { ...given, json, yes };
}

/** Tells a failure to people on stderr and, with --json, to scripts on stdout. */
function report(thrown: unknown, io: Io, program: Command): ExitCode {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return 2;
  const { code, message, fix, exitCode } = failureOf(thrown, program);
  if (io.options.json) io.print({ error: { code, message, fix } }, () => '');
  io.say([message, fix].filter((line) => line !== '').map(plain).join('\n'));
  return exitCode;
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
}

function failureOf(thrown: unknown, program: Command): Failure {
  if (thrown instanceof HostSaidNo) return thrown;
  const error = thrown instanceof GatehouseError ? thrown
    : thrown instanceof CommanderError ? new GatehouseError('USAGE', { problem: usageProblem(thrown.message, program) })
    : (systemRefusal(thrown) ?? new GatehouseError('INTERNAL', { problem: problemOf(thrown) }, { cause: thrown }));
  return { code: error.code, message: error.message, fix: error.fix, exitCode: error.row.exitCode };
}

/** A command works on files that people name: what the system says of them (`EACCES: permission denied, mkdir '/x'`) is nobody's defect. */
function systemRefusal(thrown: unknown): GatehouseError | undefined {
  if (!(thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string')) return undefined;
  if (thrown.code === 'ERR_INVALID_ARG_VALUE' && thrown.message.includes('null bytes')) return new GatehouseError('USAGE', { problem: 'A path cannot hold a zero byte' }, { cause: thrown });
  if (!('syscall' in thrown && 'path' in thrown)) return undefined;
  const problem = /^[A-Z0-9_]+: (.+?)(?:, \w+(?: '.*)?)?$/s.exec(thrown.message)?.[1] ?? thrown.code;
  return new GatehouseError('SYSTEM_REFUSED', { call: String(thrown.syscall), path: String(thrown.path).slice(0, 300), problem }, { cause: thrown });
}

/** `error: unknown option '--jsn'\n(Did you mean --json?)` → `unknown option '--jsn' (did you mean --json?)`. */
function usageProblem(message: string, program: Command): string {
  // `plugins lst` reaches the default subcommand, which complains about a word too many: it was meant as a subcommand.
  const [, extra] = /too many arguments for '.+'\. Expected 0 arguments but got \d+: ([^,]+?)\.?(?:,|$)/.exec(message) ?? [];
  if (extra !== undefined) {
    const nearest = nearestOf(extra, program.commands.flatMap(({ commands }) => commands.map((each) => each.name())));
    return `unexpected '${extra}'${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`;
  }
  return message.replace(/^error: /, '').replace(/\n\(Did you mean/, ' (did you mean').replace(/\.$/, '');
}
