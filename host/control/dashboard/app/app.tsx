// Signed in or not; and for whoever is, the frame with the view that the address names.
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, asApiError, isAbort } from './core/api.ts';
import { SharedContext, type Notice } from './core/context.ts';
import { useRoute } from './core/router.ts';
import { forgetToken, signIn, storedToken, type Session } from './core/session.ts';
import type { HostStatus } from './core/types.ts';
import { useResource } from './core/use-resource.ts';
import { Frame } from './frame.tsx';
import { Icon } from './parts/icon.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { viewOf } from './views.tsx';

export function App() {
  const [session, setSession] = useState<Session | undefined>(undefined);
  const [isResuming, setResuming] = useState(storedToken() !== undefined);
  const [problem, setProblem] = useState<ApiError | undefined>(undefined);

  const end = useCallback((why?: ApiError) => {
    forgetToken();
    setSession(undefined);
    setProblem(why);
  }, []);
  const enter = useCallback(async (token: string, signal?: AbortSignal) => {
    try {
      setSession(await signIn(token, () => end(new ApiError({ status: 401, code: 'UNAUTHENTICATED', title: 'Signed out', detail: 'The host no longer takes this token: it was revoked, or its time is over. Sign in with another.' })), signal));
      setProblem(undefined);
    } catch (thrown) {
      if (isAbort(thrown)) return;
      const error = asApiError(thrown);
      // A host that is away says nothing about the token; one that answers 401 does.
      if (error.status === 401) forgetToken();
      setProblem(error);
    }
  }, [end]);
  useEffect(() => {
    const token = storedToken();
    if (token === undefined) return undefined;
    const controller = new AbortController();
    void enter(token, controller.signal).then(() => setResuming(false));
    return () => controller.abort();
  }, [enter]);

  if (session) return <SignedIn key={session.self.id} session={session} onSignOut={() => end()} />;
  if (isResuming) return <p class="unseen" role="status">Signing in…</p>;
  return <SignIn problem={problem} onSubmit={enter} />;
}

const STATUS_EVERY_MS = 5000;
const NOTICE_MS = 8000;
let notices = 0;

function SignedIn({ session, onSignOut }: { readonly session: Session; readonly onSignOut: () => void }) {
  const status = useResource<HostStatus>(session.api, '/status', { everyMs: STATUS_EVERY_MS, enabled: session.may('status:read') });
  const [shown, setShown] = useState<readonly Notice[]>([]);
  const notify = useCallback((tone: Notice['tone'], text: string, detail?: string) => {
    const id = (notices += 1);
    setShown((before) => [...before.slice(-2), { id, tone, text, detail }]);
    setTimeout(() => setShown((before) => before.filter((each) => each.id !== id)), NOTICE_MS);
  }, []);
  const shared = useMemo(() => ({ session, status, notify }), [session, status, notify]);
  const route = useRoute();
  const { path } = route;
  const place = path.join('/');
  // A new view begins at its heading; filters of one view move nothing.
  useEffect(() => {
    document.querySelector<HTMLElement>('#title')?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [place]);
  return (
    <SharedContext.Provider value={shared}>
      <Frame place={path[0] ?? ''} onSignOut={onSignOut}>{viewOf(route)}</Frame>
      <div class="notices" role="status" aria-live="polite">
        {shown.map(({ id, tone, text, detail }) => <div key={id} class={`notice ${tone}`}><Icon name={tone === 'good' ? 'check' : 'warn'} /><div>{text}{detail ? <small>{detail}</small> : null}</div></div>)}
      </div>
    </SharedContext.Provider>
  );
}
