// What operators ask of revocations while the host runs: look, revoke, lift. host.ts shows it; a look at the home follows each word.
import type { ReloadView } from '../../schemas/control.ts';
import type { RevocationBody, RevocationResult, RevocationView } from '../../schemas/revocation.ts';
import { toTimestamp, type Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import type { Registry } from '../registry/registry.ts';
import { viewOf } from '../registry/revoking.ts';
import { fits, within, type Page, type PageQuery, type Span } from '../store/page.ts';
import { sortedPage, type Sorting } from '../store/sorted-page.ts';
import { revocationId, revokedBy, type Revoked } from '../trust/revocation.ts';
import type { Reload } from './reload.ts';

export interface RevocationFilter extends PageQuery, Span {
  readonly kind?: RevocationView['kind'];
  readonly plugin?: string;
  readonly sort?: 'id' | '-id' | 'at' | '-at';
}

const BY_ID: Sorting<RevocationView> = { keyOf: ({ id }) => id, fields: { id: ({ id }) => id, at: ({ at }) => at } };

export interface RevocationDeskParts {
  readonly registry: Pick<Registry, 'revocations' | 'revoke' | 'lift'>;
  readonly reload: Pick<Reload, 'judge'>;
  readonly clock: Clock;
}

export interface RevocationDesk {
  list(query: RevocationFilter): Page<RevocationView>;
  /** Remembered for good, written into the operator's list, and in force when it resolves: what ran is stopped, with its evidence. */
  revoke(body: RevocationBody, actor: string): Promise<RevocationResult>;
  /** The only way back. Throws REVOCATION_NOT_FOUND, REVOCATION_SIGNED. */
  lift(body: RevocationBody, actor: string): Promise<RevocationResult>;
}

export function revocationDesk({ registry, reload, clock }: RevocationDeskParts): RevocationDesk {
  return {
    list: ({ kind, plugin, since, until, sort = 'id', ...page }) => sortedPage(registry.revocations().filter((each) => fits(each, { kind, plugin }) && within(each.at, { since, until })), { ...page, sort }, BY_ID),
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
