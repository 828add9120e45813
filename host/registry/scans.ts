// What the scanner said of each package: asked once for the same bytes and rules, kept with a bounded history. registry.ts owns it; the rule of admission hears of it through the survey.
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import type { ScanFinding, ScanResult, ScanView } from '../../schemas/scan.ts';
import type { Clock } from '../clock.ts';
import { publish } from '../events.ts';
import type { Ids } from '../ids.ts';
import { put, scan as scanTable, type Store } from '../store/store.ts';
import { scans, type ScanRow } from '../store/tables.ts';
import type { AuditLog } from '../trust/log/audit-log.ts';
import type { ScanPolicy, Surroundings } from '../trust/scan/finding.ts';
import { contentFindings, isSmall, judged, ofContent } from '../trust/scan/scan.ts';
import { RULES_VERSION } from '../trust/scan/rules.ts';
import type { TrustStore } from '../trust/trust-store.ts';
import type { VerifiedRelease } from '../trust/verify.ts';

/** Where a release is to run, as far as its scan asks. */
export interface Place {
  readonly trust: TrustPolicy;
  readonly records: TrustStore['records'];
  /** Ids of all plugins that enablements name. */
  readonly installed: readonly string[];
  /** It ran here before. */
  readonly isSettled: boolean;
}

export interface Scans {
  /** Undefined while a big package is still being looked through; `scanned` tells when that has ended. */
  of(release: VerifiedRelease, place: Place): Promise<ScanResult | undefined>;
}

export interface ScansParts {
  readonly store: Store;
  readonly audit: Pick<AuditLog, 'commit'>;
  readonly ids: Ids;
}

/** Scans kept of each plugin, the newest. */
export const SCANS_KEPT = 20;

const HOUR_MS = 3_600_000;

interface Known {
  readonly findings: readonly ScanFinding[];
  readonly atMs: number;
}

/** The verdict of a digest as it was last kept. */
interface Verdict {
  readonly id: string;
  readonly face: string;
}

export class KeptScans implements Scans {
  readonly #clock: Clock;
  /** What the bytes of a package say, by its digest and the rules of today. */
  readonly #known = new Map<string, Known>();
  readonly #verdicts = new Map<string, Verdict>();
  /** Ids of each plugin's rows, oldest first. */
  readonly #rows = new Map<string, string[]>();
  readonly #unwritten = new Map<string, { readonly row: ScanRow; /** The same verdict as before, later. */ readonly isRepeated: boolean }>();
  /** Big packages that are being looked through, by digest; one follows the other. */
  readonly #under = new Map<string, Promise<void>>();
  #turn: Promise<unknown> = Promise.resolve();
  readonly #nextId: () => string;

  private constructor(clock: Clock, nextId: () => string) {
    this.#clock = clock;
    this.#nextId = nextId;
  }

  /** Remembers nothing, and is not written: for looks at files alone. */
  static fresh(clock: Clock): KeptScans {
    let made = 0;
    return new KeptScans(clock, () => String((made += 1)));
  }

  /** With what the store remembers. */
  static async open(store: Store, clock: Clock, ids?: Ids): Promise<KeptScans> {
    const kept = ids ? new KeptScans(clock, () => ids.next()) : KeptScans.fresh(clock);
    for await (const page of scanTable(store, scans, scans.prefix())) for (const { key, value } of page) kept.#load(String(key.at(-1)), value);
    return kept;
  }

