// A key has one trade: whoever reviews with it signs no plugins with it. Asked by review-look.ts for records and successions that say otherwise, and by commands before they write one.
import type { Diagnostic } from '../../schemas/control.ts';
import { GatehouseError } from '../errors.ts';
import type { Reviewers } from './reviewers.ts';
import type { TrustedSigner, TrustStore } from './trust-store.ts';

/** A publisher's entry for a reviewer's key. */
export interface Claim {
  readonly reviewer: string;
  readonly signer: TrustedSigner;
}

export function claimsOf({ records }: Pick<Reviewers, 'records'>, publishers: Pick<TrustStore, 'signers'>): Claim[] {
  return records.flatMap(({ record: { reviewer, keys } }) => keys.flatMap(({ keyid }) => publishers.signers(keyid).map((signer) => ({ reviewer, signer }))));
}

/** The publishers without them: anybody can write another's public key into a record of his own, and that must not silence a reviewer. */
export function withoutClaims(publishers: TrustStore, claims: readonly Claim[]): TrustStore {
  const claimed = new Set(claims.map(({ signer }) => signer.keyid));
  return { records: publishers.records, signers: (keyid) => (claimed.has(keyid) ? [] : publishers.signers(keyid)) };
}

export function claimDiagnostics(claims: readonly Claim[]): Diagnostic[] {
  return claims.map(({ reviewer, signer: { keyid, source } }) => {
    const { code, message, fix } = new GatehouseError('TRUST_RECORD', { source, problem: `its key ${keyid} is one that '${reviewer}' reviews with, and signs no plugins` });
    return { code, severity: 'degraded', manifest: source, stage: 'trust', rule: 'one-trade', message, fix };
  });
}
