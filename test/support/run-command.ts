// Runs one command line in this process: everything but the launcher, and much faster than a process of its own. Streams are no terminals, unless stdout is given columns.
import { PassThrough } from 'node:stream';
import { runCli } from '../../host/cli/cli.ts';
import type { IoStreams } from '../../host/cli/io.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What --json printed. */
  json<T = Record<string, unknown>>(): T;
}

export async function runCommand(args: readonly string[], { cwd = '/', env = {}, columns }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly columns?: number } = {}): Promise<Ran> {
  const stdout = Object.assign(new PassThrough(), columns === undefined ? {} : { isTTY: true, columns });
  const stderr = new PassThrough();
  // oxlint-disable-next-line no-unsafe-type-assertion -- the command line writes, and asks whether they are terminals: they are not
  const streams = { stdin: new PassThrough(), stdout, stderr } as unknown as IoStreams;
  const code = await runCli({ argv: args, streams, env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env }, cwd, serve: async () => 0 });
  const text = (stream: PassThrough) => String(stream.read() ?? '');
  const printed = { stdout: text(stdout), stderr: text(stderr) };
  return { code, ...printed, json: <T>() => JSON.parse(printed.stdout) as T };
}
