// Tokens: who may do what, until when; a new one, whose secret is shown once; a new secret; the end of one.
import { useId, useState } from 'preact/hooks';
import type { NewTokenView, TokenView } from '../../../../../schemas/token.ts';
import { permits, SCOPES } from '../../../scopes.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay, useShared } from '../core/context.ts';
import { useAction } from '../core/use-action.ts';
import { usePages } from '../core/use-pages.ts';
import { Badge } from '../parts/badge.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Button, Callout, CopyButton, Empty, Heading, Refusal, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

type Asked = { readonly what: 'create' } | { readonly what: 'rotate' | 'revoke'; readonly token: TokenView };

const standing = ({ revokedAt, expiresAt, rotatedTo }: TokenView) => (revokedAt ? (['bad', 'revoked'] as const) : expiresAt && Date.parse(expiresAt) < Date.now() ? (['quiet', 'expired'] as const) : rotatedTo ? (['warn', 'replaced'] as const) : (['good', 'in force'] as const));

export function Tokens() {
  const { session } = useShared();
  const may = useMay();
  const pages = usePages<TokenView>(useApi(), '/tokens');
  const [asked, setAsked] = useState<Asked | undefined>(undefined);
  const [made, setMade] = useState<NewTokenView | undefined>(undefined);
  const isWriter = may('tokens:write');
  const columns: readonly Column<TokenView>[] = [
    { name: 'Label', cell: ({ label, id, scopes }) => <div class="cell">{label}{id === session.self.id ? <span class="muted"> · this one</span> : null}<span class="sub">{scopes.join(', ') || 'may do nothing'}</span></div> },
    { name: 'Standing', width: '116px', kind: 'wide', cell: (token) => <Badge tone={standing(token)[0]}>{standing(token)[1]}</Badge> },
    { name: 'Last used', width: '110px', kind: 'extra', cell: ({ lastUsedAt }) => (lastUsedAt ? <Time at={lastUsedAt} /> : 'never') },
    { name: 'Ends', width: '110px', kind: 'wide', cell: ({ expiresAt }) => (expiresAt ? <Time at={expiresAt} /> : 'never') },
    ...(isWriter ? [{ name: 'Actions', width: '168px', cell: (token: TokenView) => (standing(token)[1] === 'in force' || standing(token)[1] === 'replaced' ? <><Button small onClick={() => setAsked({ what: 'rotate', token })}>Rotate</Button> <Button small kind="danger" onClick={() => setAsked({ what: 'revoke', token })}>Revoke</Button></> : null) }] : []),
  ];
  const done = (token?: NewTokenView) => {
    setAsked(undefined);
    setMade(token);
    pages.reload();
  };
  return (
    <>
      <Heading title="Tokens" about="What opens the API and this dashboard. Hand out one for each person and purpose, with no more than it needs.">{isWriter ? <Button kind="primary" icon="plus" onClick={() => setAsked({ what: 'create' })}>New token…</Button> : null}</Heading>
      <Rows label="Tokens" one="token" columns={columns} keyOf={({ id }) => id} {...pages} empty={<Empty icon="tokens" title="No tokens" />} />
      {asked?.what === 'create' ? <Create onClose={() => setAsked(undefined)} onDone={done} /> : null}
      {asked && asked.what !== 'create' ? <Change what={asked.what} token={asked.token} onClose={() => setAsked(undefined)} onDone={done} /> : null}
      {made ? <Made token={made} onClose={() => setMade(undefined)} /> : null}
    </>
  );
}

function Create({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: (token: NewTokenView) => void }) {
  const api = useApi();
  const { session } = useShared();
  const id = useId();
  const [label, setLabel] = useState('');
  const [days, setDays] = useState('30');
  const [scopes, setScopes] = useState<ReadonlySet<string>>(new Set());
  const offered = SCOPES.filter((scope) => scope !== '*' && permits(session.self.scopes, scope));
  const action = useAction(async () => onDone(await api.change<NewTokenView>('POST', '/tokens', { body: { label: label.trim(), scopes: [...scopes], ...(days === '' ? {} : { expiresAt: new Date(Date.now() + Number(days) * 86_400_000).toISOString() }) } })), () => undefined);
  const toggle = (scope: string, isOn: boolean) => setScopes((before) => new Set(isOn ? [...before, scope] : [...before].filter((each) => each !== scope)));
  return (
    <Dialog title="New token" onClose={onClose} onSubmit={() => void action.run()} footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind="primary" isBusy={action.isRunning} disabled={label.trim() === ''}>Create</Button></>}>
      {action.error ? <Refusal error={action.error} /> : null}
      <div class="field"><label for={`${id}l`}>Label</label><input id={`${id}l`} class="input" type="text" required maxLength={200} value={label} placeholder="Who has it, and for what" onInput={({ currentTarget }) => setLabel(currentTarget.value)} /></div>
      <div class="field"><label for={`${id}d`}>Valid for</label><select id={`${id}d`} class="input" value={days} onChange={({ currentTarget }) => setDays(currentTarget.value)}><option value="1">1 day</option><option value="7">7 days</option><option value="30">30 days</option><option value="365">1 year</option><option value="">until it is revoked</option></select></div>
      <fieldset class="field"><legend>May</legend><div class="checks">{offered.map((scope) => <label key={scope} class="check"><input type="checkbox" checked={scopes.has(scope)} onChange={({ currentTarget }) => toggle(scope, currentTarget.checked)} /><code>{scope}</code></label>)}</div><small>{scopes.size === 0 ? 'Without any it may do nothing.' : `${scopes.size} chosen.`}</small></fieldset>
    </Dialog>
  );
}

function Change({ what, token, onClose, onDone }: { readonly what: 'rotate' | 'revoke'; readonly token: TokenView; readonly onClose: () => void; readonly onDone: (token?: NewTokenView) => void }) {
  const api = useApi();
  const { session } = useShared();
  const isRotating = what === 'rotate';
  const action = useAction(async () => {
    const answer = await api.change<NewTokenView>('POST', `/tokens/${segment(token.id)}/${what}`, isRotating ? { body: {} } : {});
    onDone(isRotating ? answer : undefined);
  }, () => (isRotating ? undefined : `The token of ${token.label} is revoked.`));
  return (
    <Dialog title={`${isRotating ? 'Rotate' : 'Revoke'} the token of ${token.label}?`} onClose={onClose} onSubmit={() => void action.run()} footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind={isRotating ? 'primary' : 'danger solid'} isBusy={action.isRunning}>{isRotating ? 'Rotate' : 'Revoke'}</Button></>}>
      <p>{isRotating ? 'It gets a new secret, shown once. The old one works on for an hour, so that nobody who has it fails meanwhile.' : 'It is refused from the next request on. This cannot be undone.'}</p>
      {token.id === session.self.id ? <Callout tone="warn"><strong>You are signed in with it.</strong> {isRotating ? 'Sign in with the new one within the hour.' : 'You will be signed out.'}</Callout> : null}
      {action.error ? <Refusal error={action.error} /> : null}
    </Dialog>
  );
}

function Made({ token, onClose }: { readonly token: NewTokenView; readonly onClose: () => void }) {
  return (
    <Dialog title="Keep this token now" onClose={onClose} onSubmit={onClose} footer={<Button type="submit" kind="primary">I have it</Button>}>
      <p>It is shown this once. The host keeps a hash and cannot tell it again; when it is lost, rotate it.</p>
      <div class="secret"><code>{token.token}</code><CopyButton text={token.token} label="Copy the token" /></div>
      <p class="muted">{token.label} · {token.scopes.join(', ') || 'no scopes'}</p>
    </Dialog>
  );
}
