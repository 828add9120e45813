// Who is asking, and may they: bearer tokens against the store, scopes, lockout. Called by server.ts before anything else of a request is looked at.
import type { Clock } from '../clock.ts';
import { GatehouseError, problemOf } from '../errors.ts';
import { publish } from '../events.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';
import { createLockout } from './lockout.ts';
import { permits, type Scope } from './scopes.ts';
import { noteUse, readToken, type Principal } from './tokens.ts';

export interface Credentials {
  readonly authorization: string | undefined;
  /** Whom wrong tokens lock out; undefined for whoever comes by the local socket, whom nobody locks out. */
  readonly sender: string | undefined;
}

export interface Auth {
  /** Throws UNAUTHENTICATED for a missing or wrong token, LOCKED_OUT for a sender that guessed too often. */
  authenticate(credentials: Credentials): Promise<Principal>;
}

export function createAuth(store: Store, clock: Clock, log: Log): Auth {
  const lockout = createLockout(clock);
  return {
    async authenticate({ authorization, sender }) {
      const refused = (why: 'missing' | 'wrong' | 'locked-out', locksOut = false) => publish('auth.refused', { why, locksOut });
      if (authorization === undefined) {
        refused('missing');
        throw new GatehouseError('UNAUTHENTICATED');
      }
      const retryAfterMs = sender === undefined ? 0 : lockout.lockedForMs(sender);
      if (retryAfterMs > 0) refused('locked-out');
      if (retryAfterMs > 0) throw new GatehouseError('LOCKED_OUT', { retryAfterMs });
      const principal = await readToken(bearerOf(authorization), store, clock);
      if (principal) {
        noteUse(principal, store, clock).catch((error: unknown) => log.debug({ err: problemOf(error) }, 'the use of a token could not be noted'));
        return principal;
      }
      const locksOut = sender !== undefined && lockout.wrong(sender);
      refused('wrong', locksOut);
      if (locksOut) log.warn({ client: sender }, 'locked out after too many wrong tokens');
      throw new GatehouseError('UNAUTHENTICATED');
    },
  };
}

/** Throws FORBIDDEN unless the principal's scopes permit it. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!permits(principal.scopes, scope)) throw new GatehouseError('FORBIDDEN', { scope });
}

/** RFC 6750: the scheme's case does not matter. */
function bearerOf(authorization: string): string {
  return /^bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
}
