// Walks through a page of docs as a reader does: runs what its console blocks say, types what they type, and holds what comes out against what they show. Used by test/scenario/quickstart.test.ts.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** For one thing a terminal of its own is to show. */
const PATIENCE_MS = 60_000;

/** What changes nothing is done again until it shows what the page shows: some things take a moment. */
const LOOKS = /^\$ gatehouse \S+ (?:list|show)\b/;

/** One fenced block. `console` is the reader's shell; `console <name>` a terminal of its own, which its command keeps; `chat` is the web chat in a browser. */
export interface Block {
  readonly kind: 'console' | 'chat';
  readonly terminal: string;
  readonly steps: readonly Step[];
}

/** What the reader does, and what then stands on the screen. */
export interface Step {
  readonly does: string;
  readonly shows: string;
}

/** `$` runs a command, `>` types a line, `^C` interrupts; a block that goes on in a terminal may begin with what comes there by itself. */
export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(console|chat)(?: (\w+))?\n([^]*?)^```$/gm)].map(([, kind = '', terminal = '', content = '']) => ({
    kind: kind === 'chat' ? 'chat' : 'console',
    terminal,
    steps: content.split(/^(?=[$>] |\^C$)/m).map((step) => {
      const [first = '', ...rest] = step.split('\n');
      return /^[$>] |^\^C$/.test(first) ? { does: first, shows: rest.join('\n') } : { does: '', shows: step };
    }),
  }));
}

/** What no two machines, or no two runs, have in common. Those with a name may be used in a later command, and stand there for what this run has in their place. */
const VARIES: readonly (readonly [kind: string, pattern: string])[] = [
  ['id', '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'],
  ['time', '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z'],
  ['stamp', '\\d{8}T\\d{6}Z'],
  ['address', 'http://127\\.0\\.0\\.1:\\d+'],
  ['digest', '(?:sha256:)?[0-9a-f]{16,64}…?'],
  ['person', '(?:m\\d+|visitor)-[0-9a-f]{8}'],
  ['sealed', '(?<![\\w-])(?!\\w+-\\d{4}-\\d\\d-)[A-Za-z0-9_-]{22,}'],
  ['throwaway', '/tmp/[\\w./-]+'],
  ['walls', '\\w+(?:\\+\\w+){2,}'],
  ['process', '(?<=process )\\d+'],
  ['amount', '\\d+(?:\\.\\d+)?(?= ?(?:ms|s|kB|KiB|MiB|B|bytes)\\b)|(?<=^(?:files|bytes) +)\\d+|(?<=unbounded [\\d ]*)\\d+|(?<![\\d.])\\d+\\.\\d+(?![\\d.])'],
  ['day', '\\w+, \\d+ \\w+ \\d{4}, \\d\\d:\\d\\d'],
];
const VARYING = new RegExp(VARIES.map(([kind, pattern]) => `(?<${kind}>${pattern})`).join('|'), 'gm');

/** Kinds that a later command of the page may name. */
const NAMES: ReadonlySet<string> = new Set(['id', 'stamp', 'address', 'digest', 'person', 'sealed']);

/** One line with every varying part replaced by its kind, and runs of spaces by one. */
interface Seen {
  readonly text: string;
  readonly names: readonly string[];
}

function seenLine(raw: string): Seen {
  const names: string[] = [];
  const text = raw.replaceAll(VARYING, (part: string, ...rest: unknown[]) => {
    const [kind] = Object.entries(Object(rest.at(-1)) as Record<string, string | undefined>).find(([, value]) => value !== undefined) ?? ['?'];
    if (NAMES.has(kind)) names.push(part);
    return `<${kind}>`;
  });
  return { text: text.replaceAll(/ {2,}/g, ' ').trim(), names };
}

/** Rows of a table that ends in amounts are in the order of their names here: on the screen, whoever took most stands first. */
function seen(raw: string): readonly Seen[] {
  const lines = raw.trim().split('\n').map(seenLine);
  const isRanked = (line: Seen | undefined) => line?.text.endsWith(' <amount> <amount>') ?? false;
  for (let from = 0; from < lines.length; from += 1) {
    let to = from;
    while (isRanked(lines[to])) to += 1;
    lines.splice(from, to - from, ...lines.slice(from, to).toSorted((a, b) => a.text.localeCompare(b.text)));
    from = to;
  }
  return lines;
}

const textOf = (lines: readonly Seen[]) => lines.map(({ text }) => text).join('\n');

export interface Reader extends AsyncDisposable {
  /** Does one block. `expected` and `actual` are equal where the page is right; `raw` is what it should show: what it shows where that is right. */
  follow(block: Block): Promise<{ readonly expected: string; readonly actual: string; readonly raw: string }>;
}

export interface ReaderParts {
  /** Where the reader's shell begins; an empty folder is `~`. */
  readonly cwd: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  /** What the page calls these folders. */
  readonly called: ReadonlyMap<string, string>;
  /** Says something in the web chat at this address, and resolves with the answer and a line feed; with nothing where no answer is waited for. */
  readonly ask: (address: string, text: string, isAnswered: boolean) => Promise<string>;
}

export function openReader({ cwd, home, env, called, ask }: ReaderParts): Reader {
  const state = join(home, '.walkthrough');
  const terminals = new Map<string, Terminal>();
  const known = new Map<string, string>();
  // The longest first: lists show the beginning of what is longer elsewhere.
  const asHere = (line: string) => [...known].toSorted(([a], [b]) => b.length - a.length).reduce((text, [there, here]) => text.replaceAll(there, here), line);
  const asOnPage = (text: string) => [...known].toSorted(([, a], [, b]) => b.length - a.length).reduce((told, [there, here]) => (here === '' ? told : told.replaceAll(here, there)), text);
  /** What stands on the page, and what stands for it in this run: from each line that both have, in the page's order. */
  const learn = (page: readonly Seen[], run: readonly Seen[]) => {
    let at = 0;
    for (const { text, names } of page) {
      const found = run.findIndex((line, index) => index >= at && line.text === text);
      if (found === -1) continue;
      for (const [index, name] of names.entries()) known.set(name, run[found]?.names[index] ?? '');
      at = found + 1;
    }
  };
  const asThere = (text: string) => [...called].reduce((told, [here, there]) => told.replaceAll(here, there), text);
  const shell = (command: string, detached = false) => {
    const before = `cd ${cwd}; [ -e ${state} ] && . ${state}`;
    const script = detached ? `${before}; exec ${command}` : `${before}\n${command}\n{ declare -px; echo "cd '$PWD'"; } > ${state}`;
    return spawn('bash', ['-c', `exec 2>&1; ${script}`], { stdio: ['pipe', 'pipe', 'pipe'], detached, env: { ...env, HOME: home } });
  };

  async function finished(command: string): Promise<string> {
    const terminal = new Terminal(shell(command));
    terminal.child.stdin?.end();
    await terminal.ended;
    return terminal.take();
  }

  async function does({ does: line, shows }: Step, name: string): Promise<string> {
    const said = asHere(line.slice(2));
    if (name === '') return await finished(said);
    if (line.startsWith('$ ')) terminals.set(name, new Terminal(shell(said, true)));
    const terminal = terminals.get(name);
    if (!terminal) throw new Error(`the page goes on in a terminal '${name}' that it has not opened`);
    if (line.startsWith('> ')) terminal.child.stdin?.write(`${said}\n`);
    if (line === '^C') {
      terminal.signal('SIGINT');
      await terminal.ended;
      terminals.delete(name);
      return terminal.take();
    }
    await terminal.shows((text) => fits(seen(shows), seen(asThere(text))));
    return terminal.take();
  }

  return {
    async follow({ kind, terminal, steps }) {
      let [expected, actual, raw] = ['', '', ''];
      for (const step of steps) {
        const address = known.get('http://127.0.0.1:4280') ?? '';
        const once = async () => asThere(kind === 'chat' ? await ask(address, step.does.slice(2), step.shows !== '') : await does(step, terminal));
        const page = seen(step.shows);
        let out = await once(); // oxlint-disable-line no-await-in-loop -- a reader does one thing after the other
        for (const giveUpAt = performance.now() + PATIENCE_MS; LOOKS.test(step.does) && !fits(page, seen(out)) && performance.now() < giveUpAt; out = await once()) await pause(100); // oxlint-disable-line no-await-in-loop -- looks again
        const run = seen(out);
        const line = step.does === '' ? '' : `${step.does}\n`;
        expected += `${line}${textOf(page)}\n`;
        actual += `${line}${textOf(fits(page, run) ? page : run)}\n`;
        learn(page, run);
        raw += `${line}${fits(page, run) ? step.shows : asOnPage(out)}`;
      }
      return { expected, actual, raw };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...terminals.values()].map(async (terminal) => {
        terminal.signal('SIGTERM');
        await terminal.ended;
      }));
    },
  };
}

/** A line `…` stands for any lines. */
function fits([line, ...page]: readonly Seen[], run: readonly Seen[]): boolean {
  if (!line) return run.length === 0;
  if (line.text === '…') return [...run.keys(), run.length].some((from) => fits(page, run.slice(from)));
  return run[0]?.text === line.text && fits(page, run.slice(1));
}

class Terminal {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  #shown = '';
  #isOver = false;

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((done) => {
      child.on('close', () => {
        this.#isOver = true;
        done();
      });
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
  }

  /** To everything that runs in it, as a keyboard does. */
  signal(name: NodeJS.Signals): void {
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null) process.kill(-this.child.pid, name);
  }

  /** Resolves once it shows that, or cannot any more: what is missing is seen in the comparison. */
  async shows(isThere: (text: string) => boolean): Promise<void> {
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (!this.#isOver && performance.now() < giveUpAt && !isThere(withoutLog(this.#shown))) await pause(10); // oxlint-disable-line no-await-in-loop -- waits
  }

  /** What has been shown since it was last taken. */
  take(): string {
    const shown = this.#shown;
    this.#shown = '';
    return withoutLog(shown);
  }
}

/** The log of the host is not on the page: what it warns of is the machine's. */
const withoutLog = (shown: string) => shown.replaceAll(/^(?:\{"level":|warn +a stage took longer than its budget ).*\n/gm, '');

/** The page with what this run showed in its blocks, for whoever has to bring it up to date: `GATEHOUSE_REWRITE=1 npx vitest run test/scenario/quickstart.test.ts`. */
export async function rewrite(file: string, shown: readonly string[]): Promise<void> {
  let at = 0;
  const page = await readFile(file, 'utf8');
  await writeFile(file, page.replaceAll(/^(```(?:console|chat)(?: \w+)?\n)[^]*?^```$/gm, (whole, head: string) => (shown[at] === undefined ? whole : `${head}${shown[at++]?.trimEnd()}\n\`\`\``)));
}
