// What a report says beyond the verification: the scanner's findings, and the word of this home's reviewers. Called by package-report.ts.
import type { ScanResult } from '../../schemas/scan.ts';
import { systemClock } from '../clock.ts';
import { lookAtReviews } from '../registry/review-look.ts';
import { NO_HISTORY } from '../registry/history.ts';
import { scanPolicyOf } from '../registry/scans.ts';
import { manifestOf, type ReportParts } from '../trust/report/report.ts';
import { NO_POLICY } from '../trust/scan/finding.ts';
import { scanRelease } from '../trust/scan/scan.ts';
import { historyOf } from './files-survey.ts';
import { plain, type Io } from './io.ts';
import type { Judgement } from './trust-context.ts';

/** Of every package that has a readable manifest, whatever its signature: that is when people look closest. */
export async function scanFor({ verification, trust, home }: Judgement): Promise<ScanResult | undefined> {
  const { claims: { packageDigest, publisher }, seen: { found, statement } } = verification;
  const manifest = manifestOf(verification);
  if (!found || !manifest || packageDigest === null) return undefined;
  const others = trust?.records.filter(({ record }) => record.publisher !== (publisher ?? manifest.publisher)) ?? [];
  return scanRelease(found.files, manifest, { packageDigest, provenance: statement?.predicate.provenance, policy: home ? scanPolicyOf(home.trust) : NO_POLICY, knownNames: others.flatMap(({ record }) => record.prefixes), isSettled: false, now: systemClock.now() });
}

/** Only where a home is asked: reviewers and their approvals belong to one. */
export async function reviewsFor(io: Io, { home, trust, revocations }: Judgement): Promise<ReportParts['reviews']> {
  if (!home || !trust || !revocations) return undefined;
  const history = (await historyOf(home)) ?? NO_HISTORY;
  const { book, diagnostics } = await lookAtReviews({ config: home, publishers: trust, revocations, history, secondOpinion: 'always', now: systemClock.now() });
  for (const { message, fix } of diagnostics) io.say(plain(`${message} ${fix}`));
  return book;
}
