// What can be read from the log: single entries, pages of them, proofs. Used by the API's audit routes and by exports; needs the store alone.
import type { AuditConsistency, AuditEntry, AuditHead, AuditProof } from '../../../schemas/audit.ts';
import { GatehouseError } from '../../errors.ts';
import { filteredPage, within, type Page, type PageQuery, type Span } from '../../store/page.ts';
import type { Store } from '../../store/store.ts';
import { auditEntries, auditKey, auditNodes, type AuditEntryRow } from '../../store/tables.ts';
import { consistencyPath, inclusionPath, type ReadSubtree } from './merkle.ts';

export interface AuditQuery extends PageQuery, Span {
  /** The action itself, or with a dot at the end everything that begins with it. */
  readonly action?: string;
  readonly actor?: string;
  readonly resource?: string;
  readonly outcome?: string;
  /** Newest first unless said otherwise. */
  readonly sort?: 'at' | '-at';
}

export function listEntries(store: Store, { action, actor, resource, outcome, since, until, sort, ...page }: AuditQuery): Promise<Page<AuditEntry>> {
  const fits = (entry: AuditEntry) =>
    (action === undefined || entry.action === action || (action.endsWith('.') && entry.action.startsWith(action))) &&
    (actor === undefined || entry.actor === actor) &&
    (resource === undefined || entry.resource === resource) &&
    (outcome === undefined || entry.outcome === outcome) &&
    within(entry.at, { since, until });
  return filteredPage(store, auditEntries, { ...page, newestFirst: sort !== 'at' }, ({ entry }) => (fits(entry) ? entry : undefined));
}

/** Throws AUDIT_ENTRY_NOT_FOUND. */
export async function readEntry(store: Store, index: number, size: number): Promise<AuditEntryRow> {
  const row = Number.isSafeInteger(index) && index >= 0 && index < size ? await store.get(auditEntries, auditKey(index)) : undefined;
  if (!row) throw new GatehouseError('AUDIT_ENTRY_NOT_FOUND', { index, size });
  return row.value;
}

/** Throws AUDIT_BROKEN for a subtree that should be there. */
export function subtreeReader(store: Store): ReadSubtree {
  return async ({ level, index }) => {
    const hash = level === 0 ? (await store.get(auditEntries, auditKey(index)))?.value.leaf : (await store.get(auditNodes, auditNodes.key(level, index)))?.value;
    if (hash === undefined) throw new GatehouseError('AUDIT_BROKEN', { problem: level === 0 ? `entry ${index} is gone` : `the hash of entries ${index * 2 ** level} to ${(index + 1) * 2 ** level - 1} is gone` });
    return Buffer.from(hash, 'base64');
  };
}

/** That the entry is in the log of this head. Some two dozen reads in a million entries. Throws AUDIT_ENTRY_NOT_FOUND. */
export async function proofOf(store: Store, head: AuditHead, index: number): Promise<AuditProof> {
  const { entry, leaf } = await readEntry(store, index, head.size);
  const path = await inclusionPath(index, head.size, subtreeReader(store));
  return { format: 'gatehouse-audit-proof/1', entry, leaf: Buffer.from(leaf, 'base64').toString('hex'), path: path.map((each) => each.toString('hex')), head };
}

/** That the log of this head begins with the one of `first` entries. Throws AUDIT_ENTRY_NOT_FOUND when it never had as many. */
export async function consistencyOf(store: Store, head: AuditHead, first: number): Promise<AuditConsistency> {
  if (first > head.size) throw new GatehouseError('AUDIT_ENTRY_NOT_FOUND', { index: first - 1, size: head.size });
  const path = await consistencyPath(first, head.size, subtreeReader(store));
  return { first, path: path.map((each) => each.toString('hex')), head };
}
