// The operator's settings, read once: default < manifests/host.json < GATEHOUSE_<PATH> < flag. Called by the command line, before anything starts.
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { IsObject, type TObject, type TSchema } from 'typebox';
import { BOUNDS } from '../schemas/bounds.ts';
import type { CostSettings } from '../schemas/costs.ts';
import { HostConfig, type IdentityLinks, type PipelineSettings, type Profile } from '../schemas/host-config.ts';
import type { DiscoveryPolicy } from '../schemas/discovery.ts';
import type { NetworkSettings, SettingSource } from '../schemas/network.ts';
import type { RetentionSettings } from '../schemas/retention.ts';
import type { TrustPolicy } from '../schemas/trust-policy.ts';
import { GatehouseError, problemOf } from './errors.ts';
import { nearestOf } from './nearest.ts';
import type { Interfaces } from './network/bind.ts';
import { resolveNetwork, type NetworkPolicy } from './network/policy.ts';
import { unsafeIn } from './network/unsafe.ts';
import { compileSchema, parseDocument } from './schema.ts';
import { timeZone } from './time-zone.ts';

/** Settings with every default applied and every path absolute. */
export interface ResolvedConfig {
  readonly home: string;
  readonly dataDir: string;
  readonly manifestsDir: string;
  /** What the home itself calls its data directory; differs from `dataDir` under --data. */
  readonly homeDataDir: string;
  /** Where it listens: `listen` as `network.bind` means it. */
  readonly listen: { readonly host: string; readonly port: number };
  /** What `network` and the profile come to. */
  readonly policy: NetworkPolicy;
  readonly network: NetworkSettings;
  readonly discovery: DiscoveryPolicy;
  readonly hosts: readonly string[];
  readonly profile: Profile;
  readonly strict: boolean;
  readonly collision: 'reject' | 'first' | 'last';
  readonly boot: { readonly deadlineMs: number };
  readonly egress: { readonly allow: readonly { host: string; scheme: 'http' | 'https'; port: number; address?: string }[] };
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
  readonly sandbox: { readonly warm: number; readonly jitless: boolean; readonly mostRunning: number; readonly hibernateAfterMs: number };
  readonly reload: { readonly watch: boolean; readonly quietMs: number; readonly mostMs: number };
  readonly pipeline: PipelineSettings;
  readonly costs: Required<CostSettings>;
  readonly retention: RetentionSettings;
  readonly identities: IdentityLinks;
  readonly trust: TrustPolicy;
  readonly telemetry: { readonly traces: { readonly sampleRatio: number; readonly propagateTo: readonly string[] } };
}

export interface ConfigSources {
  /** As `findHome` returned it. */
  readonly home: string;
  /** What errors call host.json. Default: its path, which tells of the machine. */
  readonly called?: string;
  /** --data, relative to `cwd`. */
  readonly data?: string | undefined;
  /** --listen HOST:PORT. */
  readonly listen?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Of this machine. Default: those it has. */
  readonly interfaces?: Interfaces;
}

export const hostConfigPath = (home: string) => join(home, 'manifests', 'host.json');

/** --home, else GATEHOUSE_HOME, else the current directory. Throws HOME_NOT_FOUND unless it holds manifests/host.json. */
export function findHome({ home, env, cwd }: { readonly home?: string | undefined; readonly env: NodeJS.ProcessEnv; readonly cwd: string }): string {
  const found = resolve(cwd, home ?? (env['GATEHOUSE_HOME'] || '.'));
  if (!existsSync(hostConfigPath(found))) throw new GatehouseError('HOME_NOT_FOUND', { home: found });
  return found;
}

/** Throws JSON_* and SCHEMA_* for the file, CONFIG_OVERRIDE for the environment, USAGE for a flag, CONFIG_UNSAFE for what must not run, unless `onUnsafe` takes that. */
export function loadConfig(sources: ConfigSources, onUnsafe: OnUnsafe = refuseToRun): ResolvedConfig {
  return configIn(readFileSync(hostConfigPath(sources.home)), sources, onUnsafe);
}

/** What these bytes would be as host.json of the home. Throws as `loadConfig` does. */
export function configIn(bytes: Uint8Array, sources: ConfigSources, onUnsafe: OnUnsafe = refuseToRun): ResolvedConfig {
  const { settings, written } = settingsIn(bytes, sources);
  const listen = parseListen(sources.listen ?? settings.listen);
  const hosts = settings.hosts.map((name) => name.toLowerCase());
  const policy = resolveNetwork({ home: sources.home, profile: settings.profile, listen, hosts, network: settings.network, interfaces: sources.interfaces ?? networkInterfaces(), sourceOf: sourcesOf(written, sources) });
  const config: ResolvedConfig = {
    home: sources.home,
    dataDir: sources.data === undefined ? resolve(sources.home, settings.dataDir) : resolve(sources.cwd, sources.data),
    manifestsDir: join(sources.home, 'manifests'),
    homeDataDir: resolve(sources.home, settings.dataDir),
    listen: { host: policy.bind.host, port: policy.bind.port },
    policy,
    network: settings.network,
    discovery: settings.discovery,
    hosts,
    profile: settings.profile,
    strict: settings.strict,
    collision: settings.collision,
    boot: settings.boot,
    egress: settings.egress,
    log: settings.log,
    sandbox: settings.sandbox,
    reload: settings.reload,
    pipeline: settings.pipeline,
    costs: settings.costs,
    retention: settings.retention,
    identities: settings.identities,
    trust: settings.trust,
    telemetry: settings.telemetry,
  };
  refuseUnsafe(config, onUnsafe);
  return config;
}

