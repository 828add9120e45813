// One instance as the registry keeps it: what the files say of it, and what the store remembers. Built at opening, and taught what the files say whenever that is taken up.
import semver from 'semver';
import { InstanceId } from '../../schemas/ids.ts';
import type { Trigger } from '../../schemas/quarantine.ts';
import type { PluginState } from '../../schemas/control.ts';
import type { ModerationSection, PluginKind } from '../../schemas/plugin-manifest.ts';
import type { PluginRow } from '../store/tables.ts';
import type { LoadedEnablement } from './discover.ts';
import type { ResolvedEnablement } from './enablement-file.ts';
import type { RefusedPlugin, ResolvedPlugin, Resolution } from './resolve.ts';

/** A live view of one enablement that only the registry changes. */
export interface Instance {
  readonly instance: InstanceId;
  readonly plugin: string;
  readonly state: PluginState;
  readonly enablement: ResolvedEnablement;
  /** What the files said when they were last taken up. */
  readonly findings: Findings;
  readonly required: boolean;
  readonly order: number;
  /** Null while nothing genuine is known of it. */
  readonly kind: PluginKind | null;
  /** Known even of a gate that cannot run: it denies. */
  readonly moderation: ModerationSection | undefined;
  /** Released from quarantine, and not yet back: whatever its enablement says of quarantine goes on. */
  readonly isReturning: boolean;
  /** What it runs with; absent when it may not run. */
  readonly resolved: ResolvedPlugin | undefined;
  /** The trouble it is in, if any. */
  readonly code: string | undefined;
  readonly message: string | undefined;
}

/** Why an instance moves. `code` and `message` name trouble that lasts as long as the state; the message is the reason unless given. */
export interface Because {
  /** `host`, `file`, or who asked. */
  readonly actor: string;
  readonly reason: string;
  readonly code?: string;
  readonly message?: string;
  readonly evidenceDigest?: string;
  /** Of a quarantine: what it is for. */
  readonly trigger?: Trigger;
}

/** What the files say. */
export interface Findings {
  readonly file: string;
  readonly enablement: ResolvedEnablement;
  readonly resolved?: ResolvedPlugin;
  readonly refused?: RefusedPlugin;
}

