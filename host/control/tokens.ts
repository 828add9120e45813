// Bearer tokens `ght_<id>_<secret>`: how they are made, read and kept. The store holds a hash; the secret is shown once. Called by auth.ts and admin-token.ts.
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Scope } from './scopes.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { tokens, type TokenRow } from '../store/tables.ts';
import { put, type Store } from '../store/store.ts';

/** 64 bits name a token, 256 bits prove it: a plain hash is enough for a secret that nobody chose. */
const ID_BYTES = 8;
const SECRET_BYTES = 32;
const TOKEN = /^ght_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** Who a request speaks for. */
export interface Principal {
  readonly tokenId: string;
  readonly scopes: readonly string[];
  readonly lastUsedAt?: string;
  /** When the token it shows ends. */
  readonly expiresAt?: string;
}

export interface NewToken {
  readonly label: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt?: string;
}

/** A token and the row that proves it; the row is written by the caller, with whatever else belongs to the same commit. */
export function mintToken({ label, scopes, expiresAt }: NewToken, clock: Clock): { readonly token: string; readonly row: TokenRow } {
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const row: TokenRow = { id, secretSha256: hash('sha256', secret), label, scopes: [...scopes], createdAt: toTimestamp(clock.now()), ...(expiresAt === undefined ? {} : { expiresAt }) };
  return { token: `ght_${id}_${secret}`, row };
}

export const putToken = (row: TokenRow) => put(tokens, tokens.key(row.id), row);

/** The principal of a token that is known, right, not expired and not revoked; undefined for every other text, in the same time. */
export async function readToken(text: string, store: Store, clock: Clock): Promise<Principal | undefined> {
  const [, id = '', secret = ''] = TOKEN.exec(text) ?? [];
  const row = (await store.get(tokens, tokens.key(id)))?.value;
  const proven = timingSafeEqual(Buffer.from(hash('sha256', secret)), Buffer.from(row?.secretSha256 ?? NO_SECRET));
  return row && proven && isInForce(row, clock) ? { tokenId: row.id, scopes: row.scopes, ...(row.lastUsedAt === undefined ? {} : { lastUsedAt: row.lastUsedAt }), ...(row.expiresAt === undefined ? {} : { expiresAt: row.expiresAt }) } : undefined;
}

const USE_NOTED_EVERY_MS = 60_000;

/** Remembers that a token was used, to the minute. In the background: nobody waits for it, and a change of the token meanwhile wins. */
export async function noteUse({ tokenId, lastUsedAt }: Principal, store: Store, clock: Clock): Promise<void> {
  const nowMs = clock.now();
  if (lastUsedAt !== undefined && Math.abs(nowMs - Date.parse(lastUsedAt)) < USE_NOTED_EVERY_MS) return;
  const found = await store.get(tokens, tokens.key(tokenId));
  if (found) await store.commit({ expect: [{ table: tokens, key: tokens.key(tokenId), version: found.version }], put: [putToken({ ...found.value, lastUsedAt: toTimestamp(nowMs) })] });
}

/** Whether somebody who was let in would be still: their token is there, not expired and not revoked. */
export async function isCurrent({ tokenId }: Principal, store: Store, clock: Clock): Promise<boolean> {
  const row = (await store.get(tokens, tokens.key(tokenId)))?.value;
  return row !== undefined && isInForce(row, clock);
}

export const isInForce = ({ revokedAt, expiresAt }: TokenRow, clock: Clock) => revokedAt === undefined && (expiresAt === undefined || expiresAt > toTimestamp(clock.now()));

/** As long as a hash, and the hash of nothing. */
const NO_SECRET = '0'.repeat(64);
