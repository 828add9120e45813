// Tokens of the control plane as scripts and the command line see them; the secret itself only in the answer that makes it.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Timestamp } from './ids.ts';

const scopes = Type.Array(text(60), { maxItems: 64, uniqueItems: true, description: 'What it may do. None: nothing.' });
const label = text(200, { minLength: 1, description: 'For people: who has it, and for what.' });

export const TokenView = closed({
  id: text(32),
  label,
  scopes,
  createdAt: Timestamp,
  expiresAt: Type.Optional(Timestamp),
  revokedAt: Type.Optional(Timestamp),
  lastUsedAt: Type.Optional({ ...Timestamp, description: 'To the minute.' }),
  rotatedTo: Type.Optional(text(32, { description: 'The token that took its place.' })),
});
export type TokenView = Static<typeof TokenView>;

/** Whether a token counts: nobody is asked whether an expired one was revoked as well. */
export const TokenState = oneOf('active', 'expired', 'revoked');
export type TokenState = Static<typeof TokenState>;

/** The answer to making one: the only time its secret is told. */
export const NewTokenView = closed({ ...TokenView.properties, token: text(100, { description: 'ght_<id>_<secret>' }) });
export type NewTokenView = Static<typeof NewTokenView>;

export const NewTokenBody = closed({ label, scopes, expiresAt: Type.Optional(Timestamp) });
export type NewTokenBody = Static<typeof NewTokenBody>;

export const RotateTokenBody = closed({
  overlapSeconds: Type.Optional(whole(0, 7 * 24 * 3600, { default: 3600, description: 'So long the old one works beside the new one.' })),
  expiresAt: Type.Optional({ ...Timestamp, description: 'Of the new one; without it as long as the old one was to be valid.' }),
});
export type RotateTokenBody = Static<typeof RotateTokenBody>;
