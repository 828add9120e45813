// What the kernel says about one process: memory, CPU, state. Read by the watchdog of sandbox-process.ts, because what a sandbox says about itself is only a claim.
import { closeSync, openSync, readSync } from 'node:fs';

/** Linux reports times in /proc in units of USER_HZ, which is 100 on every architecture Node runs on. */
const TICK_MS = 10;

export interface ProcessReading {
  /** User and system time of all threads, in steps of 10 ms. */
  readonly cpuMs: number;
  /** One letter of proc(5): R running, S sleeping, D waiting for a disk, T stopped, t traced, Z dead. */
  readonly state: string;
}

/** What the watchdog can know of a process; undefined where it cannot. */
export interface Meter {
  read(): ProcessReading | undefined;
  /** Memory the process occupies, swapped out or not, in bytes. */
  memoryBytes(): number | undefined;
  close(): void;
}

/** Reads /proc of one process; every method gives undefined where there is no /proc or the process is gone. Open files keep naming the same process even after its pid is used again. */
export class ProcessMeter implements Meter {
  readonly #stat: number | undefined;
  readonly #status: number | undefined;
  readonly #buffer = Buffer.allocUnsafe(4096);

  constructor(pid: number) {
    this.#stat = open(`/proc/${pid}/stat`);
    this.#status = open(`/proc/${pid}/status`);
  }

  read(): ProcessReading | undefined {
    const text = this.#read(this.#stat);
    // The second field is the command in brackets and may hold anything, brackets too; what counts comes after the last one.
    const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
    const [state, userTicks, systemTicks] = [fields[0], fields[11], fields[12]];
    if (state === undefined || userTicks === undefined || systemTicks === undefined) return undefined;
    return { state, cpuMs: (Number(userTicks) + Number(systemTicks)) * TICK_MS };
  }

  memoryBytes(): number | undefined {
    const text = this.#read(this.#status);
    if (!text) return undefined;
    const resident = kilobytes(text, 'VmRSS:');
    return resident === undefined ? undefined : (resident + (kilobytes(text, 'VmSwap:') ?? 0)) * 1024;
  }

  /** When the process was started, in ticks since boot: with the pid, a name that is never used twice until the next boot. */
  startedAtTicks(): number | undefined {
    const text = this.#read(this.#stat);
    const started = text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
    return started === undefined ? undefined : Number(started);
  }

  close(): void {
    for (const fd of [this.#stat, this.#status]) if (fd !== undefined) closeSync(fd);
  }

  #read(fd: number | undefined): string | undefined {
    if (fd === undefined) return undefined;
    try {
      const length = readSync(fd, this.#buffer, 0, this.#buffer.length, 0);
      return this.#buffer.toString('latin1', 0, length);
    } catch {
      return undefined; // ESRCH: the process is gone
    }
  }
}

function kilobytes(status: string, name: string): number | undefined {
  const at = status.indexOf(name);
  return at < 0 ? undefined : Number.parseInt(status.slice(at + name.length, at + name.length + 20), 10);
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined; // no /proc here, or the process is gone
  }
}
