// The question for a token.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../core/api.ts';
import { Sign } from '../parts/icon.tsx';
import { Button, Refusal } from '../parts/parts.tsx';

export function SignIn({ problem, onSubmit }: { readonly problem: ApiError | undefined; readonly onSubmit: (token: string) => Promise<void> }) {
  const field = useRef<HTMLInputElement>(null);
  const [token, setToken] = useState('');
  const [isShown, setShown] = useState(false);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    document.title = 'Sign in · Gatehouse';
    field.current?.focus();
  }, []);
  const submit = async () => {
    if (isBusy || token.trim() === '') return;
    setBusy(true);
    await onSubmit(token.trim());
    setBusy(false);
    field.current?.select();
  };
  return (
    <main class="sign-in">
      <form onSubmit={(event) => { event.preventDefault(); void submit(); }}>
        <div class="brand"><Sign />Gatehouse</div>
        <h1>Sign in</h1>
        {problem ? <Refusal error={problem} /> : null}
        <div class="field">
          <label for="token">Token</label>
          <div class="token">
            <input ref={field} id="token" class="input mono" {...(isShown ? { type: 'text' } : { type: 'password' })} autocomplete="off" autocapitalize="none" spellcheck={false} placeholder="ght_…" required value={token} aria-invalid={problem?.status === 401 || undefined} onInput={({ currentTarget: { value } }) => setToken(value)} />
            <Button kind="plain" onClick={() => setShown(!isShown)}>{isShown ? 'Hide' : 'Show'}</Button>
          </div>
          <small>It is kept in this tab until you close it or sign out.</small>
        </div>
        <Button type="submit" kind="primary" isBusy={isBusy}>Sign in</Button>
        <details>
          <summary>Where do I get one?</summary>
          <p>The first token is in the data directory of the host, file <code>admin-token</code>. It may do everything; make one with fewer scopes for daily work: <code>gatehouse tokens create --label desk --scope status:read plugins:read</code></p>
        </details>
      </form>
    </main>
  );
}