  /** `isWaited`: whether the caller has time to wait for a big package, and none for one that was looked through before. */
  async of(release: VerifiedRelease, place: Place, { isWaited }: { readonly isWaited: boolean } = { isWaited: true }): Promise<ScanResult | undefined> {
    const { packageDigest } = release;
    const known = this.#known.get(packageDigest);
    const everyMs = (place.trust.scan?.everyHours ?? 0) * HOUR_MS;
    const isDue = !known || (!isWaited && everyMs > 0 && this.#clock.now() - known.atMs >= everyMs);
    if (isDue) {
      const looked = isSmall(release) ? this.#look(release) : this.#lookLater(release);
      if (isWaited || isSmall(release)) await looked;
    }
    return this.#kept(release, place);
  }

  /** Looks again, whatever is known. */
  async again(release: VerifiedRelease, place: Place): Promise<ScanView | undefined> {
    await (isSmall(release) ? this.#look(release) : this.#lookLater(release));
    const result = this.#kept(release, place);
    const { id } = this.#verdicts.get(release.packageDigest) ?? {};
    return result && id !== undefined ? { id, plugin: release.manifest.id, version: release.manifest.version, ...result } : undefined;
  }

  /** By what is known of its bytes and what the place says now; undefined when its bytes were not looked through yet. */
  verdict(release: VerifiedRelease, place: Place): ScanResult | undefined {
    const known = this.#known.get(release.packageDigest);
    if (!known) return undefined;
    return judged(release, known.findings, { ...surroundingsIn(place, release), now: known.atMs });
  }

  #kept(release: VerifiedRelease, place: Place): ScanResult | undefined {
    const result = this.verdict(release, place);
    if (result) this.#note(release, result);
    return result;
  }

  /** Resolves once every big package has been looked through; with whether there was any to wait for. */
  async scanned(): Promise<boolean> {
    const waits = this.#under.size > 0;
    while (this.#under.size > 0) await Promise.all(this.#under.values());
    return waits;
  }

  /** Writes what is new since, each new verdict with its entry in the transparency log. Throws STORE_FAILED, STORE_CLOSED, AUDIT_BUSY; it is tried again with the next. */
  async save({ audit }: Pick<ScansParts, 'audit'>): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const rows = [...this.#unwritten];
    const dropped = [...this.#rows.values()].flatMap((ids) => ids.slice(0, Math.max(0, ids.length - SCANS_KEPT)));
    const fresh = rows.flatMap(([, { row, isRepeated }]) => (isRepeated ? [] : [row]));
    await audit.commit(
      fresh.map(({ plugin, version, packageDigest, outcome, risk, rules, findings }) => ({
        actor: 'host', action: 'scan.verdict', resource: plugin, outcome: outcome === 'block' ? 'refused' as const : 'done' as const,
        detail: { version, digest: packageDigest, verdict: outcome, risk, rules, findings: [...new Set(findings.filter((each) => each.outcome !== 'note').map(({ rule }) => rule))] },
      })),
      { put: rows.map(([id, { row }]) => put(scans, scans.key(id), row)), remove: dropped.map((id) => ({ table: scans, key: scans.key(id) })) },
    );
    for (const [id, each] of rows) if (this.#unwritten.get(id) === each) this.#unwritten.delete(id);
    for (const [plugin, ids] of this.#rows) this.#rows.set(plugin, ids.slice(-SCANS_KEPT));
  }

  /** A small one is done when this returns. */
  async #look(release: VerifiedRelease): Promise<void> {
    const startedAt = this.#clock.monotonicMs();
    const findings = await contentFindings(release);
    this.#known.set(release.packageDigest, { findings, atMs: this.#clock.now() });
    const { manifest: { id: plugin, version }, packageDigest } = release;
    publish('scan.ended', { plugin, version, packageDigest, isBig: !isSmall(release), durationMs: this.#clock.monotonicMs() - startedAt });
  }

  #lookLater(release: VerifiedRelease): Promise<void> {
    const { packageDigest } = release;
    const under = this.#under.get(packageDigest);
    if (under) return under;
    const looked = this.#turn.then(() => this.#look(release)).finally(() => this.#under.delete(packageDigest));
    this.#turn = looked.catch(() => undefined);
    this.#under.set(packageDigest, looked);
    return looked;
  }

  /** The same verdict again only moves its time; another one is a row of its own. */
  #note({ manifest, packageDigest }: VerifiedRelease, result: ScanResult): void {
    const row = { plugin: manifest.id, version: manifest.version, ...result };
    const last = this.#verdicts.get(packageDigest);
    const face = faceOf(result);
    if (last?.face === `${result.at} ${face}`) return;
    const isRepeated = last?.face.endsWith(` ${face}`) ?? false;
    const id = isRepeated && last ? last.id : this.#nextId();
    this.#verdicts.set(packageDigest, { id, face: `${result.at} ${face}` });
    this.#unwritten.set(id, { row, isRepeated });
    if (isRepeated) return;
    const ids = this.#rows.get(manifest.id) ?? [];
    ids.push(id);
    this.#rows.set(manifest.id, ids);
  }

  #load(id: string, row: ScanRow): void {
    const { plugin, packageDigest, rules, at, findings } = row;
    const ids = this.#rows.get(plugin) ?? [];
    ids.push(id);
    this.#rows.set(plugin, ids);
    this.#verdicts.set(packageDigest, { id, face: `${at} ${faceOf(row)}` });
    if (rules === RULES_VERSION) this.#known.set(packageDigest, { findings: ofContent(findings), atMs: Date.parse(at) });
    else this.#known.delete(packageDigest);
  }
}

/** Everything of a verdict but its time. */
const faceOf = ({ outcome, rules, findings }: Omit<ScanResult, 'at' | 'packageDigest'>) => JSON.stringify([rules, outcome, findings]);

/** What the rules about places are told of a release; its own publisher's names are no others. */
export function surroundingsIn({ trust, records, installed, isSettled }: Place, { packageDigest, provenance, publisher }: Pick<VerifiedRelease, 'packageDigest' | 'provenance' | 'publisher'>): Surroundings {
  const prefixes = records.filter(({ record }) => record.publisher !== publisher).flatMap(({ record }) => record.prefixes);
  return { packageDigest, provenance, policy: scanPolicyOf(trust), knownNames: [...prefixes, ...installed], isSettled };
}

function scanPolicyOf({ scan = {}, requireProvenance = false, requireHttpsSource = false, trustedSourcePrefixes = [] }: TrustPolicy): ScanPolicy {
  return { knownBad: scan.knownBad ?? [], requireProvenance, requireHttpsSource, trustedSourcePrefixes };
}

/** As lists show it. */
export const scanView = (row: ScanRow, id: string): ScanView => ({ id, ...row });
