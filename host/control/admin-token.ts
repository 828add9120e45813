// The first token: made at the first start, with every scope, in data/admin-token for this machine's command line. Called by server.ts; read by the command line.
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toTimestamp, type Clock } from '../clock.ts';
import { tokens, type TokenRow } from '../store/tables.ts';
import { put, type Store } from '../store/store.ts';
import type { AuditLog } from '../trust/log/audit-log.ts';
import { mintToken, putToken, readToken } from './tokens.ts';

/** By it the token is told from those that people made. */
export const ADMIN_TOKEN_LABEL = 'admin-token file';

export const adminTokenPath = (dataDir: string) => join(dataDir, 'admin-token');

/** The file's token, or undefined when there is none. */
export function readAdminToken(dataDir: string): string | undefined {
  const path = adminTokenPath(dataDir);
  return statSync(path, { throwIfNoEntry: false }) ? readFileSync(path, 'utf8').trim() : undefined;
}

/**
 * Makes sure the file holds a token that works. An operator who loses it removes the file and starts the host: the new token replaces the old, which is
 * revoked in the same commit; the transparency log tells of both. The row is durable before the file appears, so the file never promises what the store does not know.
 */
export async function ensureAdminToken({ store, audit, clock, dataDir }: { readonly store: Store; readonly audit: Pick<AuditLog, 'commit'>; readonly clock: Clock; readonly dataDir: string }): Promise<void> {
  const present = readAdminToken(dataDir);
  if (present !== undefined && (await readToken(present, store, clock))) return;
  const { token, row } = mintToken({ label: ADMIN_TOKEN_LABEL, scopes: ['*'] }, clock);
  const earlier = (await store.range(tokens, tokens.prefix())).filter(({ value }) => value.label === ADMIN_TOKEN_LABEL && value.revokedAt === undefined);
  const revokedAt = toTimestamp(clock.now());
  const decision = (action: string, { id, scopes }: TokenRow) => ({ actor: 'host', action, resource: `token:${id}`, outcome: 'done', detail: { label: ADMIN_TOKEN_LABEL, scopes } }) as const;
  await audit.commit([decision('token.create', row), ...earlier.map(({ value }) => decision('token.revoke', value))], { put: [putToken(row), ...earlier.map(({ key, value }) => put(tokens, key, { ...value, revokedAt }))] });
  writeAdminToken(dataDir, token);
}

/** Whether the file holds this token. */
export const isInAdminFile = (dataDir: string, tokenId: string): boolean => readAdminToken(dataDir)?.startsWith(`ght_${tokenId}_`) ?? false;

/** Whole or not at all, for the owner alone. */
export function writeAdminToken(dataDir: string, token: string): void {
  const temporary = `${adminTokenPath(dataDir)}.${process.pid}`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${token}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, adminTokenPath(dataDir));
}
