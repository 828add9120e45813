// Whether the host knows who speaks, or only who says so. A signature proves who wrote a request; whether that is somebody who knows the person in it, the route declares and the operator decides.
import type { IngressRoute } from '../../../schemas/ingress.ts';
import type { AdmitPolicy } from '../../../schemas/policy.ts';

/** `unproven`: nobody vouches for the request. `claimed`: it is genuine, and names a sender. `verified`: the route declares that whoever signs has authenticated the sender. */
export type Standing = 'unproven' | 'claimed' | 'verified';

export function standingOf({ verify, sender = 'claimed' }: IngressRoute): Standing {
  return verify.scheme === 'none' ? 'unproven' : sender;
}

/** The operator has the last word, but for requests that prove nothing. */
export function isSenderVerified(standing: Standing, { senderClaims }: AdmitPolicy): boolean {
  if (standing === 'unproven' || senderClaims === 'deny') return false;
  return standing === 'verified' || senderClaims === 'accept';
}

interface Spoken {
  readonly senderVerified?: true;
}

const UNVERIFIED: Spoken = {};
const VERIFIED: Spoken = { senderVerified: true };

/** Only what is there: rows and messages have no member that says nothing. */
export const speakerOf = ({ senderVerified }: Spoken): Spoken => (senderVerified ? VERIFIED : UNVERIFIED);