type OnUnsafe = (error: GatehouseError) => void;

const refuseToRun: OnUnsafe = (error) => {
  throw error;
};

/** Who is who by these bytes of host.json, for a host that runs. Throws as `loadConfig` does. */
export function identitiesOf(bytes: Uint8Array, sources: Pick<ConfigSources, 'home' | 'env'>): IdentityLinks {
  const { identities } = settingsIn(bytes, sources).settings;
  refuseTwiceLinked(identities, refuseToRun);
  return identities;
}

/** The trust policy of these bytes of host.json, for a host that runs. Throws as `loadConfig` does. */
export function trustPolicyOf(bytes: Uint8Array, sources: Pick<ConfigSources, 'home' | 'env'>): TrustPolicy {
  return settingsIn(bytes, sources).settings.trust;
}

/** Settings with every default and override applied, and the file as it is written. */
function settingsIn(bytes: Uint8Array, { home, env, called = hostConfigPath(home) }: Pick<ConfigSources, 'home' | 'env' | 'called'>): { readonly settings: Settings; readonly written: HostConfig } {
  const written = parseDocument(bytes, hostConfig, { source: called, maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth });
  const settings = withDefaults(HostConfig, overridden(written, env));
  if (!complete.is(settings)) throw new GatehouseError('INTERNAL', { problem: `the defaults do not fit their schema at ${complete.explain(settings)?.path}` });
  return { settings, written };
}

/** Who said what stands at a path: the flag, the environment, the file, or nobody. */
function sourcesOf(written: HostConfig, { env, listen }: Pick<ConfigSources, 'env' | 'listen'>): (path: string) => SettingSource {
  const overrides = new Set(overridesIn(env).map(({ path }) => path));
  return (path) => {
    if (path === 'listen' && listen !== undefined) return 'flag';
    if (overrides.has(path)) return 'environment';
    return path.split('.').reduce<unknown>((value, key) => Object(value)[key], written) === undefined ? 'default' : 'file';
  };
}

/** What the schema describes, with nothing missing. */
type Settings = Omit<ResolvedConfig, 'home' | 'manifestsDir' | 'homeDataDir' | 'policy' | 'listen'> & { readonly listen: string };

/**
 * Where trust records stand: what the operator edits, and what first-party builds put into the data directory. A data directory named for one run, which has none
 * of its own, goes by the home's.
 */
export function publisherFolders({ manifestsDir, dataDir, homeDataDir }: Pick<ResolvedConfig, 'manifestsDir' | 'dataDir' | 'homeDataDir'>): string[] {
  const own = join(dataDir, 'trust', 'publishers');
  return [join(manifestsDir, 'trust', 'publishers'), existsSync(own) ? own : join(homeDataDir, 'trust', 'publishers')];
}

/** `host:port`, with an IPv6 address in brackets; port 0 asks for any free one. */
function parseListen(text: string): ResolvedConfig['listen'] {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) throw new GatehouseError('USAGE', { problem: `The address to listen on, '${text}', is not HOST:PORT` });
  return { host: host.toLowerCase(), port };
}

export { isLoopback } from './network/addresses.ts';

