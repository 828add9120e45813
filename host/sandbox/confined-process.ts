// One sandbox process as the operating system sees it: started, spoken to in frames, ended. pool.ts starts it; sandbox-process.ts gives it a plugin.
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { problemOf } from '../errors.ts';
import { feedFilter, stdioOf, type SandboxCommand } from './command-line.ts';
import { FrameDecoder, FrameWriter } from './frames.ts';
import { stepBehind } from './niceness.ts';

/** Longest a process may take from spawn to `ready`. */
const START_MS = 10_000;
/** What a dead process wrote just before is read to its end, but a process it left behind cannot hold its pipe open for longer. */
const LAST_WORDS_MS = 100;
/** A wrapper ends when its child has; one that somebody stopped is ended too. */
const WRAPPER_MS = 1000;
const STDERR_BYTES = 2048;
const READY = '{"t":"ready"}';

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The beginning of what it wrote to stderr; V8 names its fatal error there. */
  readonly said: string;
}

export interface FrameListener {
  onFrame(text: string): void;
  /** The stream broke the protocol; no frame follows. */
  onFrameProblem(problem: string): void;
}

export class ConfinedProcess {
  /** Resolves once the process is gone and all it wrote has been heard. */
  readonly ended: Promise<ProcessEnd>;
  readonly #process: ChildProcess;
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  readonly #progress: number;
  #listener: FrameListener | undefined;
  readonly #forks: boolean;
  #pid: number;
  #alive = true;
  #progressOpen = true;
  #settled = false;

  /** Resolves once the process has said `ready`; rejects with the reason when it ends or says anything else before. */
  static async start(command: SandboxCommand): Promise<ConfinedProcess> {
    const progress = openProgress();
    let started: ConfinedProcess;
    try {
      const child = spawn(command.file, command.args, { stdio: stdioOf(command, 'pipe', progress), env: { ...command.env }, cwd: '/' });
      if (child.pid === undefined) {
        throw await new Promise<Error>((resolve) => {
          child.once('error', resolve);
        });
      }
      stepBehind(child.pid, 'front', 'usual'); // it may yet become either; wrappers and threads to come inherit it
      feedFilter(child, command);
      started = new ConfinedProcess(child, child.pid, progress, command.forks);
    } catch (error) {
      closeSync(progress);
      throw error;
    }
    await started.#ready();
    return started;
  }

