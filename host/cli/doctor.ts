// What `gatehouse doctor` examines: machine, home, data directory. One function a question, each answering with what it found and what to do. Called by commands/doctor.ts.
import { existsSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readAdminToken } from '../control/admin-token.ts';
import type { Clock } from '../clock.ts';
import { OVERRIDE_NAMES, httpAddress, isLoopback, publisherFolders, type ResolvedConfig } from '../config.ts';
import { problemOf } from '../errors.ts';
import { listensEverywhere } from '../network/addresses.ts';
import { daysLeft, readCertificates } from '../network/certificates.ts';
import { examineConfinement } from '../sandbox/demand.ts';
import { PROVIDERS, WALLS } from '../sandbox/walls.ts';
import { loadTrust } from '../trust/trust-store.ts';
import { storeFolder, surveyFiles } from './files-survey.ts';
import { examineStore } from './doctor-store.ts';
import { clockBehindMs, clockJumpMs, openFilesLimit } from './machine-state.ts';
import { isAlive, readRunFile } from './run-file.ts';
import { looseAdminToken, looseData } from './security/file-modes.ts';
import { certificateTroubles } from './security/network.ts';
import { keysThatEnd } from './security/trusted-releases.ts';

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
  /** Every row of the store, however long it takes. */
  readonly deep?: boolean;
}

type Examination = (patient: Patient) => Promise<Finding[]> | Finding[];

/** In the order a person would look. */
const EXAMINATIONS: Readonly<Record<string, Examination>> = { node: nodeVersion, settings, address, tls, home: startWouldSucceed, trust, data: dataDirectory, store: ({ config: { dataDir }, clock, deep = false }) => examineStore(storeFolder(dataDir), { clock, deep }), disk, clock: clockGoesOn, limits, confinement, host: runningHost };

/** Every finding; a question that cannot be answered is a failure of its own. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const answers = await Promise.all(
    Object.entries(EXAMINATIONS).map(async ([check, ask]) => {
      try {
        return await ask(patient);
      } catch (thrown) {
        return [failure(check, problemOf(thrown), 'This could not be examined; the reason is above.')];
      }
    }),
  );
  return answers.flat();
}

const NEEDED_MAJOR = 24;

function nodeVersion(): Finding[] {
  const { node } = process.versions;
  const isNew = Number(node.split('.')[0]) >= NEEDED_MAJOR;
  return [isNew ? ok('node', `Node.js ${node}`) : failure('node', `Node.js ${node}`, `Use Node.js ${NEEDED_MAJOR} or newer.`)];
}

function settings({ config, env }: Patient): Finding[] {
  const overrides = OVERRIDE_NAMES.filter((name) => env[name] !== undefined);
  const from = ['manifests/host.json', ...overrides].join(', ');
  return [ok('settings', `profile ${config.profile}${config.strict ? ', strict' : ''}, from ${from}`)];
}

function address({ config: { listen, hosts, egress, policy } }: Patient): Finding[] {
  const isEverywhere = listensEverywhere(listen.host);
  const findings =
    isEverywhere && hosts.length === 0
      ? [warning('address', 'it listens on every address, and answers to no name but those of loopback', 'List the names it is reached by in `hosts` of manifests/host.json.')]
      : [ok('address', `${httpAddress(listen, policy.tls ? 'https' : 'http')} (bind ${policy.bind.mode})${isLoopback(listen.host) ? `, this machine only${policy.funnel ? ', and a public tunnel' : ''}` : ''}${policy.trustedProxies.length > 0 ? `, behind ${policy.trustedProxies.join(' and ')}` : ''}`)];
  if (egress.allow.length > 0) {
    const exceptions = egress.allow.map(({ scheme, host, port }) => `${scheme}://${host}:${port}`).join(', ');
    findings.push(warning('egress', `plugins may be given ${exceptions}, which need not be public https addresses`, 'Remove egress.allow from manifests/host.json when it is no longer needed.'));
  }
  return findings;
}

function tls({ config: { policy }, clock }: Patient): Finding[] {
  const troubles = certificateTroubles(policy, clock);
  if (troubles.length > 0) return troubles.map(({ found, fix }) => failure('tls', found, fix));
  const leaf = readCertificates(policy, clock.now())?.leaf;
  if (!leaf) return [];
  const asked = policy.mtls ? `, client certificates: ${policy.mtls.mode} for ${policy.mtls.for.join(', ')}` : '';
  return [ok('tls', `${leaf.subject}, from ${policy.tls?.minVersion}, ends in ${daysLeft(leaf, clock.now())} days${asked}`)];
}

async function startWouldSucceed({ config, env }: Patient): Promise<Finding[]> {
  const { diagnostics, plugins } = await surveyFiles(config, env);
  if (diagnostics.length === 0) return [ok('plugins', `${plugins.length} would start`)];
  return diagnostics.map(({ severity, code, message, fix }) => (severity === 'fatal' ? failure : warning)('plugins', `${code}: ${message}`, fix));
}

async function trust({ config, clock }: Patient): Promise<Finding[]> {
  const { store, diagnostics } = await loadTrust(publisherFolders(config));
  const keys = store.records.flatMap(({ record }) => record.keys.map((key) => ({ publisher: record.publisher, ...key })));
  const holders = store.records.map(({ record: { publisher: name, keys: own }, source }) => ({ name, keys: own, source }));
  const publishers = store.records.map(({ record }) => record.publisher).join(', ');
  const development = keys.some((key) => key.development) ? ', development keys among them' : '';
  return [
    ok('trust', keys.length === 0 ? 'nobody is trusted yet' : `${keys.length} ${keys.length === 1 ? 'key' : 'keys'} of ${publishers}${development}`),
    ...keysThatEnd(holders, clock.now()).map(({ name: publisher, keyid, notAfter }) => warning('trust', `the key ${keyid} of ${publisher} ends ${notAfter}`, `Obtain the new trust record of ${publisher} and add it with \`gatehouse trust add FILE\`.`)),
    ...diagnostics.map(({ message, fix }) => failure('trust', message, fix)),
  ];
}

async function dataDirectory({ config: { dataDir } }: Patient): Promise<Finding[]> {
  if (!existsSync(dataDir)) return [ok('data', `${dataDir} is made at the first start`)];
  const findings = [...(await looseData(dataDir)), ...(await looseAdminToken(dataDir))].map(({ where, found, fix }) => failure('data', `${where} has ${found}`, fix));
  const wasStarted = existsSync(storeFolder(dataDir));
  if (wasStarted && readAdminToken(dataDir) === undefined) findings.push(warning('data', 'there is no admin token', 'Start the host: it writes a new one, and the old one stops working.'));
  return findings.length === 0 ? [ok('data', `${dataDir} is private`)] : findings;
}

const FLUSHES = 32;
const FLUSH_BYTES = 4096;
const SLOW_FLUSH_MS = 20;
/** Three durable commits a message, two flushes a commit. */
const FLUSHES_PER_MESSAGE = 6;
const GIBIBYTE = 1024 ** 3;

