// One line on stderr that says how far long work has come, rewritten in place and gone at its end. Nothing where nobody watches. io.ts makes it for commands that take long.
import type { Clock } from '../clock.ts';

export interface Progress extends Disposable {
  /** So much is done by now, of so much in all where that is known. May be called for every piece: it is shown ten times a second at most. */
  readonly at: (done: number, total?: number) => void;
}

export interface ProgressParts {
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** False for --json. */
  readonly isWanted: boolean;
}

const LEAST_MS = 100;
/** Back to the beginning of the line, and empty it. */
const CLEAR = '\r\u001b[K';

/** `what` in the words of a person, as `Checking`; everything is counted in bytes. */
export function progress(what: string, { stream, env, clock, isWanted }: ProgressParts): Progress {
  if (!isWanted || stream.isTTY !== true || env['TERM'] === 'dumb' || (env['NO_COLOR'] ?? '') !== '') return { at: () => undefined, [Symbol.dispose]: () => undefined };
  let shownAt: number | undefined;
  return {
    at(done, total) {
      const now = clock.monotonicMs();
      if (shownAt !== undefined && now - shownAt < LEAST_MS) return;
      shownAt = now;
      // Written into the last column, some terminals begin a new line, and that one could not be taken back.
      stream.write(`${CLEAR}${`${what}: ${farOf(done, total)}`.slice(0, (stream.columns ?? 80) - 1)}`);
    },
    [Symbol.dispose]() {
      if (shownAt !== undefined) stream.write(CLEAR);
    },
  };
}

/** Shows how far `work` is while it lasts. */
export async function watching<Result>(io: { readonly progress: (what: string) => Progress }, what: string, work: (shown: Progress) => Promise<Result>): Promise<Result> {
  using shown = io.progress(what);
  return await work(shown);
}

/** Lets chunks pass, and shows how many bytes have. */
export async function* watched(chunks: AsyncIterable<Uint8Array>, { at, [Symbol.dispose]: end }: Progress, total?: number): AsyncGenerator<Uint8Array, void, void> {
  let done = 0;
  try {
    for await (const chunk of chunks) {
      done += chunk.length;
      at(done, total);
      yield chunk;
    }
  } finally {
    end();
  }
}

/** `12.5 MB of 40.0 MB (31 %)`; a total that turns out too small is not believed. */
function farOf(done: number, total: number | undefined): string {
  return total === undefined || done > total || total === 0 ? inWords(done) : `${inWords(done)} of ${inWords(total)} (${Math.floor((done / total) * 100)} %)`;
}

const STEPS = ['kB', 'MB', 'GB', 'TB'] as const;

function inWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  let value = bytes / 1000;
  let step = 0;
  for (; value >= 999.95 && step < STEPS.length - 1; step += 1) value /= 1000;
  return `${value.toFixed(1)} ${STEPS[step]}`;
}
