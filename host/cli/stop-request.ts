// Everything that asks the host to stop: signals, and the death of the launcher that started it. Made by main.ts before anything else starts.
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Clock } from '../clock.ts';

export interface StopRequest extends Disposable {
  /** Resolves with the reason at the first request. */
  readonly requested: Promise<string>;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A terminal's Ctrl-C reaches launcher and host, and the launcher passes its own on: what follows this closely is the same request. */
const SAME_REQUEST_MS = 500;

export interface StopRequestParts {
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  /** A second signal: leave at once with this code. Must not return. */
  readonly exitNow: (code: number) => void;
}

export function listenForStop({ clock, env, exitNow }: StopRequestParts): StopRequest {
  const { promise: requested, resolve } = Promise.withResolvers<string>();
  let firstAtMs: number | undefined;
  const request = (reason: string) => {
    firstAtMs ??= clock.monotonicMs();
    resolve(reason);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAtMs !== undefined && clock.monotonicMs() - firstAtMs > SAME_REQUEST_MS) exitNow(128 + constants.signals[signal]);
    request(signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const launcher = watchLauncher(env, () => request('its launcher ended'));
  return {
    requested,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
      launcher?.destroy();
    },
  };
}

/** The launcher holds the other end of this descriptor and writes nothing; when it dies, however it dies, the kernel ends the stream. */
function watchLauncher(env: NodeJS.ProcessEnv, onEnd: () => void): Socket | undefined {
  const descriptor = env['GATEHOUSE_LAUNCHER_FD'];
  if (descriptor === undefined) return undefined;
  const socket = new Socket({ fd: Number(descriptor), readable: true, writable: false });
  socket.on('end', onEnd).on('error', onEnd).resume().unref();
  return socket;
}
