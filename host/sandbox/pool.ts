// Warm sandbox processes: blank, already confined, used once. The supervisor opens every sandbox here; host.ts owns the pool.
import { availableParallelism } from 'node:os';
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { publish } from '../events.ts';
import type { Log } from '../log.ts';
import { detectConfinement, likelyCommands, type SandboxCommands } from './confinement.ts';
import { ConfinedProcess } from './confined-process.ts';
import { Leftovers } from './leftovers.ts';
import type { Sandbox, SandboxHooks, SandboxSpec } from './sandbox.ts';
import { loadSandbox, type SandboxParts } from './sandbox-process.ts';
import type { ConfinementLevel } from './walls.ts';
import { Watchdog } from './watchdog.ts';

export interface SandboxPoolOptions {
  /** Blank processes kept ready, default 2. */
  readonly warm?: number;
  /** Which kind is kept ready, default true; a spec that asks for the other starts one of its own. */
  readonly jitless?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Where running sandboxes are recorded; the caller holds the lock on it. Without one nothing is recorded. */
  readonly dataDir?: string;
}

interface Warm {
  readonly process: ConfinedProcess;
  readonly level: ConfinementLevel;
  /** From spawn to ready. */
  readonly startMs: number;
}

export class SandboxPool implements AsyncDisposable {
  readonly #size: number;
  readonly #jitless: boolean;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #leftovers: Leftovers | undefined;
  readonly #watchdog: Watchdog;
  readonly #idle: Warm[] = [];
  readonly #running = new Set<ConfinedProcess>();
  readonly #launching = new Set<Promise<Warm>>();
  readonly #turns: (() => void)[] = [];
  #starting = 0;
  #filling = 0;
  #detection: Promise<SandboxCommands> | undefined;
  #known: SandboxCommands | undefined;
  #closed = false;

  constructor({ warm = 2, jitless = true, clock, log, dataDir }: SandboxPoolOptions) {
    this.#size = warm;
    this.#jitless = jitless;
    this.#clock = clock;
    this.#log = log;
    this.#watchdog = new Watchdog(clock);
    this.#leftovers = dataDir === undefined ? undefined : new Leftovers(dataDir, log);
  }

  /** Ends what an earlier host left on the data directory, and starts filling the pool, beside whatever else the host does at its start. */
  prepare(): void {
    this.#leftovers?.endAll();
    this.#fill();
  }

  /** Warm processes that wait for a plugin. */
  get idle(): number {
    return this.#idle.length;
  }

  /** What holds sandboxes on this machine; undefined until one has started. */
  get level(): ConfinementLevel | undefined {
    return this.#known?.level;
  }

  /** The same, awaited; one is started to find out when none was yet. Rejects when none starts at all. */
  async confinement(): Promise<ConfinementLevel> {
    if (this.#known) return this.#known.level;
    if (this.#detection) return (await this.#detection).level;
    const warm = await this.#start(this.#jitless);
    this.#keep(warm);
    return warm.level;
  }

  /** A sandbox with the plugin loaded. Rejects with PLUGIN_LOAD_FAILED or SANDBOX_START_FAILED. */
  async open(spec: SandboxSpec, hooks: SandboxHooks, options: Pick<SandboxParts, 'loadMs' | 'rank'> = {}): Promise<Sandbox> {
    const { process, level, startMs } = await this.#take(spec);
    this.#fill();
    const sandbox = await loadSandbox({ process, level: level.name, spec, hooks, clock: this.#clock, watchdog: this.#watchdog, ...options });
    publish('sandbox.started', { instance: spec.instance, pid: sandbox.pid, level: level.name, startMs });
    return sandbox;
  }

  /** Ends every process of this pool, those given away too. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#idle.length = 0;
    for (const process of this.#running) process.kill();
    await Promise.all([...this.#running].map((process) => process.ended));
    await Promise.allSettled(this.#launching); // those on their way see that the pool is closed and end themselves
    this.#watchdog[Symbol.dispose]();
  }

  async #take({ jitless, instance }: SandboxSpec): Promise<Warm> {
    const ready = jitless === this.#jitless ? this.#idle.shift() : undefined;
    try {
      return ready ?? (await this.#start(jitless));
    } catch (error) {
      throw new GatehouseError('SANDBOX_START_FAILED', { instance, problem: problemOf(error) }, { cause: error });
    }
  }

  #fill(): void {
    while (!this.#closed && this.#idle.length + this.#filling < this.#size) {
      this.#filling += 1;
      this.#start(this.#jitless).then(
        (warm) => {
          this.#filling -= 1;
          this.#keep(warm);
        },
        (error: unknown) => {
          this.#filling -= 1; // the next `open` tries again, and tells whom it concerns
          if (!this.#closed) this.#log.warn({ err: problemOf(error) }, 'a warm sandbox process did not start');
        },
      );
    }
  }

  /** A process that dies while it waits is nobody's strike. */
  #keep(warm: Warm): void {
    if (this.#closed) return;
    this.#idle.push(warm);
    void warm.process.ended.then(() => {
      const at = this.#idle.indexOf(warm);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      warm.process.release();
      this.#fill();
    });
  }

  /** As many start at once as there are cores: more would only make each slower. */
  async #start(jitless: boolean): Promise<Warm> {
    if (this.#starting >= Math.max(2, availableParallelism())) await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#starting += 1;
    try {
      if (this.#known) return await this.#launch(this.#known, jitless);
      if (!this.#detection) return await this.#detect(jitless);
      // While the first start finds out what this machine allows, the others bet on the best.
      try {
        return await this.#launch(likelyCommands(), jitless);
      } catch {
        return await this.#launch(await this.#detection, jitless);
      }
    } finally {
      this.#starting -= 1;
      this.#turns.shift()?.();
    }
  }

  /** Finds out by starting one, which is the one returned. */
  async #detect(jitless: boolean): Promise<Warm> {
    const found = detectConfinement((candidate) => this.#launch(candidate, jitless));
    this.#detection = found.then(({ commands }) => commands);
    this.#detection.catch(() => undefined); // told by `found` below; here so that it is never unhandled
    try {
      const { commands, started } = await found;
      this.#known = commands;
      return started;
    } catch (error) {
      this.#detection = undefined; // another try may meet a better day
      throw error;
    }
  }

  async #launch(commands: SandboxCommands, jitless: boolean): Promise<Warm> {
    const launching = this.#startProcess(commands, jitless);
    this.#launching.add(launching);
    try {
      return await launching;
    } finally {
      this.#launching.delete(launching);
    }
  }

  async #startProcess(commands: SandboxCommands, jitless: boolean): Promise<Warm> {
    if (this.#closed) throw new Error('the pool is closed');
    const beganAt = this.#clock.monotonicMs();
    const process = await ConfinedProcess.start(commands.command({ jitless }));
    if (this.#closed) {
      process.kill();
      await process.ended;
      throw new Error('the pool is closed');
    }
    this.#running.add(process);
    this.#leftovers?.add(process.pid);
    void process.ended.then(() => {
      this.#running.delete(process);
      this.#leftovers?.remove(process.pid);
    });
    return { process, level: commands.level, startMs: this.#clock.monotonicMs() - beganAt };
  }
}
