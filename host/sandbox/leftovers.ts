// Sandboxes that outlived a host which died: written down when started, ended by the next host on the same data directory. Used by pool.ts.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { ProcessMeter } from './process-meter.ts';

const FILE = 'sandboxes';
const LINES_BEFORE_REWRITE = 512;

/**
 * A process is named by boot, pid and start time together, so that no other process that later got the pid is ever ended. Where there is no /proc nothing is
 * written: a sandbox still ends by itself when its pipe to the host closes.
 */
export class Leftovers {
  readonly #path: string;
  readonly #log: Log;
  readonly #boot: string;
  readonly #running = new Map<number, string>();
  #lines = 0;

  constructor(dataDir: string, log: Log) {
    this.#path = join(dataDir, FILE);
    this.#log = log;
    this.#boot = textOf('/proc/sys/kernel/random/boot_id').trim();
  }

  /** Ends what a dead host left and starts an empty record. Call it once, while holding the lock on the data directory. */
  endAll(): void {
    let ended = 0;
    for (const line of textOf(this.#path).split('\n')) {
      const [boot, pid, startedAt] = line.split(' ');
      if (boot !== this.#boot || !pid || lineOf(this.#boot, Number(pid)) !== `${boot} ${pid} ${startedAt}`) continue;
      try {
        process.kill(Number(pid), 'SIGKILL');
        ended += 1;
      } catch (error) {
        this.#log.warn({ pid: Number(pid), err: problemOf(error) }, 'a sandbox left by an earlier host could not be ended');
      }
    }
    if (ended > 0) this.#log.info({ count: ended }, 'ended sandboxes left by an earlier host');
    this.#rewrite();
  }

  add(pid: number): void {
    const line = lineOf(this.#boot, pid);
    if (line === undefined) return;
    this.#running.set(pid, line);
    if (++this.#lines > LINES_BEFORE_REWRITE) this.#rewrite();
    else this.#write(() => appendFileSync(this.#path, `${line}\n`, { mode: 0o600 }));
  }

  /** The process has ended. */
  remove(pid: number): void {
    this.#running.delete(pid);
  }

  #rewrite(): void {
    this.#lines = this.#running.size;
    const lines = [...this.#running.values()].map((line) => `${line}\n`);
    this.#write(() => writeFileSync(this.#path, lines.join(''), { mode: 0o600 }));
  }

  /** A record that cannot be written is a second line of defence lost, not a reason to stop. */
  #write(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#log.warn({ err: problemOf(error) }, 'the record of running sandboxes could not be written');
    }
  }
}

/** How a process is written down, or undefined when it is gone. */
function lineOf(boot: string, pid: number): string | undefined {
  const meter = new ProcessMeter(pid);
  try {
    const startedAt = meter.startedAtTicks();
    return startedAt === undefined ? undefined : `${boot} ${pid} ${startedAt}`;
  } finally {
    meter.close();
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // nothing was recorded, or no /proc here
  }
}
