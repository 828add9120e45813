// The program: parses the command line and, for `start`, composes host, control plane and telemetry. Called by bin/gatehouse.js.
import { systemClock, toTimestamp } from './clock.ts';
import { createAnnouncer, type Announcer } from './cli/announce.ts';
import { runCli, type Serve } from './cli/cli.ts';
import type { ExitCode } from './cli/io.ts';
import { removeRunFile, writeRunFile } from './cli/run-file.ts';
import { loadConfig, type ResolvedConfig } from './config.ts';
import { publish } from './events.ts';
import { createLog, type Log } from './log.ts';
import { readCertificates } from './network/certificates.ts';
import { listenForStop, type StopRequest } from './cli/stop-request.ts';

/** Runs one command line; leaves its result as the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that went away (`gatehouse messages | head`) ends a command's output, never the host.
  process.stdout.on('error', ignoreBrokenPipe);
  process.stderr.on('error', ignoreBrokenPipe);
  process.exitCode = await runCli({ argv, streams: process, env: process.env, cwd: process.cwd(), serve });
  // Nothing should be left open. If something is, the result stands and the process does not stay for it.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

const LINGER_MS = 2000;

const serve: Serve = async ({ home, data, listen }, io) => {
  const config = loadConfig({ home, data, listen, env: io.env, cwd: io.cwd });
  readCertificates(config.policy, systemClock.now());
  const announcer = createAnnouncer(io);
  const log = createLog(logLevel(config, io.options.json));
  using stop = listenForStop({ clock: systemClock, env: io.env, exitNow: (code) => leaveNow(config, code) });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the host ends after a defect of its own');
    leaveNow(config, 1);
  });
  return await run({ config, log, announcer, stop });
};

interface Run {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly announcer: Announcer;
  readonly stop: StopRequest;
}

/** Start, announce, wait, stop; what was started is stopped in reverse, however this ends. */
async function run({ config, log, announcer, stop }: Run): Promise<ExitCode> {
  // Loaded here: commands that only talk to a host never pay for one.
  const [{ startHost, HostRefused }, { startControl }, { assertFree }, { createMetrics }, { logEvents }, { createTracing }] = await Promise.all([
    import('./host.ts'), import('./control/server.ts'), import('./control/listening.ts'), import('./telemetry/metrics.ts'), import('./telemetry/log-events.ts'), import('./telemetry/traces.ts'),
  ]);
  await using stack = new AsyncDisposableStack();
  stack.use(logEvents(log));
  for (const { host, scheme, port } of config.egress.allow) log.warn({ host, scheme, port }, 'egress exception by the operator');
  try {
    // Before anything starts: a port that is taken should be all there is to say.
    await assertFree(config.listen);
    const host = stack.use(await startHost({ config, log, clock: systemClock, tracing: createTracing({ clock: systemClock, sampleRatio: config.telemetry.traces.sampleRatio }) }));
    host.booted.catch((refusal: unknown) => log.debug({ err: refusal }, 'boot refused')); // told below; here so that it is never unhandled
    const metrics = stack.use(createMetrics(host));
    const control = stack.use(await startControl({ host, metrics }));
    stack.defer(() => removeRunFile(config.dataDir, process.pid));
    writeRunFile(config.dataDir, { pid: process.pid, address: control.address, startedAt: toTimestamp(host.startedAt) });
    const booted = await Promise.race([host.booted, stop.requested.then(() => undefined)]);
    if (booted) {
      announcer.ready({ address: control.address, pid: process.pid, home: config.home, plugins: booted });
      publish('host.ready', { address: control.address });
      stack.defer(announcer.follow());
    }
    const ended = await Promise.race([stop.requested.then((reason) => ({ reason, code: 0 as const })), host.lost.then((reason) => ({ reason, code: 3 as const }))]);
    const { reason } = ended;
    announcer.stopping(reason);
    await control.close();
    await host.stop(reason);
    await stack.disposeAsync();
    announcer.stopped();
    return ended.code;
  } catch (thrown) {
    if (!(thrown instanceof HostRefused)) throw thrown;
    announcer.refused(thrown.diagnostics);
    return 3;
  }
}

/** No more waiting: sandboxes end with this process, and the store is safe at every moment. */
function leaveNow(config: ResolvedConfig, code: number): never {
  removeRunFile(config.dataDir, process.pid);
  process.exit(code);
}

/** A person at a terminal reads the summary; the log's ordinary lines are for whoever keeps them. */
function logLevel({ log: { level } }: ResolvedConfig, json: boolean): ResolvedConfig['log']['level'] {
  return level === 'info' && process.stderr.isTTY && !json ? 'warn' : level;
}

function ignoreBrokenPipe(error: Error): void {
  if (!('code' in error && error.code === 'EPIPE')) throw error;
}