/** `http://127.0.0.1:4280`, with brackets where the address needs them. */
export function httpAddress({ host, port }: ResolvedConfig['listen'], scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Combinations nobody should find out about afterwards. */
function refuseUnsafe({ profile, policy, network, discovery, egress, pipeline, identities }: ResolvedConfig, onUnsafe: OnUnsafe): void {
  const refuse = (problem: string, remedy: string) => onUnsafe(new GatehouseError('CONFIG_UNSAFE', { problem, remedy }));
  for (const { problem, remedy } of unsafeIn({ policy, network, isAnnounced: discovery.mdns.enabled })) refuse(problem, remedy);
  for (const { host, address } of egress.allow) {
    const written = URL.parse(`http://${host}`)?.hostname;
    if (written !== host) refuse(`egress.allow names '${host}', and no URL ever has that host`, written === undefined ? 'Correct it in manifests/host.json.' : `Write '${written}' in manifests/host.json.`);
    if (address !== undefined && isIP(address) === 0) refuse(`egress.allow pins '${host}' to '${address}', which is no IP address`, 'Correct it in manifests/host.json.');
  }
  const zone = pipeline.session?.reset?.timeZone;
  if (zone !== undefined && !timeZone(zone)) refuse(`pipeline.session.reset names the time zone '${zone}', which this host does not know`, 'Write a name of the IANA time zone database, such as Europe/Berlin, in manifests/host.json.');
  refuseTwiceLinked(identities, onUnsafe);
  if (profile !== 'internet') return;
  const [exception] = egress.allow;
  if (exception) refuse(`profile internet permits no exceptions, and egress.allow names ${exception.host}`, 'Remove egress.allow from manifests/host.json.');
}

/** A sender is one person. */
function refuseTwiceLinked(links: IdentityLinks, onUnsafe: OnUnsafe): void {
  const seen = new Map<string, string>();
  for (const [identity, senders] of Object.entries(links)) {
    for (const sender of senders) {
      const one = seen.get(sender);
      if (one !== undefined) onUnsafe(new GatehouseError('CONFIG_UNSAFE', { problem: `identities link '${sender}' to '${one}' and to '${identity}'`, remedy: 'Leave it with one of them in manifests/host.json.' }));
      seen.set(sender, identity);
    }
  }
}

// ---- the schema read as data: defaults and environment names both come from it

function withDefaults(schema: TSchema, value: unknown): unknown {
  if (!IsObject(schema)) return value ?? ('default' in schema ? schema.default : undefined);
  const given: Readonly<Record<string, unknown>> = { ...Object(value) };
  return Object.fromEntries(Object.entries(schema.properties).map(([key, child]) => [key, withDefaults(child, given[key])]));
}

interface Override {
  readonly name: string;
  readonly path: readonly string[];
  readonly schema: TSchema;
}

function overridesOf(schema: TObject, path: readonly string[] = []): Override[] {
  return Object.entries(schema.properties).flatMap(([key, child]) => {
    if (key === '$schema') return [];
    const here = [...path, key];
    return IsObject(child) ? overridesOf(child, here) : [{ name: `GATEHOUSE_${here.join('_').toUpperCase()}`, path: here, schema: child }];
  });
}

const OVERRIDES = overridesOf(HostConfig);
const hostConfig = compileSchema(HostConfig);
/** The same check says more of a document that `withDefaults` has been through: nothing is missing. */
const complete = compileSchema<Settings>(HostConfig);

/** The settings that the environment decides, whatever host.json says. */
export const overridesIn = (env: NodeJS.ProcessEnv): readonly { readonly name: string; readonly path: string }[] =>
  OVERRIDES.filter(({ name }) => env[name] !== undefined).map(({ name, path }) => ({ name, path: path.join('.') }));

/** Names of the environment variables that override a setting, as docs and doctor show them. */
export const OVERRIDE_NAMES: readonly string[] = OVERRIDES.map(({ name }) => name);

/**
 * The settings with the environment's say. A name that is almost an override is refused, so that a misspelled GATEHOUSE_STRICT never goes
 * unnoticed; others are left alone: secrets are often named GATEHOUSE_…, and Kubernetes adds GATEHOUSE_SERVICE_HOST and its like to a service of that name.
 */
function overridden(written: HostConfig, env: NodeJS.ProcessEnv): unknown {
  let settings: unknown = written;
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('GATEHOUSE_') || text === undefined || NOT_OVERRIDES.has(name)) continue;
    const override = OVERRIDES.find((each) => each.name === name);
    if (override) settings = withAt(settings, override.path, readOverride(override, text));
    else {
      const nearest = nearestOf(name, [...OVERRIDE_NAMES, ...NOT_OVERRIDES]);
      if (nearest) throw new GatehouseError('CONFIG_OVERRIDE', { name, problem: `no setting has that name; did you mean ${nearest}?` });
    }
  }
  return settings;
}

const NOT_OVERRIDES: ReadonlySet<string> = new Set(['GATEHOUSE_HOME', 'GATEHOUSE_LAUNCHER_FD', 'GATEHOUSE_TOKEN']);

function readOverride({ name, schema }: Override, text: string): unknown {
  let value: unknown;
  try {
    value = fromText(schema, text);
  } catch (thrown) {
    throw new GatehouseError('CONFIG_OVERRIDE', { name, problem: problemOf(thrown) }, { cause: thrown });
  }
  const finding = compileSchema(schema).explain(value);
  if (finding) throw new GatehouseError('CONFIG_OVERRIDE', { name, problem: `'${text}' ${finding.problem}` });
  return value;
}

/** Text as the setting's type; what does not read as that type stays text and is refused by the schema. */
function fromText(schema: TSchema, text: string): unknown {
  const type: unknown = 'type' in schema ? schema.type : undefined;
  switch (Array.isArray(type) ? type[0] : type) {
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text;
    case 'object':
      return JSON.parse(text);
    case 'array':
      return text.trimStart().startsWith('[') ? JSON.parse(text) : text.split(',').map((item) => item.trim()).filter((item) => item !== '');
    default:
      return text;
  }
}

/** The same document with `value` at `path`. */
function withAt(document: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const object: Readonly<Record<string, unknown>> = { ...Object(document) };
  return { ...object, [key]: withAt(object[key], rest, value) };
}