/** Every instance that the enablements name, by name; where two files name one, the enabled one counts, and of two refused ones the first. */
export function findingsOf({ plugins, refused, disabled }: Resolution): ReadonlyMap<string, Findings> {
  const found: [string, Findings][] = [
    ...disabled.map((loaded): [string, Findings] => [loaded.enablement.instance, about(loaded)]),
    ...refused.toReversed().map((each): [string, Findings] => [each.instance, { ...about(each.loaded), refused: each }]),
    ...plugins.map((each): [string, Findings] => [each.instance, { file: each.manifestFile, enablement: each.enablement, resolved: each }]),
  ];
  return new Map([...new Map(found)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const about = ({ file, enablement }: LoadedEnablement): Findings => ({ file, enablement });

type Facts = Pick<PluginRow, 'plugin' | 'kind' | 'moderation' | 'version' | 'digest' | 'highestVersion' | 'signer' | 'strikesAtMs' | 'quarantine' | 'isReturning'>;

/** What stays true of an instance whatever its state: genuine facts, else what the store remembers, else, for a gate, what the package claims. */
function factsOf({ enablement: { plugin }, resolved, refused }: Findings, stored: PluginRow | undefined): Facts {
  const release = resolved?.release ?? refused?.release;
  const remembered = stored?.plugin === plugin ? stored : undefined;
  const kind = release ? release.manifest.kind : (remembered?.kind ?? null);
  const signer = resolved ? { keyid: resolved.release.keyid, development: resolved.release.development } : remembered?.signer;
  const moderation = release ? release.manifest.moderation : (remembered?.moderation ?? refused?.manifest?.moderation);
  return {
    plugin, kind,
    ...(moderation ? { moderation } : {}),
    version: release?.manifest.version ?? remembered?.version ?? null,
    digest: release?.packageDigest ?? remembered?.digest ?? null,
    highestVersion: remembered?.highestVersion ?? null,
    ...(signer ? { signer } : {}),
    strikesAtMs: stored?.strikesAtMs ?? [],
    ...(stored?.quarantine ? { quarantine: stored.quarantine } : {}),
    ...(stored?.isReturning ? { isReturning: stored.isReturning } : {}),
  };
}

function highestVersionWith(version: string, highest: string | null): string {
  return highest !== null && semver.gt(highest, version) ? highest : version;
}

/** From a release to the next life. */
const ON_THE_WAY_BACK: ReadonlySet<PluginState> = new Set(['pending-approval', 'discovered', 'verified', 'scanned']);

/** The registry's own hold on an instance. */
export class Entry implements Instance {
  readonly instance: InstanceId;
  findings: Findings;
  row: PluginRow;
  state: PluginState = 'discovered';
  code: string | undefined;
  message: string | undefined;

  constructor(findings: Findings, stored: PluginRow | undefined) {
    this.instance = InstanceId.of(findings.enablement.instance);
    this.findings = findings;
    this.row = { ...standingOf(stored), ...factsOf(findings, stored) };
  }

  get plugin() {
    return this.findings.enablement.plugin;
  }
  get enablement() {
    return this.findings.enablement;
  }
  get required() {
    return this.findings.enablement.required;
  }
  get order() {
    return this.findings.enablement.order;
  }
  get kind() {
    return this.row.kind;
  }
  get moderation() {
    return this.row.moderation;
  }
  get isReturning() {
    return this.row.isReturning === true && this.state === 'pending-approval';
  }
  get resolved() {
    return this.findings.resolved;
  }

  learn(findings: Findings, row: PluginRow): void {
    this.findings = findings;
    this.row = { ...standingOf(row), ...factsOf(findings, row) };
  }

  strikesSince(sinceMs: number): readonly number[] {
    return this.row.strikesAtMs.filter((atMs) => atMs >= sinceMs);
  }

  moved(to: PluginState, { actor, reason, code, message = code === undefined ? undefined : reason, evidenceDigest, trigger }: Because, at: string): void {
    this.state = to;
    this.code = code;
    this.message = message;
    const { code: _, message: __, quarantine, isReturning, ...facts } = this.row;
    const entered = to === 'quarantined' && !quarantine ? { at, actor, reason, code: code ?? 'PLUGIN_QUARANTINED', ...(evidenceDigest === undefined ? {} : { evidenceDigest }), ...(trigger === undefined ? {} : { trigger }) } : quarantine;
    this.row = {
      ...facts, state: to, actor, reason, at,
      ...(code === undefined ? {} : { code }),
      ...(message === undefined ? {} : { message }),
      ...(entered ? { quarantine: entered } : {}),
      ...(isReturning && ON_THE_WAY_BACK.has(to) ? { isReturning } : {}),
    };
    if (to === 'active') this.ran();
  }

  /** From now on, less than its version is a rollback. */
  ran(): void {
    if (this.row.version !== null) this.row = { ...this.row, highestVersion: highestVersionWith(this.row.version, this.row.highestVersion) };
  }

  /** For the journal, once it runs. */
  versionSeen(at: string) {
    const { version, digest } = this.row;
    return version === null || digest === null ? {} : { version: { plugin: this.plugin, version, row: { digest, seenAt: at } } };
  }
}

/** Where it stood, without any facts. */
function standingOf(stored: PluginRow | undefined): Omit<PluginRow, keyof Facts> {
  if (!stored) return { state: 'discovered', actor: 'file', reason: 'its enablement was found', at: '' };
  const { state, actor, reason, code, message, at } = stored;
  return { state, actor, reason, at, ...(code === undefined ? {} : { code }), ...(message === undefined ? {} : { message }) };
}
