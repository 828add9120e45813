// What is done to tokens by those who may: made, rotated, revoked. Nobody hands out, renews or ends more than they have themselves. Called by routes/tokens.ts.
import type { NewTokenBody, NewTokenView, RotateTokenBody, TokenState, TokenView } from '../../schemas/token.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { nearestOf } from '../nearest.ts';
import type { Page, PageQuery } from '../store/page.ts';
import { sortedPage, type Sorting } from '../store/sorted-page.ts';
import { put, scan, type Store, type Stored } from '../store/store.ts';
import { tokens, type TokenRow } from '../store/tables.ts';
import { isInAdminFile, writeAdminToken } from './admin-token.ts';
import { isScope, permitsAll, SCOPES, type Scope } from './scopes.ts';
import { isInForce, mintToken, type Principal } from './tokens.ts';

export interface TokenDeskParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly dataDir: string;
}

/** As the schema's default says. */
const OVERLAP_SECONDS = 3600;

export interface TokenFilter extends PageQuery {
  readonly state?: TokenState;
  readonly scope?: string;
  /** A field of the view, with '-' in front the greatest first; by id unless said otherwise. */
  readonly sort?: string;
}

const BY_ID: Sorting<TokenView> = { keyOf: ({ id }) => id, fields: { id: ({ id }) => id, createdAt: ({ createdAt }) => createdAt, lastUsedAt: ({ lastUsedAt }) => lastUsedAt, label: ({ label }) => label } };

export async function listTokens({ store, clock }: Pick<TokenDeskParts, 'store' | 'clock'>, { state, scope, sort = 'id', ...page }: TokenFilter): Promise<Page<TokenView>> {
  const found: TokenView[] = [];
  for await (const rows of scan(store, tokens, tokens.prefix())) {
    for (const { value } of rows) if ((state === undefined || stateOf(value, clock) === state) && (scope === undefined || value.scopes.includes(scope))) found.push(viewOf(value));
  }
  return sortedPage(found, { ...page, sort }, BY_ID);
}

function stateOf(row: TokenRow, clock: Clock): TokenState {
  if (row.revokedAt !== undefined) return 'revoked';
  return isInForce(row, clock) ? 'active' : 'expired';
}

/** Throws TOKEN_NOT_FOUND. */
export const showToken = async (parts: TokenDeskParts, id: string): Promise<TokenView> => viewOf((await rowOf(parts, id)).value);

/** It ends with the caller's own token at the latest. Throws SCOPE_UNKNOWN, SCOPE_BEYOND, REQUEST_INVALID for an expiry that is past. */
export async function createToken({ store, clock }: TokenDeskParts, by: Principal, { label, scopes, expiresAt }: NewTokenBody): Promise<NewTokenView> {
  const known = scopes.map(scopeOf);
  refuseBeyond(by, known);
  refusePast(expiresAt, clock);
  const until = earlier(expiresAt, by.expiresAt);
  const { token, row } = mintToken({ label, scopes: known, ...(until === undefined ? {} : { expiresAt: until }) }, clock);
  await store.commit({ put: [put(tokens, tokens.key(row.id), row)] });
  return { ...viewOf(row), token };
}

/** `check`, here and below, throws where it is not to be done to the token as it is: asked of the very row that the commit replaces. A new secret for the same purpose; the old one works on for a while, so that nobody who has it fails meanwhile. Throws TOKEN_NOT_FOUND, TOKEN_ENDED, SCOPE_BEYOND. */
export async function rotateToken({ store, clock, dataDir }: TokenDeskParts, by: Principal, id: string, { overlapSeconds = OVERLAP_SECONDS, expiresAt }: RotateTokenBody, check?: (view: TokenView) => void): Promise<NewTokenView> {
  const { value: old, version } = await rowOf({ store }, id);
  check?.(viewOf(old));
  refuseBeyond(by, old.scopes);
  if (!isInForce(old, clock)) throw new GatehouseError('TOKEN_ENDED', { id });
  refusePast(expiresAt, clock);
  const until = earlier(expiresAt ?? old.expiresAt, by.expiresAt);
  const { token, row } = mintToken({ label: old.label, scopes: old.scopes.filter(isScope), ...(until === undefined ? {} : { expiresAt: until }) }, clock);
  const overlapEnds = toTimestamp(clock.now() + overlapSeconds * 1000);
  const ending: TokenRow = { ...old, rotatedTo: row.id, expiresAt: old.expiresAt !== undefined && old.expiresAt < overlapEnds ? old.expiresAt : overlapEnds };
  const result = await store.commit({ expect: [{ table: tokens, key: tokens.key(id), version }], put: [put(tokens, tokens.key(row.id), row), put(tokens, tokens.key(id), ending)] });
  if (result === 'conflict') throw new GatehouseError('TOKEN_ENDED', { id });
  // The command line of this machine reads its token from the file, and must not stand before a closed door when the overlap is over.
  if (isInAdminFile(dataDir, id)) writeAdminToken(dataDir, token);
  return { ...viewOf(row), token };
}

/** It is refused from the next request on. Throws TOKEN_NOT_FOUND, SCOPE_BEYOND; revoking one twice changes nothing. */
export async function revokeToken({ store, clock }: TokenDeskParts, by: Principal, id: string, check?: (view: TokenView) => void): Promise<TokenView> {
  for (;;) {
    const { value: row, version } = await rowOf({ store }, id);
    check?.(viewOf(row));
    if (by.tokenId !== id) refuseBeyond(by, row.scopes);
    if (row.revokedAt !== undefined) return viewOf(row);
    const revoked = { ...row, revokedAt: toTimestamp(clock.now()) };
    if ((await store.commit({ expect: [{ table: tokens, key: tokens.key(id), version }], put: [put(tokens, tokens.key(id), revoked)] })) === 'committed') return viewOf(revoked);
  }
}

async function rowOf({ store }: Pick<TokenDeskParts, 'store'>, id: string): Promise<Stored<TokenRow>> {
  const found = await store.get(tokens, tokens.key(id));
  if (!found) throw new GatehouseError('TOKEN_NOT_FOUND', { id });
  return found;
}

/** Without what proves it. */
function viewOf(row: TokenRow): TokenView {
  const { secretSha256: _, ...view } = row;
  return { ...view, scopes: [...view.scopes] };
}

function scopeOf(name: string): Scope {
  if (isScope(name)) return name;
  const nearest = nearestOf(name, SCOPES);
  throw new GatehouseError('SCOPE_UNKNOWN', { scope: name, known: nearest === undefined ? SCOPES.join(', ') : `did you mean ${nearest}?` });
}

function refuseBeyond(by: Principal, scopes: readonly string[]): void {
  const beyond = scopes.find((scope) => !permitsAll(by.scopes, [scope]));
  if (beyond !== undefined) throw new GatehouseError('SCOPE_BEYOND', { scope: beyond });
}

/** Nobody hands out more time than they have: an absent end is none. */
function earlier(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}

function refusePast(expiresAt: string | undefined, clock: Clock): void {
  if (expiresAt !== undefined && !(Date.parse(expiresAt) > clock.now())) throw new GatehouseError('REQUEST_INVALID', { path: '/expiresAt', problem: `${expiresAt} is no time in the future` });
}
