// The home that `gatehouse dev` runs a plugin in: made for one run, with a signing key of its own that nobody else trusts. Called by dev.ts.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildFiles } from '../../authoring/build.ts';
import { firstParty } from '../../authoring/shipped.ts';
import { signFiles } from '../../authoring/sign.ts';
import { writeFileWhole } from '../../authoring/write-file.ts';
import { systemClock } from '../../clock.ts';
import { loadConfig, type ResolvedConfig } from '../../config.ts';
import type { SecretReference } from '../../../schemas/enablement.ts';
import type { PluginKind, PluginManifest } from '../../../schemas/plugin-manifest.ts';
import { ingressHandles } from '../../registry/ingress-key.ts';
import { ENVELOPE_FILE } from '../../trust/dsse.ts';
import { generateKey, type SigningKey } from '../../trust/keys.ts';
import { MANIFEST_FILE, SCRIPT_FILE } from '../../trust/package-names.ts';
import { defaultInstance, enablementFor, type Choices } from '../enable-package.ts';
import { findEnablement, writeEnablement } from '../enablement-files.ts';
import { FIRST_PARTY_CHOICES } from '../first-party-choices.ts';
import { installPackage, trustFirstParty, verifyForHome } from '../install-package.ts';
import { toolCallerManifest, toolCallerSource } from './tool-caller.ts';

export interface DevHome {
  readonly config: ResolvedConfig;
  /** What the first build came to. */
  readonly first: Placed;
  /** Whether there is a web chat to talk through; a channel is written to instead. */
  readonly talks: boolean;
  /** Builds the sources as they are, signs them, and enables what came out. Throws what building and enabling throw; what was enabled before stays then. */
  place(): Promise<Placed>;
  remove(): Promise<void>;
}

export interface Placed {
  readonly manifest: PluginManifest;
  readonly instance: string;
  readonly digest: string;
  readonly warnings: readonly string[];
  /** Handles nobody gave a value for, and the file with the one that was made up. */
  readonly madeUp: Readonly<Record<string, string>>;
}

/** Who answers behind the plugin, so that there is something to see: nobody else, where the plugin itself is to answer. */
const COMPANIONS: Readonly<Record<PluginKind, readonly string[]>> = { skill: ['webchat', 'clock'], moderation: ['webchat', 'clock', 'concierge'], tool: ['webchat'], channel: ['clock', 'concierge'] };

/** Nothing is watched: whoever saves a file is followed by dev.ts, which knows when a build is whole. The scanner reports, and nobody reviews. */
const HOST_JSON = { listen: '127.0.0.1:0', log: { level: 'debug' }, reload: { watch: false }, trust: { scan: { onWarn: 'report' } } };

/** `source` is the author's folder; nothing is ever written there. */
export async function makeDevHome(source: string, choices: Choices): Promise<DevHome> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-dev-'));
  const remove = () => rm(home, { recursive: true, force: true });
  try {
    for (const folder of ['manifests/plugins', 'manifests/trust/publishers', 'plugins', 'secrets']) await mkdir(join(home, folder), { recursive: true });
    await writeFileWhole(join(home, 'manifests', 'host.json'), `${JSON.stringify(HOST_JSON, null, 2)}\n`);
    const config = loadConfig({ home, env: {}, cwd: home });
    const bench = new Bench(config, source, choices);
    const first = await bench.place();
    await bench.enableCompanions(first.manifest);
    return { config, first, talks: first.manifest.kind !== 'channel' || first.instance === 'webchat', place: () => bench.place(), remove };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

class Bench {
  readonly #config: ResolvedConfig;
  readonly #source: string;
  readonly #choices: Choices;
  readonly #keys = new Map<string, SigningKey>();
  readonly #madeUp = new Map<string, string>();

  constructor(config: ResolvedConfig, source: string, choices: Choices) {
    this.#config = config;
    this.#source = source;
    this.#choices = choices;
  }

  async place(): Promise<Placed> {
    const { manifest, files, warnings } = await buildFiles(this.#source);
    const secrets = { ...(await this.#secretsFor(manifest)), ...this.#choices.secrets };
    const digest = await this.#enable(files, manifest, { ...this.#choices, secrets, grants: this.#choices.grants ?? 'requested' });
    if (manifest.kind === 'tool') await this.#enableCaller(manifest);
    return { manifest, instance: this.#choices.instance ?? defaultInstance(manifest.id), digest, warnings, madeUp: Object.fromEntries(this.#madeUp) };
  }

  async enableCompanions({ id, kind }: PluginManifest): Promise<void> {
    const { plugins, record } = await firstParty({ now: systemClock.now() });
    await trustFirstParty(this.#config, record);
    for (const { name, path, id: own } of plugins) {
      if (!COMPANIONS[kind].includes(name) || own === id) continue;
      const release = await verifyForHome(path, this.#config, systemClock);
      await installPackage(this.#config, release, systemClock);
      await writeEnablement(this.#config, enablementFor({ release, choices: { ...FIRST_PARTY_CHOICES[name], required: false }, egress: this.#config.egress }));
    }
  }

  /** Again with every build: a tool may have been added. */
  async #enableCaller({ id, tools = [] }: PluginManifest): Promise<void> {
    const manifest = toolCallerManifest(id, tools);
    const files = new Map([[MANIFEST_FILE, Buffer.from(JSON.stringify(manifest))], [SCRIPT_FILE, Buffer.from(toolCallerSource(id))]]);
    await this.#enable(files, manifest, { grants: 'requested' });
  }

  async #enable(files: ReadonlyMap<string, Buffer>, manifest: PluginManifest, choices: Choices): Promise<string> {
    const key = await this.#keyOf(manifest.publisher);
    const { envelope } = signFiles(files, { key, now: systemClock.now() });
    const incoming = join(this.#config.home, `incoming-${randomBytes(6).toString('hex')}`);
    try {
      for (const [name, content] of [...files, [ENVELOPE_FILE, envelope] as const]) {
        await mkdir(dirname(join(incoming, name)), { recursive: true });
        await writeFileWhole(join(incoming, name), content);
      }
      const release = await verifyForHome(incoming, this.#config, systemClock);
      const enablement = enablementFor({ release, choices, egress: this.#config.egress });
      await installPackage(this.#config, release, systemClock);
      await writeEnablement(this.#config, enablement, await findEnablement(this.#config, enablement.instance));
      return release.packageDigest;
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  /** A development key: good in profile `local` only, and its builds may change without a new version. */
  async #keyOf(publisher: string): Promise<SigningKey> {
    const known = this.#keys.get(publisher);
    if (known) return known;
    const key = generateKey(publisher);
    this.#keys.set(publisher, key);
    await trustFirstParty(this.#config, { publisher, prefixes: [`${publisher}.`], keys: [{ keyid: key.keyid, publicKey: key.publicKey.toString('base64'), development: true }] });
    return key;
  }

  /** What requests are verified with, where the author gave nothing: a channel could not be tried otherwise. */
  async #secretsFor({ channel }: PluginManifest): Promise<Record<string, SecretReference>> {
    const missing = [...ingressHandles(channel)].filter((handle) => !Object.hasOwn(this.#choices.secrets ?? {}, handle));
    const made: Record<string, SecretReference> = {};
    for (const handle of missing) {
      const file = join('secrets', handle);
      if (!this.#madeUp.has(handle)) await writeFileWhole(join(this.#config.home, file), randomBytes(24).toString('hex'), 0o600);
      this.#madeUp.set(handle, join(this.#config.home, file));
      made[handle] = { file };
    }
    return made;
  }
}
