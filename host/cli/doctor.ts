// What `gatehouse doctor` examines: machine, home, data directory. One function a question, each answering with what it found and what to do. Called by commands/doctor.ts.
import { existsSync } from 'node:fs';
import { open, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readAdminToken } from '../control/admin-token.ts';
import type { Clock } from '../clock.ts';
import { OVERRIDE_NAMES, httpAddress, isLoopback, type ResolvedConfig } from '../config.ts';
import { problemOf } from '../errors.ts';
import { ConfinedProcess } from '../sandbox/confined-process.ts';
import { WALLS, detectConfinement } from '../sandbox/confinement.ts';
import { loadTrust } from '../trust/trust-store.ts';
import { storeFolder, surveyFiles } from './files-survey.ts';
import { isAlive, readRunFile } from './run-file.ts';
import { publisherFolders } from './trust-context.ts';

export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failure';
  readonly detail: string;
  /** What to do; absent when there is nothing to. */
  readonly fix?: string;
}

export interface Patient {
  readonly config: ResolvedConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

type Examination = (patient: Patient) => Promise<Finding[]> | Finding[];

/** In the order a person would look. */
const EXAMINATIONS: Readonly<Record<string, Examination>> = { node: nodeVersion, settings, address, home: startWouldSucceed, trust, data: dataDirectory, disk, confinement, host: runningHost };

/** Every finding; a question that cannot be answered is a failure of its own. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const answers = await Promise.all(
    Object.entries(EXAMINATIONS).map(async ([check, ask]) => {
      try {
        return await ask(patient);
      } catch (thrown) {
        return [{ check, state: 'failure', detail: problemOf(thrown) } satisfies Finding];
      }
    }),
  );
  return answers.flat();
}

const NEEDED_MAJOR = 24;

function nodeVersion(): Finding[] {
  const { node } = process.versions;
  if (Number(node.split('.')[0]) >= NEEDED_MAJOR) return [ok('node', `Node.js ${node}`)];
  return [{ check: 'node', state: 'failure', detail: `Node.js ${node}`, fix: `Use Node.js ${NEEDED_MAJOR} or newer.` }];
}

function settings({ config, env }: Patient): Finding[] {
  const overrides = OVERRIDE_NAMES.filter((name) => env[name] !== undefined);
  const from = overrides.length === 0 ? 'manifests/host.json' : `manifests/host.json and ${overrides.join(', ')}`;
  return [ok('settings', `profile ${config.profile}${config.strict ? ', strict' : ''}, from ${from}`)];
}

function address({ config: { listen, hosts, egress } }: Patient): Finding[] {
  const everywhere = listen.host === '0.0.0.0' || listen.host === '::';
  return [
    everywhere && hosts.length === 0
      ? { check: 'address', state: 'warning', detail: `it listens on every address, but answers only to loopback names`, fix: 'List the names it is reached by in `hosts` of manifests/host.json.' }
      : ok('address', `${httpAddress(listen)}${isLoopback(listen.host) ? ', this machine only' : ''}`),
    ...(egress.allow.length === 0 ? [] : [{ check: 'egress', state: 'warning', detail: `plugins may be given ${egress.allow.map(({ scheme, host, port }) => `${scheme}://${host}:${port}`).join(', ')} although they are not public https addresses`, fix: 'Remove egress.allow from manifests/host.json when it is no longer needed.' } satisfies Finding]),
  ];
}

async function startWouldSucceed({ config, env }: Patient): Promise<Finding[]> {
  const { diagnostics, plugins } = await surveyFiles(config, env);
  if (diagnostics.length === 0) return [ok('plugins', `${plugins.length} would start`)];
  return diagnostics.map(({ severity, code, message, fix }) => ({ check: 'plugins', state: severity === 'fatal' ? 'failure' : 'warning', detail: `${code}: ${message}`, fix }));
}

const EXPIRES_SOON_MS = 30 * 24 * 3600 * 1000;

async function trust({ config, clock }: Patient): Promise<Finding[]> {
  const { store, diagnostics } = await loadTrust(publisherFolders(config));
  const keys = store.records.flatMap(({ record }) => record.keys.map((key) => ({ publisher: record.publisher, ...key })));
  const ending = keys.filter(({ notAfter }) => notAfter !== undefined && Date.parse(notAfter) < clock.now() + EXPIRES_SOON_MS);
  return [
    ok('trust', keys.length === 0 ? 'nobody is trusted yet' : `${keys.length} keys of ${store.records.map(({ record }) => record.publisher).join(', ')}${keys.some(({ development }) => development) ? ', development keys among them' : ''}`),
    ...ending.map(({ publisher, keyid, notAfter }): Finding => ({ check: 'trust', state: 'warning', detail: `the key ${keyid} of ${publisher} ends ${notAfter}`, fix: `Obtain the new trust record of ${publisher} and add it with \`gatehouse trust add FILE\`.` })),
    ...diagnostics.map(({ message, fix }): Finding => ({ check: 'trust', state: 'failure', detail: message, fix })),
  ];
}

/** What nobody but the host's user may read. */
const PRIVATE: Readonly<Record<string, number>> = { '': 0o700, store: 0o700, 'admin-token': 0o600, keys: 0o700, 'run.json': 0o600 };

async function dataDirectory({ config: { dataDir } }: Patient): Promise<Finding[]> {
  if (!existsSync(dataDir)) return [ok('data', `${dataDir} is made at the first start`)];
  const findings: Finding[] = [];
  for (const [name, mode] of Object.entries(PRIVATE)) {
    const path = join(dataDir, name);
    if (!existsSync(path)) continue;
    const found = (await stat(path)).mode & 0o777;
    if ((found & ~mode) !== 0) findings.push({ check: 'data', state: 'failure', detail: `${path} has mode ${found.toString(8)}: others may use it`, fix: `chmod ${mode.toString(8)} ${path}` });
  }
  if (existsSync(storeFolder(dataDir)) && readAdminToken(dataDir) === undefined) findings.push({ check: 'data', state: 'warning', detail: 'there is no admin token', fix: 'Start the host: it writes a new one, and the old one stops working.' });
  return findings.length === 0 ? [ok('data', `${dataDir} is private`)] : findings;
}

const FLUSHES = 32;
const FLUSH_BYTES = 4096;
const SLOW_FLUSH_MS = 20;
const LEAST_FREE_BYTES = 1024 ** 3;

/** Every accepted message waits for the disk three times: how long one flush takes is what the host can do at best. */
async function disk({ config: { dataDir }, clock }: Patient): Promise<Finding[]> {
  const folder = nearestFolder(dataDir);
  const flushMs = await medianFlushMs(join(folder, `.flush-${process.pid}`), clock);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  return [
    flushMs < SLOW_FLUSH_MS
      ? ok('disk', `a flush takes ${flushMs.toFixed(2)} ms`)
      : { check: 'disk', state: 'warning', detail: `a flush takes ${flushMs.toFixed(1)} ms: a message alone takes ${Math.round(6 * flushMs)} ms`, fix: 'Put the data directory on a faster disk with `dataDir` or --data.' },
    free > LEAST_FREE_BYTES ? ok('disk', `${(free / 1024 ** 3).toFixed(1)} GiB free`) : { check: 'disk', state: 'warning', detail: `${Math.round(free / 1024 ** 2)} MiB free`, fix: 'Make room, or move the data directory with `dataDir` or --data.' },
  ];
}

async function medianFlushMs(path: string, clock: Clock): Promise<number> {
  const times: number[] = [];
  try {
    await using file = await open(path, 'wx', 0o600);
    const block = Buffer.alloc(FLUSH_BYTES, 1);
    for (let flush = 0; flush < FLUSHES; flush += 1) {
      const startedMs = clock.monotonicMs();
      await file.write(block, 0, FLUSH_BYTES, flush * FLUSH_BYTES);
      await file.datasync();
      times.push(clock.monotonicMs() - startedMs);
    }
  } finally {
    await rm(path, { force: true });
  }
  return times.toSorted((a, b) => a - b)[FLUSHES / 2] ?? 0;
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

/** Starts a sandbox as the host would, and ends it. */
async function confinement(): Promise<Finding[]> {
  const { commands, started } = await detectConfinement((attempt) => ConfinedProcess.start(attempt.command({ jitless: true })));
  started.kill();
  await started.ended;
  const { name, missing } = commands.level;
  return [ok('confinement', name), ...missing.map(({ wall, why }): Finding => ({ check: 'confinement', state: 'warning', detail: `without ${wall} (${WALLS[wall]}): ${why}`, fix: 'See the section on confinement in docs/operate.md.' }))];
}

function runningHost({ config: { dataDir } }: Patient): Finding[] {
  const run = readRunFile(dataDir);
  if (!run) return [ok('host', 'no host is running')];
  if (isAlive(run.pid)) return [ok('host', `running at ${run.address}, process ${run.pid}`)];
  return [{ check: 'host', state: 'warning', detail: `process ${run.pid} ended without a goodbye`, fix: 'Nothing to do: the next start takes over what it left.' }];
}

const ok = (check: string, detail: string): Finding => ({ check, state: 'ok', detail });
