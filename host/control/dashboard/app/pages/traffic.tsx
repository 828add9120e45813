// What is under way: deliveries, lanes, sessions.
import { useState } from 'preact/hooks';
import type { DeliveryView, LaneView, SessionView } from '../../../../../schemas/control.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { count, brief } from '../core/format.ts';
import { setQuery, to } from '../core/router.ts';
import { useAction } from '../core/use-action.ts';
import { usePages } from '../core/use-pages.ts';
import { Badge } from '../parts/badge.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Button, Empty, Heading, Refusal, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';
import { shortPlace } from './messages.tsx';

/** A key holds the id of a conversation, which can be a secret: the beginning of each part tells sessions apart. */
const shortKey = (key: string): string => key.split(/([:/|])/).map((part) => (part.length > 14 ? brief(part, 6) : part)).join('').slice(0, 80);

const DELIVERIES: readonly Column<DeliveryView>[] = [
  { name: 'Delivery', cell: ({ id, problem, conversation }) => <div class="cell"><a href={to('messages', id)}>{problem ?? `to ${shortPlace(conversation)}`}</a></div> },
  { name: 'State', width: '130px', cell: ({ state, class: failed }) => <Badge tone={state === 'delivered' ? 'good' : failed && failed !== 'rate-limited' ? 'warn' : state === 'waiting' ? 'info' : 'bad'}>{failed ?? state}</Badge> },
  { name: 'Channel', width: '130px', kind: 'wide', cell: ({ instance }) => instance },
  { name: 'Tries', width: '80px', kind: 'wide number', cell: ({ attempts = 0 }) => count(attempts) },
  { name: 'Pieces', width: '100px', kind: 'extra', cell: ({ pieces }) => (pieces ? `${pieces.sent} of ${pieces.of}` : '–') },
  { name: 'Next try', width: '110px', kind: 'wide', cell: ({ nextTryAt }) => (nextTryAt ? <Time at={nextTryAt} /> : '–') },
];

export function Deliveries({ query }: { readonly query: URLSearchParams }) {
  const instance = query.get('instance') ?? '';
  const pages = usePages<DeliveryView>(useApi(), '/deliveries', { instance });
  return (
    <>
      <Heading title="Deliveries" about="Replies on their way out, oldest first, and what stands in their way."><Button icon="refresh" onClick={pages.reload}>Refresh</Button></Heading>
      <div class="filters" role="search" aria-label="Filter deliveries"><label>Channel<input class="input" type="search" value={instance} placeholder="Instance" onChange={({ currentTarget }) => setQuery({ instance: currentTarget.value.trim() })} /></label></div>
      <Rows label="Deliveries" one="delivery" many="deliveries" columns={DELIVERIES} keyOf={({ id }) => id} {...pages} empty={<Empty icon="deliveries" title="Nothing is on its way">Everything that was to be sent is sent.</Empty>} />
    </>
  );
}

export function Lanes() {
  const api = useApi();
  const isWriter = useMay()('messages:write');
  const pages = usePages<LaneView>(api, '/lanes');
  const [asked, setAsked] = useState<LaneView | undefined>(undefined);
  const interrupt = useAction((session: string) => api.change('POST', `/lanes/${segment(session)}/interrupt`), () => 'The run was told to end.');
  const columns: readonly Column<LaneView>[] = [
    { name: 'Session', cell: ({ session }) => <code>{shortKey(session)}</code> },
    { name: 'State', width: '120px', cell: ({ state }) => <Badge tone={state === 'stuck' ? 'bad' : state === 'running' ? 'good' : 'info'}>{state}</Badge> },
    { name: 'Depth', width: '80px', kind: 'number', cell: ({ depth }) => count(depth) },
    { name: 'Mode', width: '110px', kind: 'wide', cell: ({ mode }) => mode },
    { name: 'Since', width: '110px', kind: 'extra', cell: ({ runningSince, nextTryAt }) => (runningSince ? <Time at={runningSince} /> : nextTryAt ? <Time at={nextTryAt} /> : '–') },
    ...(isWriter ? [{ name: 'Actions', width: '120px', kind: 'wide' as const, cell: (lane: LaneView) => (lane.state === 'running' || lane.state === 'stuck' ? <Button small onClick={() => setAsked(lane)}>Interrupt</Button> : null) }] : []),
  ];
  return (
    <>
      <Heading title="Lanes" about="The ordered work of each session, while there is any. One message at a time; the others wait behind it."><Button icon="refresh" onClick={pages.reload}>Refresh</Button></Heading>
      <Rows label="Lanes" one="lane" columns={columns} keyOf={({ session }) => session} {...pages} empty={<Empty icon="lanes" title="No work waits">Every message was worked on.</Empty>} />
      {asked ? (
        <Dialog title="Interrupt this run?" onClose={() => setAsked(undefined)} onSubmit={() => void interrupt.run(asked.session).then((isDone) => { if (isDone) { setAsked(undefined); pages.reload(); } })}
          footer={<><Button onClick={() => setAsked(undefined)}>Cancel</Button><Button type="submit" kind="danger solid" isBusy={interrupt.isRunning}>Interrupt</Button></>}>
          <p>The message in work is dropped without an answer; what waits behind it goes on.</p>
          {interrupt.error ? <Refusal error={interrupt.error} /> : null}
        </Dialog>
      ) : null}
    </>
  );
}

export function Sessions() {
  const api = useApi();
  const isWriter = useMay()('messages:write');
  const pages = usePages<SessionView>(api, '/sessions');
  const [asked, setAsked] = useState<SessionView | undefined>(undefined);
  const reset = useAction((key: string) => api.change('POST', `/sessions/${segment(key)}/reset`), () => 'The session begins anew with its next message.');
  const columns: readonly Column<SessionView>[] = [
    { name: 'Session', cell: ({ key }) => <code>{shortKey(key)}</code> },
    { name: 'Messages', width: '100px', kind: 'number', cell: ({ messages }) => count(messages) },
    { name: 'Waiting', width: '90px', kind: 'wide number', cell: ({ waiting }) => count(waiting) },
    { name: 'Began', width: '120px', kind: 'extra', cell: ({ startedAt }) => <Time at={startedAt} /> },
    { name: 'Last', width: '110px', kind: 'wide', cell: ({ lastAt }) => <Time at={lastAt} /> },
    ...(isWriter ? [{ name: 'Actions', width: '100px', kind: 'wide' as const, cell: (session: SessionView) => <Button small onClick={() => setAsked(session)}>Reset</Button> }] : []),
  ];
  return (
    <>
      <Heading title="Sessions" about="What belongs together: one conversation, or one person over several, as the settings say."><Button icon="refresh" onClick={pages.reload}>Refresh</Button></Heading>
      <Rows label="Sessions" one="session" columns={columns} keyOf={({ key }) => key} {...pages} empty={<Empty icon="sessions" title="No sessions yet">The first message of a conversation begins one.</Empty>} />
      {asked ? (
        <Dialog title="Begin this session anew?" onClose={() => setAsked(undefined)} onSubmit={() => void reset.run(asked.key).then((isDone) => { if (isDone) { setAsked(undefined); pages.reload(); } })}
          footer={<><Button onClick={() => setAsked(undefined)}>Cancel</Button><Button type="submit" kind="primary" isBusy={reset.isRunning}>Reset</Button></>}>
          <p>The next message is its first: skills no longer see what they kept for it. Messages stay as they are.</p>
          {reset.error ? <Refusal error={reset.error} /> : null}
        </Dialog>
      ) : null}
    </>
  );
}
