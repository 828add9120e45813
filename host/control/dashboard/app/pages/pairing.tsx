// Who may talk: strangers who ask to be let in, who was let in, and invites to pages. Codes and links are secrets: a code is typed here and never shown, a link is shown once.
import { useId, useState } from 'preact/hooks';
import type { InviteView, NewInviteView, PairingState, PairingView } from '../../../../../schemas/pairing.ts';
import type { PluginView } from '../../../../../schemas/control.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { brief, count, plural } from '../core/format.ts';
import { setQuery } from '../core/router.ts';
import { useAction } from '../core/use-action.ts';
import { usePages } from '../core/use-pages.ts';
import { useAll } from '../core/use-resource.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Button, CopyButton, Empty, Heading, Refusal, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

const STATES: Readonly<Record<PairingState, Tone>> = { pending: 'warn', approved: 'good', denied: 'bad', revoked: 'bad', expired: 'quiet' };
const INVITES: Readonly<Record<InviteView['state'], Tone>> = { open: 'good', used: 'quiet', expired: 'quiet', withdrawn: 'bad' };

/** Of somebody the channel named, their name; of who came by invite, which one. */
const whoOf = ({ sender, via, id }: PairingView): string => sender?.name ?? (sender ? brief(sender.id, 6) : via === 'code' ? brief(id, 6) : `by ${via.replace(':', ' ')}`);

type Asked = { readonly what: 'code' | 'invite' } | { readonly what: 'approve' | 'deny' | 'revoke'; readonly pairing: PairingView } | { readonly what: 'withdraw'; readonly invite: InviteView };

export function Pairing({ query }: { readonly query: URLSearchParams }) {
  const api = useApi();
  const isWriter = useMay()('pairing:write');
  const filter = { instance: query.get('instance') ?? '', state: query.get('state') ?? '' };
  const pairings = usePages<PairingView>(api, '/pairing', filter);
  const invites = usePages<InviteView>(api, '/pairing/invites', { instance: filter.instance });
  const [asked, setAsked] = useState<Asked | undefined>(undefined);
  const [made, setMade] = useState<NewInviteView | undefined>(undefined);
  const close = () => setAsked(undefined);
  const done = () => {
    close();
    pairings.reload();
    invites.reload();
  };
  const isFiltered = filter.instance !== '' || filter.state !== '';
  return (
    <>
      <Heading title="Pairing" about="Strangers who asked to speak, and who was let in. Whoever was told a code gives it to you; type it here.">
        <Button icon="refresh" onClick={done}>Refresh</Button>
        {isWriter ? <Button kind="primary" icon="check" onClick={() => setAsked({ what: 'code' })}>Enter a code…</Button> : null}
      </Heading>
      <div class="filters" role="search" aria-label="Filter pairings">
        <label>Channel<input class="input" type="search" value={filter.instance} placeholder="Instance" onChange={({ currentTarget }) => setQuery({ instance: currentTarget.value.trim() })} /></label>
        <label>State<select class="input" value={filter.state} onChange={({ currentTarget }) => setQuery({ state: currentTarget.value })}><option value="">Any</option>{Object.keys(STATES).map((each) => <option key={each} value={each}>{each}</option>)}</select></label>
      </div>
      <Rows label="Pairings" one="pairing" columns={pairingColumns(isWriter, setAsked)} keyOf={({ id }) => id} {...pairings}
        empty={isFiltered ? <Empty icon="pairing" title="None fits">Change the filter to see others.</Empty> : <Empty icon="pairing" title="Nobody has asked">Channels with <code>"access": "pairing"</code> answer strangers with a code; they show here until you decide.</Empty>} />
      <div class="section"><h2>Invites</h2>{isWriter ? <Button icon="plus" onClick={() => setAsked({ what: 'invite' })}>New invite…</Button> : null}</div>
      <Rows label="Invites" one="invite" columns={inviteColumns(isWriter, setAsked)} keyOf={({ id }) => id} {...invites} empty={<Empty icon="link" title="No invites">An invite is a link that opens the page of a channel for whoever has it.</Empty>} />
      {asked?.what === 'code' ? <EnterCode onClose={close} onDone={done} /> : null}
      {asked?.what === 'invite' ? <NewInvite onClose={close} onDone={(invite) => { done(); setMade(invite); }} /> : null}
      {asked && 'pairing' in asked ? <Decide what={asked.what} pairing={asked.pairing} onClose={close} onDone={done} /> : null}
      {asked && 'invite' in asked ? <Withdraw invite={asked.invite} onClose={close} onDone={done} /> : null}
      {made ? <Made invite={made} onClose={() => setMade(undefined)} /> : null}
    </>
  );
}

