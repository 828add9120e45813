// Revokes and lifts on an operator's word: remembered and in force first, then written into the operator's list. Called by registry.ts.
import type { RevocationView } from '../../schemas/revocation.ts';
import { GatehouseError } from '../errors.ts';
import { revocationId, type Revoked } from '../trust/revocation.ts';
import { addRevocation, removeRevocation } from '../trust/revocations-file.ts';
import type { RememberedRevocation, TrustMemory } from '../trust/trust-memory.ts';
import type { OnWriting } from './enablement-file.ts';
import type { RememberedTrust } from './remembered-trust.ts';

export interface Revoking {
  readonly file: string;
  readonly memory: RememberedTrust;
  readonly onWriting?: OnWriting | undefined;
}

/** Whether the operator's list says so, too: one that cannot be read or written keeps nobody from revoking. Throws what the log throws; nothing is revoked then. */
export async function revoke(revocation: RememberedRevocation, { file, memory, onWriting }: Revoking): Promise<boolean> {
  await memory.learn({ revocations: [revocation], lists: [], successions: [] });
  const { by: _, ...entry } = revocation;
  try {
    await addRevocation(file, entry, onWriting);
    return true;
  } catch {
    return false; // the answer says so, and the next look at the home says why
  }
}

/** Throws REVOCATION_NOT_FOUND, REVOCATION_SIGNED, what reading the list throws, and what the log throws. Where it stays on record, it stays revoked. */
export async function lift(revoked: Revoked, because: { readonly actor: string; readonly reason: string }, listed: ReadonlyMap<string, string>, { file, memory, onWriting }: Revoking): Promise<void> {
  const id = revocationId(revoked);
  const where = listed.get(id);
  if (where?.startsWith('list:')) throw new GatehouseError('REVOCATION_SIGNED', { what: id, issuer: where.slice('list:'.length) });
  if (where === undefined && !memory.revocations.has(id)) throw new GatehouseError('REVOCATION_NOT_FOUND', { what: id });
  await removeRevocation(file, revoked, onWriting);
  await memory.lift(revoked, because);
}

/** Everything that is revoked, by id. */
export function revocationViews(memory: Pick<TrustMemory, 'revocations'>, listed: ReadonlyMap<string, string>): RevocationView[] {
  return [...memory.revocations].map(([id, revocation]) => viewOf(id, revocation, listed)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function viewOf(id: string, revocation: RememberedRevocation, listed: ReadonlyMap<string, string>): RevocationView {
  const { reason = null, at, by } = revocation;
  const about = { reason, at, by, listed: listed.get(id) ?? null };
  if ('keyid' in revocation) return { id, kind: 'key', keyid: revocation.keyid, ...about };
  if ('digest' in revocation) return { id, kind: 'digest', digest: revocation.digest, ...about };
  return { id, kind: 'plugin', plugin: revocation.id, range: revocation.range, ...about };
}
