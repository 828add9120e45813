// How every command speaks: data on stdout, talk on stderr, one answer for people and for scripts. Made by cli.ts, handed to each command.
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { systemClock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { progress, type Progress } from './progress.ts';

/** Options every command has; `cli.ts` declares them once. */
export interface GlobalOptions {
  readonly home?: string;
  readonly data?: string;
  /** The address of a host elsewhere. */
  readonly host?: string;
  /** Where its token is read. */
  readonly tokenFile?: string;
  readonly json: boolean;
  readonly yes: boolean;
}

export type Tone = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

export interface Io {
  readonly options: GlobalOptions;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The one result of a command, on stdout: with --json one JSON document, else what `render` makes of the same value. */
  print(value: unknown, render: () => string): void;
  /** A line of data on stdout, as it is. For streams of lines; everything else uses `print`. */
  line(text: string): void;
  /** Data on stdout as it comes, no faster than its reader takes it. Throws what writing throws. */
  pour(chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Talk for people, on stderr. */
  say(text: string): void;
  /** A table says that the terminal is too narrow for all of it; `print` then adds how to see the rest. */
  cut(): void;
  /** A line that says how far long work has come, for a person at a terminal only; `what` as in `Checking`. Dispose of it before anything else is said. */
  progress(what: string): Progress;
  /** Resolves once the person agreed, or at once with --yes. Throws NOT_CONFIRMED without a terminal to ask on, DECLINED on anything but yes. */
  confirm(question: string): Promise<void>;
  /** What a person types where nobody can read it, without the line's end. Throws NOT_CONFIRMED without a terminal to ask on. */
  askSecret(question: string): Promise<string>;
  /** What a person types, or a script pipes in, line by line, to its end or Ctrl-C; the prompt is shown on a terminal only. */
  lines(prompt: string): Lines;
  /** The code the process ends with when the command returns; for results that are failures, such as a package that does not verify. */
  exitWith(code: ExitCode): void;
  /** Columns of the terminal that stdout is; without one, text is not broken into lines. */
  readonly width: number;
  /** Colour, where stdout is a terminal that wants it (https://no-color.org). */
  tone(tone: Tone, text: string): string;
}

/** A conversation on the terminal. */
export interface Lines extends AsyncIterable<string> {
  /** A line of data on stdout, above the prompt and what is being typed. */
  tell(text: string): void;
  close(): void;
}

/** 0 ok · 1 failure · 2 usage · 3 refused by policy · 4 host not reachable; 130 and 143 for a second signal. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130 | 143;

/** The process's own, or anything that acts like them. */
export interface IoStreams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
}

export interface IoParts {
  readonly streams: IoStreams;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Read at each use: the parser fills them in after the Io exists. */
  readonly options: () => GlobalOptions;
  readonly exitWith: (code: ExitCode) => void;
}

export function createIo({ streams, env, cwd, options, exitWith }: IoParts): Io {
  const { stdin, stdout, stderr } = streams;
  let isCut = false;
  return {
    get options() {
      return options();
    },
    env,
    cwd,
    exitWith,
    get width() {
      return stdout.isTTY === true ? (stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
    },
    print(value, render) {
      stdout.write(`${options().json ? JSON.stringify(value) : render()}\n`);
      if (isCut) stderr.write('Cut to fit: --json shows all.\n');
      isCut = false;
    },
    line(text) {
      stdout.write(`${text}\n`);
    },
    async pour(chunks) {
      for await (const chunk of chunks) if (!stdout.write(chunk)) await once(stdout, 'drain');
    },
    say(text) {
      stderr.write(`${text}\n`);
    },
    cut: () => void (isCut = true),
    progress: (what) => progress(what, { stream: stderr, env, clock: systemClock, isWanted: !options().json }),
    async confirm(question) {
      if (options().yes) return;
      if (!stdin.isTTY || !stderr.isTTY) throw new GatehouseError('NOT_CONFIRMED', { question: `“${question}”` });
      const prompt = createInterface({ input: stdin, output: stderr });
      try {
        const answer = await prompt.question(`${question} [y/N] `);
        if (!/^\s*(y|yes)\s*$/i.test(answer)) throw new GatehouseError('DECLINED', { question });
      } finally {
        prompt.close();
      }
    },
    async askSecret(question) {
      if (!stdin.isTTY || !stderr.isTTY) throw new GatehouseError('NOT_CONFIRMED', { question: `“${question}”` });
      stderr.write(`${question}: `);
      // The terminal is told not to echo, and what the line editor would write goes nowhere.
      const prompt = createInterface({ input: stdin, output: new Writable({ write: (_chunk, _encoding, done) => done() }), terminal: true });
      try {
        const ended = new AbortController();
        prompt.once('SIGINT', () => ended.abort());
        return await prompt.question('', { signal: ended.signal });
      } catch (thrown) {
        throw new GatehouseError('DECLINED', { question }, { cause: thrown });
      } finally {
        prompt.close();
        stderr.write('\n');
      }
    },
    lines(prompt) {
      const isTerminal = stdin.isTTY === true && stderr.isTTY === true;
      const reader = createInterface({ input: stdin, ...(isTerminal ? { output: stderr, prompt, terminal: true } : { terminal: false }) });
      reader.on('SIGINT', () => reader.close());
      const typed = reader[Symbol.asyncIterator](); // now: what is piped in comes at once, and lines that nobody awaits yet must wait
      let isOpen = true;
      reader.once('close', () => (isOpen = false));
      if (isTerminal) reader.prompt();
      return {
        tell(text) {
          if (isTerminal) stderr.write('\r\u001b[K');
          stdout.write(`${text}\n`);
          if (isTerminal && isOpen) reader.prompt(true);
        },
        close: () => reader.close(),
        async *[Symbol.asyncIterator]() {
          for await (const line of typed) {
            yield line;
            if (isTerminal && isOpen) reader.prompt();
          }
        },
      };
    },
    tone: (tone, text) => (options().json ? text : styleText(tone, text, { stream: stdout })),
  };
}

// C0 and C1 controls but newline and tab; bidirectional controls (CVE-2021-42574); invisible characters but the joiners that emoji and Persian need; line and paragraph separators; tags.
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNSAFE_ON_TERMINAL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Foreign text made safe for a terminal: no escape sequence, nothing that hides or reorders what a person reads. */
export function plain(text: string): string {
  return text.replace(UNSAFE_ON_TERMINAL, '�');
}

/** The same for one line of a table: line breaks and tabs become spaces, and what is longer than `width` ends in `…`. */
export function plainLine(text: string, width = 120): string {
  const line = plain(text).replace(/[\n\t]+/g, ' ');
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
