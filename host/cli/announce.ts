// What a running host says on stdout: one JSON object a line with --json, a calm summary for people. Called by main.ts.
import type { DegradedPlugin, Diagnostic } from '../../schemas/control.ts';
import { remedyOf } from '../errors.ts';
import { subscribe, type Events } from '../events.ts';
import { VERSION } from '../version.ts';
import { plainLine, type Io } from './io.ts';
import { changeLine } from './reload-lines.ts';
import { diagnosticLines } from './diagnostic-lines.ts';

export interface Ready {
  readonly address: string;
  readonly pid: number;
  readonly home: string;
  readonly plugins: { readonly active: readonly string[]; readonly degraded: readonly DegradedPlugin[] };
}

export interface Announcer {
  ready(ready: Ready): void;
  /** From now on, each change of a plugin's state; ends with the returned function. */
  follow(): () => void;
  stopping(reason: string): void;
  stopped(): void;
  refused(diagnostics: readonly Diagnostic[]): void;
}

export function createAnnouncer(io: Io): Announcer {
  return io.options.json ? forScripts(io) : forPeople(io);
}

function forScripts(io: Io): Announcer {
  const line = (event: object) => io.line(JSON.stringify(event));
  return {
    ready: ({ address, pid, plugins }) => line({ event: 'ready', address, pid, plugins }),
    follow: () => both(
      subscribe('plugin.state', (change) => line(pluginEvent(change))),
      subscribe('reload.judged', (judged) => line({ event: 'reload', ...judged })),
    ),
    stopping: (reason) => line({ event: 'stopping', reason }),
    stopped: () => line({ event: 'stopped' }),
    refused: (diagnostics) => line({ event: 'refused', diagnostics }),
  };
}

const pluginEvent = ({ instance, plugin, from, to, actor, reason, code }: Events['plugin.state']) => ({ event: 'plugin', instance, plugin, state: to, from, actor, reason, ...(code === undefined ? {} : { code }) });

/** States a person should hear of as they happen; the others come and go. */
const TOLD = new Set(['impaired', 'backoff', 'quarantined', 'revoked', 'rejected', 'disabled']);

function forPeople(io: Io): Announcer {
  const troubled = new Set<string>();
  let unread: ReadonlySet<string> = new Set();
  return {
    ready({ address, home, plugins: { active, degraded } }) {
      io.line(`${io.tone('bold', `Gatehouse ${VERSION}`)}  ${io.tone('cyan', address)}`);
      io.line(`  home      ${home}`);
      io.line(`  active    ${active.length === 0 ? 'no plugins' : active.join(', ')}`);
      for (const { instance, state, code, message } of degraded) {
        io.line(`  ${io.tone('yellow', 'degraded')}  ${instance} is ${state}: ${plainLine(message, 300)} (${code})`);
        io.line(`            ${io.tone('dim', remedyOf(code) ?? '`gatehouse check` says what to do.')}`);
      }
      io.line(active.includes('webchat') ? `Dashboard: ${address}/  Chat: ${address}/channels/webchat/  Ctrl-C stops.` : `Dashboard: ${address}/  Ctrl-C stops.`);
    },
    follow: () => both(
      subscribe('plugin.state', ({ instance, to, reason, code }) => {
        if (TOLD.has(to)) {
          troubled.add(instance);
          io.line(`${io.tone('yellow', instance)} is ${to}: ${plainLine(reason, 300)}${code === undefined ? '' : ` (${code})`}`);
        } else if (to === 'active' && troubled.delete(instance)) io.line(`${io.tone('green', instance)} is active again`);
      }),
      subscribe('reload.judged', ({ changes, refused }) => {
        for (const change of changes) io.line(plainLine(changeLine(change), 300));
        // What concerns an instance is told by its state; what concerns a file that nobody can read, here.
        for (const { instance, message, code } of refused) if (instance === undefined && !unread.has(message)) io.line(`${plainLine(message, 300)} (${code})`);
        unread = new Set(refused.map(({ message }) => message));
      }),
    ),
    stopping: (reason) => io.line(`Stopping: ${reason}.`),
    stopped: () => io.line('Stopped.'),
    refused: (diagnostics) => io.say(`${io.tone('red', 'The host does not start.')}\n${diagnosticLines(io, diagnostics)}`),
  };
}

const both = (...ends: readonly (() => void)[]) => () => ends.forEach((end) => end());