function pairingColumns(isWriter: boolean, ask: (asked: Asked) => void): readonly Column<PairingView>[] {
  // Who was never decided upon is let in by code alone: that is what proves who asked.
  const offered = ({ state }: PairingView) => (state === 'pending' ? (['deny'] as const) : state === 'approved' ? (['revoke'] as const) : state === 'expired' ? [] : (['approve'] as const));
  return [
    { name: 'Who', cell: (pairing) => <div class="cell">{whoOf(pairing)}<span class="sub">{pairing.instance}{pairing.decidedBy ? ` · by ${pairing.decidedBy}` : ''}</span></div> },
    { name: 'State', width: '120px', cell: ({ state }) => <Badge tone={STATES[state]}>{state}</Badge> },
    { name: 'Asked', width: '110px', kind: 'wide', cell: ({ requestedAt }) => <Time at={requestedAt} /> },
    { name: 'Code ends', width: '110px', kind: 'extra', cell: ({ state, expiresAt }) => (state === 'pending' && expiresAt ? <Time at={expiresAt} /> : '–') },
    ...(isWriter ? [{ name: 'Actions', width: '104px', cell: (pairing: PairingView) => offered(pairing).map((what) => <Button key={what} small kind={what === 'approve' ? 'normal' : 'danger'} onClick={() => ask({ what, pairing })}>{WORDS[what].title}…</Button>) }] : []),
  ];
}

function inviteColumns(isWriter: boolean, ask: (asked: Asked) => void): readonly Column<InviteView>[] {
  return [
    { name: 'For', cell: ({ label, id, instance }) => <div class="cell">{label ?? <code>{brief(id, 6)}</code>}<span class="sub">{instance}</span></div> },
    { name: 'State', width: '120px', cell: ({ state }) => <Badge tone={INVITES[state]}>{state}</Badge> },
    { name: 'Used', width: '90px', kind: 'wide', cell: ({ used, uses }) => `${count(used)} of ${count(uses)}` },
    { name: 'Ends', width: '110px', kind: 'wide', cell: ({ expiresAt }) => <Time at={expiresAt} /> },
    { name: 'By', width: '160px', kind: 'extra', cell: ({ createdBy }) => createdBy },
    ...(isWriter ? [{ name: 'Actions', width: '120px', cell: (invite: InviteView) => (invite.state === 'open' ? <Button small kind="danger" onClick={() => ask({ what: 'withdraw', invite })}>Withdraw…</Button> : null) }] : []),
  ];
}

const WORDS = {
  approve: { title: 'Let in', says: 'May speak from now on, until you shut them out again.', done: 'is let in', kind: 'primary' },
  deny: { title: 'Deny', says: 'Is refused in silence for thirty days, and a stranger again after that.', done: 'is denied', kind: 'danger solid' },
  revoke: { title: 'Revoke', says: 'Is shut out at once: sockets are closed and the next message is refused. What was accepted before is still answered.', done: 'is shut out', kind: 'danger solid' },
} as const;

function Decide({ what, pairing, onClose, onDone }: { readonly what: keyof typeof WORDS; readonly pairing: PairingView; readonly onClose: () => void; readonly onDone: () => void }) {
  const api = useApi();
  const { title, says, done, kind } = WORDS[what];
  const action = useAction(() => api.change('POST', `/pairing/${segment(pairing.id)}/${what}`), () => `${whoOf(pairing)} ${done}.`);
  return (
    <Dialog title={`${title}: ${whoOf(pairing)} at ${pairing.instance}?`} onClose={onClose} onSubmit={() => void action.run().then((isDone) => isDone && onDone())} footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind={kind} isBusy={action.isRunning}>{title}</Button></>}>
      <p>{says}</p>
      {action.error ? <Refusal error={action.error} /> : null}
    </Dialog>
  );
}

function EnterCode({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: () => void }) {
  const api = useApi();
  const id = useId();
  const [code, setCode] = useState('');
  const decide = useAction((what: 'approve' | 'deny') => api.change<PairingView>('POST', `/pairing/${segment(code.trim())}/${what}`), (pairing) => `${whoOf(pairing)} is ${pairing.state === 'approved' ? 'let in' : pairing.state} at ${pairing.instance}.`);
  const run = (what: 'approve' | 'deny') => void (code.trim() !== '' && decide.run(what).then((isDone) => isDone && onDone()));
  return (
    <Dialog title="Who was told a code?" onClose={onClose} onSubmit={() => run('approve')}
      footer={<><Button onClick={onClose}>Cancel</Button><Button kind="danger" disabled={code.trim() === ''} onClick={() => run('deny')}>Deny</Button><Button type="submit" kind="primary" isBusy={decide.isRunning} disabled={code.trim() === ''}>Let in</Button></>}>
      <div class="field"><label for={id}>Code</label><input id={id} class="input mono" type="text" autocomplete="off" autocapitalize="characters" spellcheck={false} maxLength={40} value={code} placeholder="K7QM2XHR" onInput={({ currentTarget }) => setCode(currentTarget.value)} /><small>Eight letters and numbers, as they were told it. Let in only whom you know: the code says that they wrote, not who they are.</small></div>
      {decide.error ? <Refusal error={decide.error} /> : null}
    </Dialog>
  );
}

