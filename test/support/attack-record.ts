// What an innocent neighbour was given while an attack ran: measured by hostile.ts and neighbour.ts, kept in evidence/attacks.jsonl, told by `node test/support/attack-record.ts`.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const EVIDENCE = resolve(import.meta.dirname, '../../evidence');
const FILE = join(EVIDENCE, 'attacks.jsonl');

/** No answer may take longer while an attack runs. Far above what is ever seen (docs/reliability.md), far below what a person would call an outage. */
export const WORST_ANSWER_MS = 5000;

export interface Served {
  readonly answered: number;
  readonly worstMs: number;
}

interface Line extends Served {
  readonly file: string;
  readonly attack: string;
}

/** Times one answer after the other. */
export class Stopwatch {
  #answered = 0;
  #worstMs = 0;

  async time<T>(ask: () => Promise<T>): Promise<T> {
    const askedAt = performance.now();
    const answer = await ask();
    this.#worstMs = Math.max(this.#worstMs, performance.now() - askedAt);
    this.#answered += 1;
    return answer;
  }

  get served(): Served {
    return { answered: this.#answered, worstMs: this.#worstMs };
  }
}

/** Keeps one line where evidence is collected: in CI, and wherever GATEHOUSE_EVIDENCE is set. */
export function recordAttack({ testPath, currentTestName }: { readonly testPath?: string | undefined; readonly currentTestName?: string | undefined }, { answered, worstMs }: Served): void {
  if (!process.env['CI'] && !process.env['GATEHOUSE_EVIDENCE']) return;
  mkdirSync(EVIDENCE, { recursive: true });
  const line: Line = { file: basename(testPath ?? ''), attack: currentTestName ?? '', answered, worstMs: Math.round(worstMs * 10) / 10 };
  appendFileSync(FILE, `${JSON.stringify(line)}\n`);
}

/** One row a file: attacks, answers of the neighbours, and the worst of their latencies in the median and the worst attack. */
function report(): void {
  const lines = existsSync(FILE) ? readFileSync(FILE, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Line) : [];
  console.log('| tried in | attacks | answers beside them | median of worst answers, ms | worst answer, ms |\n| --- | --- | --- | --- | --- |');
  for (const [file, group] of Object.entries(Object.groupBy(lines, (line) => line.file)).toSorted()) {
    const worst = (group ?? []).map(({ worstMs }) => worstMs).toSorted((a, b) => a - b);
    const answered = (group ?? []).reduce((sum, line) => sum + line.answered, 0);
    console.log(`| ${file} | ${new Set((group ?? []).map(({ attack }) => attack)).size} | ${answered} | ${worst[worst.length >> 1]?.toFixed(0)} | ${worst.at(-1)?.toFixed(0)} |`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) report();
