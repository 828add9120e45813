// Preloaded into a host process (`node --import`): listens to what the host tells of itself and does one harm at an exact moment, from within the very
// turn of the event loop in which a stage ended. The host's own code is the shipped one and knows nothing of it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import { registerHooks } from 'node:module';
import type { Socket } from 'node:net';
import { fillDisk, freeDisk } from '../support/small-disk.ts';
import { disk } from './disk.ts';
import { COMMITS_HARMED, DAY_MS, SLOW_FLUSH_MS, type Boundary, type Fault, type Order, type Report } from './faults.ts';

let armed: Extract<Order, { strike: Fault }> | undefined;
let left = 0;

/** A disk of the test's own, under the data directory; never any other. */
const smallDisk = process.env['STRIKE_SMALL_DISK'];

const sandboxes = new Set<number>();
const sockets = new Set<Socket>();

on<{ pid: number }>('gatehouse.sandbox.started', ({ pid }) => sandboxes.add(pid));
on<{ pid: number }>('gatehouse.sandbox.ended', ({ pid }) => sandboxes.delete(pid));
on<{ socket: Socket }>('net.server.socket', ({ socket }) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});
on<{ stage: Boundary }>('gatehouse.message.stage', ({ stage }) => pass(stage));
on<{ handler: string }>('gatehouse.plugin.call', ({ handler }) => handler === 'receive' && pass('receive'));

function pass(boundary: Boundary): void {
  if (armed?.at !== boundary || left-- > 0) return;
  const { strike } = armed;
  armed = undefined;
  harm(strike);
  tell({ struck: strike });
}

function harm(fault: Fault): void {
  switch (fault) {
    case 'host killed':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'sandboxes killed':
      for (const pid of sandboxes) killed(pid);
      return;
    case 'commit error':
      disk.refuse = COMMITS_HARMED;
      return;
    case 'disk full':
      if (smallDisk) fillDisk(smallDisk);
      else limitFiles('8192');
      return;
    case 'slow flush':
      disk.slowMs = SLOW_FLUSH_MS;
      disk.slow = COMMITS_HARMED;
      disk.slowBefore = randomInt(2) === 0;
      return;
    case 'clock jump':
      wallOffsetMs += forward ? DAY_MS : -DAY_MS;
      forward = !forward;
      return;
    case 'reply lost':
      for (const socket of sockets) socket.resetAndDestroy();
      return;
    default:
      fault satisfies never;
  }
}

function killOne(): void {
  const pids = [...sandboxes];
  const pid = pids[randomInt(Math.max(1, pids.length))];
  if (pid !== undefined) killed(pid);
}

function heal(): void {
  disk.refuse = 0;
  disk.slow = 0;
  if (smallDisk) freeDisk(smallDisk);
  else limitFiles('unlimited');
  tell({ healed: true });
}

/** Where no small disk could be mounted: the soft limit of this process alone. Node ignores SIGXFSZ, so writes fail with EFBIG, as on a full disk with ENOSPC. */
function limitFiles(bytes: string): void {
  const { status, stderr } = spawnSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:unlimited`]);
  if (status !== 0) throw new Error(`prlimit: ${String(stderr)}`);
}

/** It may have ended a moment ago. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

// The wall clock, for whoever asks; timers and durations run on, as they do when a real clock is set.
const realNow = Date.now;
let wallOffsetMs = Number(process.env['STRIKE_WALL_OFFSET_MS'] ?? 0);
let forward = true;
Date.now = () => realNow() + wallOffsetMs;

// The store, on a disk that can fail.
const faulty = new URL('faulty-store.ts', import.meta.url).href;
registerHooks({ resolve: (specifier, context, next) => (specifier === './store/lmdb.ts' && context.parentURL?.endsWith('/host/host.ts') ? { url: faulty, shortCircuit: true } : next(specifier, context)) });

process.on('message', (order: Order) => {
  if ('heal' in order) heal();
  else if ('killOne' in order) killOne();
  else {
    armed = order;
    left = order.after;
  }
});
process.channel?.unref();
// A test that is gone leaves no host behind.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

function tell(report: Report): void {
  process.send?.(report);
}

function on<Event>(name: string, listener: (event: Event) => void): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the shapes are those of host/events.ts and of Node's own channel
  subscribe(name, (event) => listener(event as Event));
}
