// What runs and why it is believed: pins, rollbacks, keys and how long they last, development trust. Asked by the audit; `doctor` asks for the keys that end.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedConfig } from '../../config.ts';
import type { ErrorCode } from '../../errors.ts';
import type { AuditedHome, KeyHolder, SecurityCheck, Sighting } from './check.ts';
import { filesIn } from './file-modes.ts';

const DAY_MS = 24 * 3600 * 1000;
/** So long before its end people should be told. */
export const EXPIRES_SOON_MS = 30 * DAY_MS;

/** A release of a development key changes with every build: it is pinned when it is published. */
export const unpinned: SecurityCheck = {
  severity: 'medium',
  why: 'Without a pin, whatever its publisher signs next under a fitting version runs as soon as it lies there.',
  look: ({ instances, config }) => instances.filter(({ enablement: { digest }, release }) => digest === undefined && release?.development !== true).map(({ name, file, release }): Sighting => {
    const where = { where: name, found: `${file} pins no digest` };
    if (!release) return { ...where, fix: 'Its package is refused: mend that first (`gatehouse check`).' };
    const { packageDigest: digest } = release;
    return { ...where, fix: `Review the package, then add "digest": "${digest}" to ${file}.`, repair: { kind: 'pin', path: join(config.home, file), digest } };
  }),
};

export const rollbackAllowed: SecurityCheck = {
  severity: 'medium',
  why: 'An old release stays genuine for ever, with the faults that were mended since.',
  look: ({ instances }) => instances.filter(({ enablement }) => enablement.allowRollback).map(({ name, file }) => ({ where: name, found: 'it may be taken back to older versions', fix: `Take "allowRollback" out of ${file} once the older version runs.` })),
};

export const collisions: SecurityCheck = {
  severity: 'low',
  why: 'Of two files that claim one instance the name of a file then decides.',
  look: ({ config: { collision } }) => (collision === 'reject' ? [] : [{ where: 'collision', found: `the ${collision} of two enablements for one instance counts`, fix: 'Leave `collision` at "reject" in manifests/host.json.' }]),
};

export const endingKeys: SecurityCheck = {
  severity: 'medium',
  why: 'With its key ends what it speaks for: a publisher’s plugins stop at the next look, a reviewer’s approvals and a revoker’s lists count no more.',
  look: ({ keyHolders, clock }) => keysThatEnd(keyHolders, clock.now()).filter(({ isOver }) => !isOver).map(({ name, keyid, notAfter }) => ({ where: name, found: `the key ${keyid} ends ${notAfter}`, fix: `Obtain the new trust record of ${name} and add it with \`gatehouse trust add FILE\`.` })),
};

export const endedKeys: SecurityCheck = {
  severity: 'low',
  why: 'A key that counts no more only confuses whoever reads the record.',
  look: ({ keyHolders, clock }) => keysThatEnd(keyHolders, clock.now()).filter(({ isOver }) => isOver).map(({ name, keyid, notAfter, source }) => ({ where: name, found: `the key ${keyid} ended ${notAfter}`, fix: `Remove it from ${source}; if it may have been stolen, revoke it.` })),
};

export const endlessKeys: SecurityCheck = {
  severity: 'info',
  why: 'A key without an end counts for ever, whoever holds it by then.',
  look: ({ keyHolders }) => keyHolders.flatMap(({ name, keys, source }) => keys.filter(({ notAfter, development }) => notAfter === undefined && development !== true).map(({ keyid }) => ({ where: name, found: `the key ${keyid} has no end`, fix: `Set "notAfter" in ${source} to when you want to hear from ${name} again.` }))),
};

/** Keys whose end is near or past, the nearest first. */
export function keysThatEnd(holders: readonly KeyHolder[], now: number): { readonly name: string; readonly keyid: string; readonly notAfter: string; readonly isOver: boolean; readonly source: string }[] {
  return holders
    .flatMap(({ name, keys, source }) => keys.flatMap(({ keyid, notAfter }) => (notAfter === undefined || Date.parse(notAfter) >= now + EXPIRES_SOON_MS ? [] : [{ name, keyid, notAfter, isOver: Date.parse(notAfter) < now, source }])))
    .sort((a, b) => (a.notAfter < b.notAfter ? -1 : 1));
}

export const endingReleases: SecurityCheck = {
  severity: 'medium',
  why: 'An expired release is refused at the next start, and stops what runs.',
  look: ({ instances, clock, diagnostics }) => [
    ...instances.flatMap(({ name, release }) => (release?.expiresAt === undefined || Date.parse(release.expiresAt) >= clock.now() + EXPIRES_SOON_MS ? [] : [{ where: name, found: `its release expires ${release.expiresAt}`, fix: 'Obtain a newer release from its publisher.' }])),
    ...diagnostics.filter(({ code }) => code === 'RELEASE_EXPIRED').map(({ instance = '', message, fix }) => ({ where: instance, found: message, fix })),
  ],
};

