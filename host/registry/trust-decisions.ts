// Which moves of an instance are decisions about trust, and how the transparency log tells of them. journal.ts asks, and writes both with one commit.
import semver from 'semver';
import type { PluginState } from '../../schemas/control.ts';
import type { PluginRow, TransitionRow } from '../store/tables.ts';
import type { AuditDraft } from '../trust/log/audit-log.ts';

/** By the state it leads to; states that are not here are the supervisor's business and no decisions. */
const ACTIONS: Readonly<Partial<Record<PluginState, string>>> = {
  verified: 'plugin.verify',
  scanned: 'plugin.scan',
  'pending-approval': 'plugin.hold',
  approved: 'plugin.approve',
  rejected: 'plugin.reject',
  quarantined: 'plugin.quarantine',
  revoked: 'plugin.revoke',
  disabled: 'plugin.disable',
};

export function decisionsOf(instance: string, row: PluginRow, transition: TransitionRow): AuditDraft[] {
  const { from, to, actor, reason, code, evidenceDigest } = transition;
  const action = actionOf(transition);
  if (action === undefined) return [];
  const { plugin, version, digest, highestVersion } = row;
  const decision: AuditDraft = { actor, action, resource: instance, outcome: to === 'rejected' ? 'refused' : 'done', detail: { plugin, version, digest, from, to, reason, code, evidenceDigest } };
  const isRollback = to === 'verified' && version !== null && highestVersion !== null && semver.lt(version, highestVersion);
  return isRollback ? [decision, { actor, action: 'plugin.rollback', resource: instance, outcome: 'done', detail: { plugin, version, digest, highestVersion } }] : [decision];
}

/** An instance that runs takes up another release, by what the files say. Nothing when it is the same one. */
export function updateOf(instance: string, before: PluginRow, after: PluginRow): AuditDraft[] {
  if (before.digest === after.digest && before.version === after.version) return [];
  const isRollback = before.version !== null && after.version !== null && semver.lt(after.version, before.version);
  const { plugin, version, digest } = after;
  return [{ actor: 'file', action: isRollback ? 'plugin.rollback' : 'plugin.update', resource: instance, outcome: 'done', detail: { plugin, version, digest, fromVersion: before.version, fromDigest: before.digest } }];
}

function actionOf({ from, to, code }: TransitionRow): string | undefined {
  if (from === 'quarantined' && (to === 'approved' || to === 'pending-approval')) return 'plugin.release';
  if (from === 'disabled' && to === 'discovered') return 'plugin.enable';
  // Stopped with a code: what it ran by is not trusted any more.
  if (to === 'stopped' && code !== undefined) return 'plugin.withdraw';
  return ACTIONS[to];
}