  private constructor(child: ChildProcess, pid: number, progress: number, forks: boolean) {
    const socket = child.stdio[3];
    if (!(socket instanceof Socket)) throw new TypeError('the frame pipe is no socket');
    this.#pid = pid;
    this.#forks = forks;
    this.#process = child;
    this.#progress = progress;
    this.#socket = socket;
    this.#writer = new FrameWriter((bytes) => {
      if (this.#alive) this.#socket.write(bytes);
    });
    const decoder = new FrameDecoder((text) => this.#listener?.onFrame(text));
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        this.#socket.destroy();
        this.#listener?.onFrameProblem(problemOf(error));
      }
    });
    this.#socket.on('error', () => {}); // the process is gone or going: `ended` tells
    child.on('error', () => {}); // a kill that came too late
    const said = firstWords(child.stderr);
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#alive = false;
        const finish = () => {
          clearTimeout(timer);
          this.#socket.destroy();
          resolve({ ...(forks ? endOf(code, signal) : { code, signal }), said: said() });
        };
        const timer = setTimeout(finish, LAST_WORDS_MS);
        if (this.#socket.closed) finish();
        else this.#socket.once('close', finish);
      });
    });
  }

  /** Of the sandbox itself, also where a wrapper stands between it and the host: what is measured, reniced and written down. */
  get pid(): number {
    return this.#pid;
  }

  /** From now on frames go to this listener. */
  attach(listener: FrameListener): void {
    this.#listener = listener;
  }

  /** Queues one frame; it leaves with all others of this event-loop turn. False when it is larger than a frame may be. */
  send(text: string): boolean {
    return this.#writer.write(text);
  }

  /** SIGKILL, and no frame is heard any more. `ended` resolves when it is gone. A wrapper ends when it has seen its child end; killed itself, it takes the child with it by the parent-death signal. */
  kill(): void {
    this.#listener = undefined;
    if (!this.#isWrapped()) {
      this.#process.kill('SIGKILL');
      return;
    }
    try {
      process.kill(this.#pid, 'SIGKILL');
    } catch {
      // it ended this moment; its wrapper is about to tell
    }
    setTimeout(() => this.#process.kill('SIGKILL'), WRAPPER_MS).unref();
  }

  /** Whether a wrapper still has the sandbox as its child. Until the wrapper has seen it end, no other process can have got its pid. */
  #isWrapped(): boolean {
    return this.#alive && this.#pid !== this.#process.pid && childOf(this.#process.pid) === this.#pid;
  }

  /** The number, from 1, of the last frame after `load` that this process noted to have begun; notes are made only while replies wait to be sent. Zero when there is none. */
  lastFrameBegun(): number {
    if (!this.#progressOpen) return 0;
    const note = Buffer.alloc(8);
    const frame = readSync(this.#progress, note, 0, 8, 0) === 8 ? note.readDoubleLE(0) : 0;
    return Number.isSafeInteger(frame) ? frame : 0;
  }

  /** Gives back what outlives the process; nothing can be asked of it afterwards. */
  release(): void {
    if (!this.#progressOpen) return;
    this.#progressOpen = false;
    closeSync(this.#progress);
  }

  /** Once it is ready, the wrapper's only child is the sandbox. Says what is wrong when it cannot be told. */
  #findSandbox(): string | undefined {
    if (!this.#forks) return undefined;
    const child = childOf(this.#process.pid);
    if (child === undefined) return 'the process inside its namespace cannot be told from its wrapper';
    this.#pid = child;
    return undefined;
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (problem?: string) => {
        if (this.#settled) return;
        this.#settled = true;
        clearTimeout(timer);
        this.#listener = undefined;
        const failed = problem ?? this.#findSandbox();
        if (failed === undefined) return resolve();
        this.kill();
        this.release();
        reject(new Error(failed));
      };
      const timer = setTimeout(() => settle(`no sign of life within ${START_MS} ms`), START_MS);
      this.attach({ onFrame: (text) => settle(text === READY ? undefined : 'it did not begin with a ready frame'), onFrameProblem: settle });
      void this.ended.then(({ code, signal, said }) => settle(reasonIn(said) ?? `it ended with ${signal ?? `exit code ${code}`}`));
    });
  }
}

/** The only child of a process; undefined when there is none, or more than one, or no way to know. */
function childOf(pid: number | undefined): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return /^\d+$/.test(children) ? Number(children) : undefined;
  } catch {
    return undefined; // it is gone, or the kernel does not tell
  }
}

/** A wrapper that waited reports a death by signal as a shell does. */
function endOf(code: number | null, signal: NodeJS.Signals | null): Pick<ProcessEnd, 'code' | 'signal'> {
  const own = code !== null && code > 128 ? SIGNALS.get(code - 128) : undefined;
  return own === undefined ? { code, signal } : { code: null, signal: own };
}

const SIGNALS: ReadonlyMap<number, NodeJS.Signals> = new Map(Object.keys(constants.signals).filter(isSignal).map((name) => [constants.signals[name], name]));

function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(constants.signals, name);
}

/** An unlinked file that both sides hold open: its content outlives the process that wrote it, and nothing is left on disk. */
function openProgress(): number {
  for (const folder of ['/dev/shm', tmpdir()]) {
    const path = join(folder, `gatehouse-${process.pid}-${randomUUID()}`);
    try {
      const fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return fd;
    } catch (error) {
      if (folder !== '/dev/shm') throw error;
    }
  }
  throw new Error('no folder for temporary files');
}

/** Collects the beginning of a stream and then closes it: a process that has lost its mind cannot keep the host reading. */
function firstWords(stream: Readable | null): () => string {
  let words = '';
  if (!stream) return () => words;
  stream.setEncoding('latin1');
  stream.on('error', () => {}); // closed from the other side
  stream.on('data', (text: string) => {
    words = (words + text).slice(0, STDERR_BYTES);
    if (words.length === STDERR_BYTES) stream.destroy();
  });
  return () => words;
}

/** The line of an error output that says why. */
function reasonIn(said: string): string | undefined {
  const lines = said.trim().split('\n');
  const reason = lines.find((line) => /error|denied|cannot|failed|not permitted|restricted/i.test(line)) ?? lines.at(-1);
  return reason ? reason.trim().slice(0, 200) : undefined;
}
