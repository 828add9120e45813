// A scan from files alone, as a host over this home would make it: the same verdict for whoever asks. Called by `scan`, `verify`, `inspect` and `plugins enable`.
import type { ScanResult } from '../../schemas/scan.ts';
import { systemClock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { discover } from '../registry/discover.ts';
import { surroundingsIn, type Place } from '../registry/scans.ts';
import { manifestOf } from '../trust/report/report.ts';
import { scanRelease } from '../trust/scan/scan.ts';
import type { TrustStore } from '../trust/trust-store.ts';
import type { VerifiedRelease } from '../trust/verify.ts';
import { historyOf } from './files-survey.ts';
import { trustOfHome } from './home-trust.ts';
import type { Judgement } from './trust-context.ts';

/** Of every package that has a readable manifest, whatever its signature: that is when people look closest. Where it says it was made counts only once it verifies. */
export async function scanJudged({ verification, trust, home }: Judgement): Promise<ScanResult | undefined> {
  const { claims: { packageDigest, publisher }, seen: { found } } = verification;
  const manifest = manifestOf(verification);
  if (!found || !manifest || packageDigest === null) return undefined;
  const provenance = verification.ok ? verification.release.provenance : undefined;
  return scanIn(await surroundingsOf(home, trust, manifest.id), { files: found.files, manifest, packageDigest, publisher: publisher ?? manifest.publisher, provenance });
}

/** Of a release that may run here. */
export async function scanForHome(release: VerifiedRelease, home: ResolvedConfig): Promise<ScanResult> {
  const { trust } = await trustOfHome(home, systemClock.now());
  return scanIn(await surroundingsOf(home, trust, release.manifest.id), release);
}

function scanIn(place: Place, subject: Pick<VerifiedRelease, 'files' | 'manifest' | 'packageDigest' | 'publisher' | 'provenance'>): Promise<ScanResult> {
  return scanRelease(subject.files, subject.manifest, { ...surroundingsIn(place, subject), now: systemClock.now() });
}

/**
 * What a host over this home would hold against a plugin. Without a home nobody's policy counts, and no names are known but those of `trust` and of the first
 * party. While a host holds the store nobody else can say what ran: then what is enabled counts as if it had.
 */
async function surroundingsOf(home: ResolvedConfig | undefined, trust: TrustStore | null, plugin: string): Promise<Place> {
  const records = trust?.records ?? [];
  if (!home) return { trust: {}, records, installed: [], isSettled: false };
  const installed = (await discover(home)).enablements.map(({ enablement }) => enablement.plugin);
  const history = await historyOf(home);
  return { trust: home.trust, records, installed, isSettled: history ? history.hasRun(plugin) : installed.includes(plugin) };
}
