// `gatehouse trust list`: everybody whose word counts in this home, for how long, and what is revoked. Registered by commands/trust.ts.
import type { RevocationView } from '../../schemas/revocation.ts';
import { systemClock } from '../clock.ts';
import type { Page } from '../host.ts';
import { reviewersFolder } from '../registry/review-look.ts';
import { revocationViews } from '../registry/revoking.ts';
import { claimDiagnostics, claimsOf } from '../trust/one-trade.ts';
import { loadReviewers } from '../trust/reviewers.ts';
import { loadRevokers } from '../trust/revokers.ts';
import { revocationId } from '../trust/revocation.ts';
import { trustFilesOf } from '../trust/trust-files.ts';
import type { KeyWindow } from '../trust/key-window.ts';
import { findHost, type HostClient } from './client.ts';
import { configOf } from './context.ts';
import { lookAtHomeTrust, type HomeTrustLook } from './home-trust.ts';
import { plain, type Io } from './io.ts';
import { table } from './table.ts';

export async function listTrust(io: Io): Promise<void> {
  const config = configOf(io);
  const host = findHost(io);
  const home = await lookAtHomeTrust(config, systemClock.now());
  const { look } = home;
  const { store } = look.understood;
  const { store: reviewerStore, diagnostics: ofReviewers } = await loadReviewers(reviewersFolder(config));
  const { revokers: revokerStore } = await loadRevokers(trustFilesOf(config).revokers);
  const records = store.records.map(({ record, source }) => ({ publisher: record.publisher, prefixes: record.prefixes, keys: record.keys, source }));
  const reviewers = reviewerStore.records.map(({ record, source }) => ({ reviewer: record.reviewer, keys: record.keys, source }));
  const revokers = revokerStore.records.map(({ record, source }) => {
    const { sequence, issuedAt, expiresAt } = look.revocations.current.get(record.revoker) ?? {};
    return { revoker: record.revoker, keys: record.keys, list: sequence === undefined ? null : { sequence, issuedAt, expiresAt }, source };
  });
  const revocations = host ? await everyPage(host) : viewsOf(home);
  const diagnostics = [...look.diagnostics, ...ofReviewers, ...claimDiagnostics(claimsOf(reviewerStore, store))];
  for (const { message } of diagnostics) io.say(plain(message));

  io.print({ records, reviewers, revokers, successions: look.successions, revocations, diagnostics }, () => [
    table(io, records.flatMap(({ publisher, prefixes, keys, source }) => keys.map((key) => ({ publisher, prefixes, source, ...key }))), {
      publisher: ({ publisher }) => publisher,
      prefixes: ({ prefixes }) => prefixes.join(' '),
      keyid: ({ keyid }) => keyid,
      use: ({ development, ...window }) => [development === true ? 'development' : 'release', inWords(window)].filter(Boolean).join(' '),
      record: ({ source }) => source,
    }, 'Nobody is trusted yet. Add a publisher with `gatehouse trust add FILE`.'),
    ...(look.successions.length === 0 ? [] : [table(io, look.successions, {
      'next key of': ({ publisher }) => publisher,
      keyid: ({ newKeyid }) => newKeyid,
      from: ({ notBefore }) => notBefore,
      'introduced by': ({ oldKeyid }) => oldKeyid,
      statement: ({ source }) => source,
    }, '')]),
    ...(reviewers.length === 0 ? [] : [table(io, reviewers.flatMap(({ reviewer, source, keys }) => keys.map((key) => ({ reviewer, source, ...key }))), {
      reviewer: ({ reviewer }) => reviewer,
      keyid: ({ keyid }) => keyid,
      use: (key) => ['review', inWords(key)].filter(Boolean).join(' '),
      record: ({ source }) => source,
    }, '')]),
    ...(revokers.length === 0 ? [] : [table(io, revokers.flatMap(({ revoker, keys, list }) => keys.map((key) => ({ revoker, list, ...key }))), {
      revoker: ({ revoker }) => revoker,
      keyid: ({ keyid }) => keyid,
      valid: (key) => inWords(key) || 'always',
      list: ({ list }) => (list ? `number ${list.sequence}, until ${list.expiresAt}` : 'none'),
    }, '')]),
    table(io, revocations, {
      revoked: ({ id }) => id,
      at: ({ at }) => at,
      by: ({ by }) => by,
      listed: ({ listed }) => listed ?? 'no more',
      reason: ({ reason }) => reason,
    }, 'Nothing is revoked.'),
  ].join('\n\n'));
}

const inWords = ({ notBefore, notAfter }: KeyWindow) => [notBefore && `from ${notBefore}`, notAfter && `until ${notAfter}`].filter(Boolean).join(' ');

/** What the files say and the store remembers. */
function viewsOf({ look: { revocations: { found, listed } }, memory }: HomeTrustLook): RevocationView[] {
  const all = new Map([...found.map((each) => [revocationId(each), each] as const), ...memory.revocations]);
  return revocationViews({ revocations: all }, listed);
}

async function everyPage(host: HostClient): Promise<RevocationView[]> {
  const items: RevocationView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page<RevocationView> = await host.get(`/revocations?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.cursor;
  }
  return items;
}
