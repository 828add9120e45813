// What operators ask of revocations while the host runs: look, revoke, lift. host.ts shows it; a look at the home follows each word.
import type { ReloadView } from '../../schemas/control.ts';
import type { RevocationBody, RevocationResult, RevocationView } from '../../schemas/revocation.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import type { Registry } from '../registry/registry.ts';
import { viewOf } from '../registry/revoking.ts';
import { pageSize, type Page, type PageQuery } from '../store/page.ts';
import { revocationId, revokedBy, type Revoked } from '../trust/revocation.ts';
import type { Reload } from './reload.ts';

export interface RevocationDeskParts {
  readonly registry: Pick<Registry, 'revocations' | 'revoke' | 'lift'>;
  readonly reload: Pick<Reload, 'judge'>;
  readonly clock: Clock;
}

export interface RevocationDesk {
  /** By id. */
  list(query: PageQuery): Page<RevocationView>;
  /** Remembered for good, written into the operator's list, and in force when it resolves: what ran is stopped, with its evidence. */
  revoke(body: RevocationBody, actor: string): Promise<RevocationResult>;
  /** The only way back. Throws REVOCATION_NOT_FOUND, REVOCATION_SIGNED. */
  lift(body: RevocationBody, actor: string): Promise<RevocationResult>;
}

export function revocationDesk({ registry, reload, clock }: RevocationDeskParts): RevocationDesk {
  return {
    list({ cursor, limit }) {
      const views = registry.revocations();
      const from = cursor === undefined ? 0 : views.findIndex(({ id }) => id > cursor);
      const items = from === -1 ? [] : views.slice(from, from + pageSize(limit));
      return { items, cursor: items.at(-1)?.id === views.at(-1)?.id ? null : (items.at(-1)?.id ?? null) };
    },
    async revoke(body, actor) {
      const revoked = targetOf(body);
      const id = revocationId(revoked);
      const written = await registry.revoke({ ...revoked, reason: body.reason, at: toTimestamp(clock.now()), by: actor });
      const changes = changesIn(await reload.judge());
      const revocation = registry.revocations().find((each) => each.id === id);
      if (!revocation) throw new GatehouseError('INTERNAL', { problem: 'a revocation is not remembered' });
      return { revocation, written, ...changes };
    },
    async lift(body, actor) {
      const revoked = targetOf(body);
      const id = revocationId(revoked);
      const before = registry.revocations().find((each) => each.id === id) ?? viewOf(id, { ...revoked, at: toTimestamp(clock.now()), by: 'file' }, new Map());
      await registry.lift(revoked, { actor, reason: body.reason });
      return { revocation: { ...before, listed: null }, written: true, ...changesIn(await reload.judge()) };
    },
  };
}

/** Throws REQUEST_INVALID unless it names exactly one thing. */
function targetOf(body: RevocationBody): Revoked {
  const revoked = revokedBy(body);
  if ('problem' in revoked) throw new GatehouseError('REQUEST_INVALID', { path: '/', problem: revoked.problem });
  return revoked;
}

function changesIn({ changes }: ReloadView): Pick<RevocationResult, 'stopped' | 'started'> {
  const named = (...kinds: readonly string[]) => [...new Set(changes.filter(({ kind }) => kinds.includes(kind)).map(({ instance }) => instance))];
  return { stopped: named('revoked', 'withdrawn'), started: named('added', 'enabled') };
}