export const developmentTrust: SecurityCheck = {
  severity: 'info',
  exposed: 'high',
  why: 'A development key lies on the machine where plugins are made, often without a passphrase: whoever gets in there signs with it.',
  look: ({ trust }) => trust.records.flatMap(({ record, source }) => record.keys.filter(({ development }) => development === true).map(({ keyid }) => ({ where: record.publisher, found: `the development key ${keyid} may sign ${record.prefixes.join(', ')}`, fix: `Use releases of a publisher key, and remove it from ${source}; "strict": true refuses them all.` }))),
};

export const brokenTrust: SecurityCheck = {
  severity: 'high',
  why: 'A record or a statement that is refused counts for nothing: plugins do not start, reviewers are not heard, or nobody knows which of two records was meant.',
  look: ({ diagnostics }) => diagnostics.filter(({ code }) => BROKEN_TRUST.has(code)).map(({ manifest = '', message, fix }) => ({ where: manifest, found: message, fix })),
};

const BROKEN_TRUST: ReadonlySet<string> = new Set<ErrorCode>(['TRUST_RECORD', 'TRUST_OVERLAP', 'KEY_REFUSED', 'KEY_SUCCESSION', 'APPROVAL_REFUSED']);

export const staleRevocations: SecurityCheck = {
  severity: 'high',
  why: 'Whoever keeps the list of revocations from being read, or from being current, keeps alive what was revoked.',
  look: ({ diagnostics }) => diagnostics.filter(({ code, rule }) => STALE_REVOCATIONS.has(code) || rule === 'revocations').map(({ manifest = 'revocations', message, fix }) => ({ where: manifest, found: message, fix })),
};

const STALE_REVOCATIONS: ReadonlySet<string> = new Set<ErrorCode>(['REVOCATION_LIST', 'REVOCATIONS_STALE', 'REVOCATION_VANISHED']);

export const noReviews: SecurityCheck = {
  severity: 'info',
  exposed: 'medium',
  why: 'Whoever may write into the home then decides alone what runs, and with which powers.',
  look: ({ config, instances }) => ((config.trust.approvals ?? 0) > 0 ? [] : instances.filter(({ enablement: { approvals }, release }) => approvals === 0 && release?.publisher !== 'gatehouse').map(({ name, file }) => ({ where: name, found: 'it runs without anybody’s approval', fix: `Set trust.approvals in manifests/host.json, or "approvals" in ${file}, to how many reviewers must agree.` }))),
};

export const lenientScans: SecurityCheck = {
  severity: 'info',
  exposed: 'medium',
  why: 'What the scanner sees is then read by nobody before the plugin runs, or is never looked for again when its rules know more.',
  look: ({ config: { trust: { scan = {} } } }) => [
    ...(scan.onWarn === 'report' ? [{ where: 'trust.scan.onWarn', found: 'a plugin that the scanner warns of runs without an approval', fix: 'Leave it at "approval" in manifests/host.json.' }] : []),
    ...(scan.everyHours === 0 ? [{ where: 'trust.scan.everyHours', found: 'what runs is never scanned again', fix: 'Leave it at 24 in manifests/host.json.' }] : []),
  ],
};

export const freshReleases: SecurityCheck = {
  severity: 'info',
  exposed: 'low',
  why: 'A stolen key is used at once; most thefts are noticed within days.',
  look: ({ config: { trust, strict } }) => ((trust.minimumReleaseAgeHours ?? (strict ? 48 : 0)) > 0 ? [] : [{ where: 'trust.minimumReleaseAgeHours', found: 'a release may run as soon as it is there', fix: 'Set it in manifests/host.json; 48 is what strict takes.' }]),
};

/** Read as it stands: a record that is refused for this very reason is a finding all the same. */
export const reviewersOwnPlugins: SecurityCheck = {
  severity: 'high',
  why: 'Who signs a plugin is not who reviews it: such an approval says nothing.',
  async look({ trust, config }: AuditedHome) {
    const reviewers = await keysOfReviewers(config);
    return reviewers.flatMap(({ keyid, source }) => trust.signers(keyid).map(({ publisher }) => ({ where: publisher, found: `the key ${keyid} is a reviewer's, too (${source})`, fix: 'Have reviewers make keys of their own, and remove this one from one of the records.' })));
  },
};

async function keysOfReviewers({ manifestsDir }: Pick<ResolvedConfig, 'manifestsDir'>): Promise<{ readonly keyid: string; readonly source: string }[]> {
  const folder = join(manifestsDir, 'trust', 'reviewers');
  const files = await filesIn(folder, (name) => name.endsWith('.json') && !name.startsWith('.'));
  return (await Promise.all(files.map(async (source) => keyidsIn(await readFile(source, 'utf8')).map((keyid) => ({ keyid, source }))))).flat();
}

/** Whatever the file is: an audit of what cannot be parsed finds what it can. */
const keyidsIn = (text: string) => [...new Set(text.match(/ed25519:[0-9a-f]{32}/g))];
