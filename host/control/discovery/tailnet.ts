// What the tailscale program of this machine says of its tailnet: a look, never a change. Called by discovery.ts when somebody asks.
import { execFile } from 'node:child_process';
import type { TailnetView } from '../../../schemas/discovery.ts';
import { toTimestamp, type Clock } from '../../clock.ts';

const DEADLINE_MS = 3000;
const MOST_BYTES = 1024 * 1024;
/** One look serves everybody who asks within it. */
const FRESH_MS = 10_000;

export interface TailnetProbe {
  look(): Promise<TailnetView>;
  /** Ends a look that is under way. */
  close(): void;
}

export function tailnetProbe(clock: Clock): TailnetProbe {
  const ending = new AbortController();
  let latest: { readonly atMs: number; readonly view: Promise<TailnetView> } | undefined;
  return {
    look() {
      const nowMs = clock.monotonicMs();
      if (!latest || nowMs - latest.atMs > FRESH_MS) latest = { atMs: nowMs, view: status(ending.signal).then((view) => ({ ...view, checkedAt: toTimestamp(clock.now()) })) };
      return latest.view;
    },
    close: () => ending.abort(),
  };
}

/** No shell, no arguments of anybody's, an environment of one variable, an end after three seconds. */
function status(signal: AbortSignal): Promise<TailnetView> {
  const { promise, resolve } = Promise.withResolvers<TailnetView>();
  execFile('tailscale', ['status', '--json', '--peers=false'], { env: { PATH: process.env['PATH'] ?? '' }, timeout: DEADLINE_MS, killSignal: 'SIGKILL', maxBuffer: MOST_BYTES, signal }, (error, stdout) => {
    if (error) resolve(refusal(error));
    else resolve(viewOf(stdout));
  });
  return promise;
}

function refusal(error: Error & { readonly code?: unknown; readonly killed?: boolean }): TailnetView {
  if (error.code === 'ENOENT') return { state: 'absent', problem: 'there is no program tailscale in the PATH of the host' };
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return failed(`tailscale printed more than ${MOST_BYTES} bytes`);
  if (error.killed) return failed(`tailscale gave no answer within ${DEADLINE_MS / 1000} seconds`);
  return failed(`tailscale ended with ${String(error.code)}`);
}

const failed = (problem: string): TailnetView => ({ state: 'failed', problem });

/** Only names and addresses of this machine; whatever else it says is nobody's business here. */
function viewOf(text: string): TailnetView {
  const told = parse(text);
  const state = told['BackendState'];
  if (typeof state !== 'string') return failed('what tailscale printed is no status');
  if (state !== 'Running') return { state: 'down', problem: `tailscale is ${state.slice(0, 40)}` };
  const self: Readonly<Record<string, unknown>> = { ...Object(told['Self']) };
  const name = typeof self['DNSName'] === 'string' ? self['DNSName'].replace(/\.$/, '').slice(0, 256) : undefined;
  const ips: readonly unknown[] = Array.isArray(self['TailscaleIPs']) ? self['TailscaleIPs'] : [];
  return { state: 'up', ...(name !== undefined && { name }), addresses: ips.filter((each): each is string => typeof each === 'string' && each.length <= 64).slice(0, 16) };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...Object(JSON.parse(text)) };
  } catch {
    return {}; // told above: no status
  }
}
