// What a report says beyond the verification and the scan: the word of this home's reviewers. Called by package-report.ts.
import { systemClock } from '../clock.ts';
import { lookAtReviews } from '../registry/review-look.ts';
import { NO_HISTORY } from '../registry/history.ts';
import type { ReportParts } from '../trust/report/report.ts';
import { historyOf } from './files-survey.ts';
import { plain, type Io } from './io.ts';
import type { Judgement } from './trust-context.ts';

/** Only where a home is asked: reviewers and their approvals belong to one. */
export async function reviewsFor(io: Io, { home, trust, revocations }: Judgement): Promise<ReportParts['reviews']> {
  if (!home || !trust || !revocations) return undefined;
  const history = (await historyOf(home)) ?? NO_HISTORY;
  const { book, diagnostics } = await lookAtReviews({ config: home, publishers: trust, revocations, history, secondOpinion: 'always', now: systemClock.now() });
  for (const { message, fix } of diagnostics) io.say(plain(`${message} ${fix}`));
  return book;
}
