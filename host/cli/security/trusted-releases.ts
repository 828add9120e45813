// What runs and why it is believed: pins, rollbacks, keys and how long they last, development trust. Asked by the audit; `doctor` asks for the keys that end.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedConfig } from '../../config.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import type { AuditedHome, SecurityCheck, Sighting } from './check.ts';
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
  why: 'With its key a publisher’s plugins end, too: what runs stops at the next look.',
  look: ({ trust: { store }, clock }) => keysThatEnd(store, clock.now()).filter(({ isOver }) => !isOver).map(({ publisher, keyid, notAfter }) => ({ where: publisher, found: `the key ${keyid} ends ${notAfter}`, fix: `Obtain the new trust record of ${publisher} and add it with \`gatehouse trust add FILE\`.` })),
};

export const endedKeys: SecurityCheck = {
  severity: 'low',
  why: 'A key that counts no more only confuses whoever reads the record.',
  look: ({ trust: { store }, clock }) => keysThatEnd(store, clock.now()).filter(({ isOver }) => isOver).map(({ publisher, keyid, notAfter, source }) => ({ where: publisher, found: `the key ${keyid} ended ${notAfter}`, fix: `Remove it from ${source}; if it may have been stolen, revoke it.` })),
};

export const endlessKeys: SecurityCheck = {
  severity: 'info',
  why: 'A key without an end counts for ever, whoever holds it by then.',
  look: ({ trust: { store } }) => store.records.flatMap(({ record, source }) => record.keys.filter(({ notAfter, development }) => notAfter === undefined && development !== true).map(({ keyid }) => ({ where: record.publisher, found: `the key ${keyid} has no end`, fix: `Set "notAfter" in ${source} to when you want to hear from ${record.publisher} again.` }))),
};

/** Keys whose end is near or past, the nearest first. */
export function keysThatEnd(store: TrustStore, now: number): { readonly publisher: string; readonly keyid: string; readonly notAfter: string; readonly isOver: boolean; readonly source: string }[] {
  return store.records
    .flatMap(({ record: { publisher, keys }, source }) => keys.flatMap(({ keyid, notAfter }) => (notAfter === undefined || Date.parse(notAfter) >= now + EXPIRES_SOON_MS ? [] : [{ publisher, keyid, notAfter, isOver: Date.parse(notAfter) < now, source }])))
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
  look: ({ trust: { store } }) => store.records.flatMap(({ record, source }) => record.keys.filter(({ development }) => development === true).map(({ keyid }) => ({ where: record.publisher, found: `the development key ${keyid} may sign ${record.prefixes.join(', ')}`, fix: `Use releases of a publisher key, and remove it from ${source}; "strict": true refuses them all.` }))),
};

export const brokenTrust: SecurityCheck = {
  severity: 'high',
  why: 'A record that is refused trusts nobody: its publisher’s plugins do not start, or nobody knows which of two records was meant.',
  look: ({ trust: { diagnostics } }) => diagnostics.map(({ manifest = '', message, fix }) => ({ where: manifest, found: message, fix })),
};

/** Read as it stands: a record that is refused for this very reason is a finding all the same. */
export const reviewersOwnPlugins: SecurityCheck = {
  severity: 'high',
  why: 'Who signs a plugin is not who reviews it: such an approval says nothing.',
  async look({ trust: { store }, config }: AuditedHome) {
    const reviewers = await keysOfReviewers(config);
    return reviewers.flatMap(({ keyid, source }) => store.signers(keyid).map(({ publisher }) => ({ where: publisher, found: `the key ${keyid} is a reviewer's, too (${source})`, fix: 'Have reviewers make keys of their own, and remove this one from one of the records.' })));
  },
};

async function keysOfReviewers({ manifestsDir }: Pick<ResolvedConfig, 'manifestsDir'>): Promise<{ readonly keyid: string; readonly source: string }[]> {
  const folder = join(manifestsDir, 'trust', 'reviewers');
  const files = await filesIn(folder, (name) => name.endsWith('.json') && !name.startsWith('.'));
  return (await Promise.all(files.map(async (source) => keyidsIn(await readFile(source, 'utf8')).map((keyid) => ({ keyid, source }))))).flat();
}

/** Whatever the file is: an audit of what cannot be parsed finds what it can. */
const keyidsIn = (text: string) => [...new Set(text.match(/ed25519:[0-9a-f]{32}/g))];
