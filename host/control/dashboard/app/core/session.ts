// Who is signed in. The token lives in this tab's sessionStorage and nowhere else: not in the address, not in a cookie, not in what the page shows.
import type { TokenView } from '../../../../../schemas/token.ts';
import { permits, type Scope } from '../../../scopes.ts';
import { createApi, type Api } from './api.ts';

const KEY = 'gatehouse.token';

export interface Session {
  readonly api: Api;
  readonly self: TokenView;
  /** Whether the token permits it: what it does not permit is not offered. The host decides all the same. */
  readonly may: (scope: Scope) => boolean;
}

export const storedToken = (): string | undefined => sessionStorage.getItem(KEY) ?? undefined;

export const forgetToken = (): void => sessionStorage.removeItem(KEY);

/** Asks the host what this token may do. Rejects with what the host says of a token that does not count. */
export async function signIn(token: string, onEnded: () => void, signal?: AbortSignal): Promise<Session> {
  const asking = createApi(token, () => undefined);
  const self = await asking.get<TokenView>('/tokens/self', signal ? { signal } : {});
  sessionStorage.setItem(KEY, token);
  return { api: createApi(token, onEnded), self, may: (scope) => permits(self.scopes, scope) };
}