/** Every accepted message waits for the disk: how long one flush takes is what the host can do at best. */
async function disk({ config: { dataDir }, clock }: Patient): Promise<Finding[]> {
  const folder = nearestFolder(dataDir);
  const flushMs = await medianFlushMs(join(folder, `.flush-${process.pid}`), clock);
  const { bavail, bsize } = await statfs(folder);
  const freeGib = (bavail * bsize) / GIBIBYTE;
  const elsewhere = 'with `dataDir` or --data';
  return [
    flushMs < SLOW_FLUSH_MS
      ? ok('disk', `a flush takes ${flushMs.toFixed(2)} ms`)
      : warning('disk', `a flush takes ${flushMs.toFixed(1)} ms, so a message alone takes ${Math.round(FLUSHES_PER_MESSAGE * flushMs)}`, `Put the data directory on a faster disk ${elsewhere}.`),
    freeGib > 1 ? ok('disk', `${freeGib.toFixed(1)} GiB free`) : warning('disk', `${freeGib.toFixed(2)} GiB free`, `Make room, or move the data directory ${elsewhere}.`),
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

/** Expiries, ages and orders are told by it. */
function clockGoesOn({ config: { dataDir }, clock }: Patient): Finding[] {
  const behindMs = clockBehindMs(storeFolder(dataDir), clock);
  if (behindMs === undefined) return [ok('clock', 'not behind what the store was written at')];
  return [warning('clock', `it is ${Math.round(behindMs / 1000)} s behind the last write of the store`, 'Set it, and have it kept by NTP (`timedatectl set-ntp true`): until then keys, tokens and waiting messages are judged by a wrong time.')];
}

/** Each sandbox takes a handful, each connection one. */
const NEEDED_FILES = 4096;

function limits(): Finding[] {
  const files = openFilesLimit();
  if (files === undefined) return [];
  if (files >= NEEDED_FILES) return [ok('limits', `${files} files may be open`)];
  return [warning('limits', `only ${files} files may be open`, `Raise it to ${NEEDED_FILES} or more: \`ulimit -n ${NEEDED_FILES}\`, or LimitNOFILE= of the service.`)];
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

/** Starts a sandbox as the host would, and ends it. What strict demands is a finding; what would be better to have, a warning. */
async function confinement({ config }: Patient): Promise<Finding[]> {
  const { level, diagnostics } = await examineConfinement(config);
  return [
    ...(level ? [ok('confinement', level.name)] : []),
    ...diagnostics.map(({ severity, code, message, fix }) => (severity === 'fatal' ? failure : warning)('confinement', `${code}: ${message}`, fix)),
    ...(level?.missing ?? []).map(({ wall, why }) => warning('confinement', `without ${wall} (${WALLS[wall]}): ${why}`, `It comes with ${PROVIDERS[wall]}. See the section on confinement in docs/operate.md.`)),
  ];
}

function runningHost({ config: { dataDir }, clock }: Patient): Finding[] {
  const run = readRunFile(dataDir);
  if (!run) return [ok('host', 'no host is running')];
  if (isAlive(run.pid)) {
    const jumpMs = clockJumpMs(run.pid, Date.parse(run.startedAt), clock);
    return [
      ok('host', `running at ${run.address}, process ${run.pid}`),
      ...(jumpMs === undefined ? [] : [warning('clock', `it was set ${jumpMs > 0 ? 'forward' : 'back'} by ${Math.abs(Math.round(jumpMs / 1000))} s since the host started`, 'Have it kept by NTP (`timedatectl set-ntp true`), see that keys and tokens have not ended before their time, and restart the host when the clock is right.')]),
    ];
  }
  return [warning('host', `process ${run.pid} ended without a goodbye`, 'Nothing to do: the next start takes over what it left.')];
}

const ok = (check: string, detail: string): Finding => ({ check, state: 'ok', detail });
const warning = (check: string, detail: string, fix: string): Finding => ({ check, state: 'warning', detail, fix });
const failure = (check: string, detail: string, fix: string): Finding => ({ check, state: 'failure', detail, fix });