function NewInvite({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: (invite: NewInviteView) => void }) {
  const api = useApi();
  const id = useId();
  const channels = useAll<PluginView>(api, '/plugins', { query: { kind: 'channel' }, enabled: useMay()('plugins:read') });
  const names = (channels.value ?? []).map(({ instance }) => instance);
  const [chosen, setChosen] = useState('');
  const [label, setLabel] = useState('');
  const [seconds, setSeconds] = useState('86400');
  const [uses, setUses] = useState('1');
  const instance = chosen === '' ? names[0] ?? '' : chosen;
  const action = useAction(async () => onDone(await api.change<NewInviteView>('POST', '/pairing/invites', { body: { instance, uses: Number(uses), expiresInSeconds: Number(seconds), ...(label.trim() === '' ? {} : { label: label.trim() }) } })), () => undefined);
  return (
    <Dialog title="New invite" onClose={onClose} onSubmit={() => void action.run()} footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind="primary" isBusy={action.isRunning} disabled={instance === ''}>Create</Button></>}>
      {action.error ? <Refusal error={action.error} /> : null}
      <div class="field"><label for={`${id}i`}>Channel</label>{names.length > 0 ? <select id={`${id}i`} class="input" value={instance} onChange={({ currentTarget }) => setChosen(currentTarget.value)}>{names.map((each) => <option key={each} value={each}>{each}</option>)}</select> : <input id={`${id}i`} class="input" type="text" required value={chosen} placeholder="webchat" onInput={({ currentTarget }) => setChosen(currentTarget.value.trim())} />}</div>
      <div class="field"><label for={`${id}l`}>For</label><input id={`${id}l`} class="input" type="text" maxLength={200} value={label} placeholder="Whom you invite" onInput={({ currentTarget }) => setLabel(currentTarget.value)} /></div>
      <div class="field"><label for={`${id}s`}>Valid for</label><select id={`${id}s`} class="input" value={seconds} onChange={({ currentTarget }) => setSeconds(currentTarget.value)}><option value="3600">1 hour</option><option value="86400">1 day</option><option value="604800">7 days</option><option value="2592000">30 days</option></select></div>
      <div class="field"><label for={`${id}u`}>Lets in</label><input id={`${id}u`} class="input" type="number" min={1} max={1000} required value={uses} onInput={({ currentTarget }) => setUses(currentTarget.value)} /><small>Conversations. Whoever is in already costs none.</small></div>
    </Dialog>
  );
}

function Made({ invite, onClose }: { readonly invite: NewInviteView; readonly onClose: () => void }) {
  const link = invite.url ?? `${location.origin}${invite.path}`;
  return (
    <Dialog title="Hand out this link now" onClose={onClose} onSubmit={onClose} footer={<Button type="submit" kind="primary">I have it</Button>}>
      <p>It is shown this once. Whoever has it comes in: {plural(invite.uses, 'conversation')}, until <Time at={invite.expiresAt} />.</p>
      <div class="secret"><code>{link}</code><CopyButton text={link} label="Copy the link" /></div>
      {invite.url ? null : <p class="muted">It begins with the address of this page. Others may reach the host by another: <code>pipeline.files.url</code> names it.</p>}
    </Dialog>
  );
}

function Withdraw({ invite, onClose, onDone }: { readonly invite: InviteView; readonly onClose: () => void; readonly onDone: () => void }) {
  const api = useApi();
  const action = useAction(() => api.change('POST', `/pairing/invites/${segment(invite.id)}/withdraw`), () => 'The invite is withdrawn.');
  return (
    <Dialog title={`Withdraw the invite${invite.label ? ` for ${invite.label}` : ''}?`} onClose={onClose} onSubmit={() => void action.run().then((isDone) => isDone && onDone())} footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind="danger solid" isBusy={action.isRunning}>Withdraw</Button></>}>
      <p>It lets nobody in any more. Whom it let in stays until revoked.</p>
      {action.error ? <Refusal error={action.error} /> : null}
    </Dialog>
  );
}
