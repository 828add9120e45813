// What `gatehouse test` does with a plugin: builds it, runs its own tests, loads it behind the walls of this machine, and has the scanner look through it. Called by commands/test.ts.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import type { PluginKind, PluginManifest } from '../../schemas/plugin-manifest.ts';
import { LIMITS } from '../../schemas/bounds.ts';
import { buildFiles, type BuiltFiles } from '../authoring/build.ts';
import { systemClock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { createLog } from '../log.ts';
import { resolvePluginConfig } from '../registry/plugin-config.ts';
import { surroundingsIn } from '../registry/scans.ts';
import { SandboxPool } from '../sandbox/pool.ts';
import { SCRIPT_FILE } from '../trust/package-names.ts';
import { scanRelease, worstInWords } from '../trust/scan/scan.ts';
import { packageDigest, subjectOf } from '../trust/statement.ts';
import { defaultInstance } from './enable-package.ts';

export interface SelfTestCheck {
  readonly name: 'build' | 'tests' | 'sandbox' | 'scan';
  /** Null: there was nothing to examine. */
  readonly ok: boolean | null;
  readonly detail: string;
  readonly durationMs: number;
  /** What a person reads to find the fault: the output of tests that failed. */
  readonly output?: string;
}

export interface SelfTest {
  readonly ok: boolean;
  readonly plugin: string | null;
  readonly version: string | null;
  readonly checks: readonly SelfTestCheck[];
}

type Outcome = Pick<SelfTestCheck, 'ok' | 'detail' | 'output'>;

/** Every check that could be made; after a build that failed there is nothing to check. Throws nothing that the plugin did wrong. */
export async function selfTest(dir: string, config: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): Promise<SelfTest> {
  let built: BuiltFiles | undefined;
  const build = await timed('build', async () => {
    built = await buildFiles(dir);
    const bytes = [...built.files.values()].reduce((sum, { length }) => sum + length, 0);
    return { ok: true, detail: [`${built.files.size} files, ${bytes} bytes`, ...built.warnings].join('; ') };
  });
  if (!built) return { ok: false, plugin: null, version: null, checks: [build] };
  const { manifest, files } = built;
  const checks = [build, await timed('tests', () => runTests(dir, env)), await timed('sandbox', () => load(manifest, files, config)), await timed('scan', () => scan(manifest, files))];
  return { ok: checks.every(({ ok }) => ok !== false), plugin: manifest.id, version: manifest.version, checks };
}

async function timed(name: SelfTestCheck['name'], examine: () => Promise<Outcome>): Promise<SelfTestCheck> {
  const startedMs = systemClock.monotonicMs();
  const outcome = await examine().catch((thrown: unknown): Outcome => {
    if (!(thrown instanceof GatehouseError)) throw thrown;
    return { ok: false, detail: [thrown.message, thrown.fix].join(' ') };
  });
  return { name, ...outcome, durationMs: Math.round(systemClock.monotonicMs() - startedMs) };
}

const TESTS = 'test/**/*.test.{ts,js,mjs}';
/** Of tests that hang. */
const TESTS_MS = 120_000;
const KEPT_CHARACTERS = 8000;

/** The author's own, on plain Node: they are the author's code, and confined by nothing. */
async function runTests(dir: string, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const files = globSync(TESTS, { cwd: dir });
  if (files.length === 0) return { ok: null, detail: `no ${TESTS}` };
  const { code, output } = await run(['--test', '--test-reporter=tap', ...files], dir, env);
  const count = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? Number.NaN);
  const [pass, fail] = [count('pass'), count('fail')];
  if (code === 0) return { ok: true, detail: `${pass} passed` };
  return { ok: false, detail: Number.isNaN(fail) ? `the tests ended with ${code ?? 'a signal'}` : `${fail} of ${pass + fail} failed`, output: output.slice(-KEPT_CHARACTERS) };
}

async function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: TESTS_MS, killSignal: 'SIGKILL', env: { ...env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: undefined } });
  let output = '';
  const keep = (text: string) => (output = (output + text).slice(-8 * KEPT_CHARACTERS));
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject).on('close', resolve);
  return { code: await promise, output };
}

/** What each kind must register; a channel registers the abilities of its manifest, which the load itself holds against it. */
const NEEDED: Readonly<Record<PluginKind, readonly string[]>> = { skill: ['respond'], moderation: ['evaluate'], tool: ['call'], channel: ['receive', 'send'] };

/** As a host would: the same walls, the same limits, a process of its own. */
async function load(manifest: PluginManifest, files: ReadonlyMap<string, Buffer>, given: Readonly<Record<string, unknown>>): Promise<Outcome> {
  const instance = defaultInstance(manifest.id);
  const config = resolvePluginConfig(instance, manifest.config, given);
  const limit = (name: keyof typeof LIMITS) => manifest.limits?.[name] ?? LIMITS[name].default;
  const limits = { heapMb: limit('heapMb'), cpuMsPerCall: limit('cpuMsPerCall'), wallMsPerCall: limit('wallMsPerCall'), concurrency: limit('concurrency') };
  await using pool = new SandboxPool({ warm: 0, clock: systemClock, log: createLog('error') });
  const sandbox = await pool.open(
    { instance, plugin: manifest.id, kind: manifest.kind, source: files.get(SCRIPT_FILE)?.toString('utf8') ?? '', config, limits, jitless: true, ...(manifest.channel ? { abilities: manifest.channel.abilities } : {}) },
    { onHostCall: async () => ({ ok: false, code: 'CAPABILITY_DENIED', message: 'nothing is granted while it loads' }), onLog: () => undefined },
  );
  const missing = NEEDED[manifest.kind].filter((handler) => !sandbox.handlers.includes(handler));
  const { level, cpuUs, handlers } = sandbox;
  await sandbox.stop(0);
  if (missing.length > 0) return { ok: false, detail: `it registers no ${missing.join(', ')}` };
  return { ok: true, detail: `loads behind ${level} in ${(cpuUs / 1000).toFixed(1)} ms of CPU; handlers: ${handlers.join(', ')}` };
}

async function scan(manifest: PluginManifest, files: ReadonlyMap<string, Buffer>): Promise<Outcome> {
  const subject = { packageDigest: packageDigest(subjectOf(files)), publisher: manifest.publisher };
  const found = await scanRelease(files, manifest, { ...surroundingsIn({ trust: {}, records: [], installed: [], isSettled: false }, subject), now: systemClock.now() });
  return { ok: found.outcome !== 'block', detail: found.outcome === 'pass' ? `risk ${found.risk}` : `risk ${found.risk}: ${worstInWords(found)}` };
}
