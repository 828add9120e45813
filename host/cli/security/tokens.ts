// Tokens of the control plane, as the store has them while no host holds it. Asked by the audit.
import { existsSync } from 'node:fs';
import { systemClock } from '../../clock.ts';
import { ADMIN_TOKEN_LABEL } from '../../control/admin-token.ts';
import { GatehouseError } from '../../errors.ts';
import { scan, type Store } from '../../store/store.ts';
import { tokens, type TokenRow } from '../../store/tables.ts';
import { storeFolder } from '../files-survey.ts';
import type { SecurityCheck } from './check.ts';

/** The token of data/admin-token has no end by its nature: its file is what is guarded. */
export const endlessAdmins: SecurityCheck = {
  severity: 'medium',
  why: 'A token with every scope and no end is worth stealing, and still works years later.',
  async look({ config: { dataDir }, clock }) {
    const rows = await tokensIn(dataDir);
    if (rows === undefined) return [];
    const now = new Date(clock.now()).toISOString();
    const endless = rows.filter(({ scopes, expiresAt, revokedAt, label }) => scopes.includes('*') && expiresAt === undefined && (revokedAt === undefined || revokedAt > now) && label !== ADMIN_TOKEN_LABEL);
    return endless.map(({ id, label }) => ({ where: `token ${id}`, found: `'${label}' has every scope and no end`, fix: `Make one with the scopes it needs and an end (\`gatehouse tokens create --label … --scope … --expires-in 90d\`), then \`gatehouse tokens revoke ${id}\`.` }));
  },
};

/** Undefined while a host has the store open. */
async function tokensIn(dataDir: string): Promise<TokenRow[] | undefined> {
  const dir = storeFolder(dataDir);
  if (!existsSync(dir)) return [];
  const { openStore } = await import('../../store/lmdb.ts'); // the engine is a binary worth loading only when needed
  try {
    await using store = await openStore({ dir, clock: systemClock });
    return await allTokens(store);
  } catch (thrown) {
    if (thrown instanceof GatehouseError && thrown.code === 'STORE_LOCKED') return undefined;
    throw thrown;
  }
}

async function allTokens(store: Store): Promise<TokenRow[]> {
  const rows: TokenRow[] = [];
  for await (const page of scan(store, tokens, tokens.prefix())) rows.push(...page.map(({ value }) => value));
  return rows;
}
