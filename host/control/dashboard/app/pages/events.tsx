// What the host tells of itself, as it happens.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { EventEnvelope, EventType } from '../../../../../schemas/event.ts';
import { useApi } from '../core/context.ts';
import { followEvents, type StreamState } from '../core/event-stream.ts';
import { clock } from '../core/format.ts';
import { setQuery } from '../core/router.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Block, Button, Empty, Heading } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

type FamilyOf<T> = T extends `${infer Family}.${string}` ? Family : never;

/** Every family there is; one that is missing here does not compile. */
const FAMILIES: Readonly<Record<FamilyOf<EventType>, string>> = {
  plugin: 'Plugins', sandbox: 'Sandboxes', scan: 'Scans', capability: 'Capabilities', secret: 'Secrets', budget: 'Budgets', channel: 'Channels', ingress: 'Ingress', pairing: 'Pairing',
  message: 'Messages', 'dead-letter': 'Dead letters', lane: 'Lanes', pressure: 'Pressure', retention: 'Retention', reload: 'Reloads', worker: 'Workers', store: 'Store', host: 'Host',
};

/** Messages are many and have a view of their own: the host tells them only to whoever asks for them. */
const WITHOUT_MESSAGES = Object.keys(FAMILIES).filter((each) => each !== 'message').map((each) => `${each}.*`).join(',');

/** Older ones go. */
const KEPT = 2000;

const toneOf = (type: string): Tone => (/strike|leaked|blocked|dead-letter|stuck/.test(type) ? 'bad' : /degraded|denied|drift|refused|interrupted|pressure|unread|gap/.test(type) ? 'warn' : /ready|recovered|freed/.test(type) ? 'good' : 'quiet');

const summaryOf = ({ data: { instance: _instance, ...rest } }: EventEnvelope): string => Object.entries(rest).map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' · ');

export function Events({ query }: { readonly query: URLSearchParams }) {
  const api = useApi();
  const family = query.get('family') ?? '';
  const [events, setEvents] = useState<readonly EventEnvelope[]>([]);
  const [state, setState] = useState<StreamState>({ is: 'connecting' });
  const [text, setText] = useState('');
  const [isPaused, setPaused] = useState(false);
  const [shown, setShown] = useState<EventEnvelope | undefined>(undefined);
  const waiting = useRef<readonly EventEnvelope[]>([]);
  const paused = useRef(false);
  paused.current = isPaused;
  const types = family === 'every' ? Object.keys(FAMILIES).map((each) => `${each}.*`).join(',') : family === '' ? WITHOUT_MESSAGES : `${family}.*`;
  useEffect(() => {
    setEvents([]);
    waiting.current = [];
    return followEvents(api, types, {
      onState: setState,
      onEvents: (fresh) => {
        const newest = [...fresh].reverse();
        if (paused.current) waiting.current = [...newest, ...waiting.current].slice(0, KEPT);
        else setEvents((before) => [...newest, ...before].slice(0, KEPT));
      },
    });
  }, [api, types]);
  const resume = () => {
    setEvents((before) => [...waiting.current, ...before].slice(0, KEPT));
    waiting.current = [];
    setPaused(false);
  };
  const items = useMemo(() => events.filter((event) => text === '' || `${event.type} ${JSON.stringify(event.data)}`.toLowerCase().includes(text.toLowerCase())), [events, text]);
  const columns = useMemo((): readonly Column<EventEnvelope>[] => [
    { name: 'When', width: '96px', cell: ({ at }) => <time dateTime={at}>{clock(at)}</time> },
    { name: 'Event', width: '190px', cell: (event) => <button type="button" class="link" onClick={() => setShown(event)}><Badge tone={toneOf(event.type)}>{event.type}</Badge></button> },
    { name: 'Instance', width: '130px', kind: 'wide', cell: ({ data: { instance } }) => (typeof instance === 'string' ? instance : '') },
    { name: 'What', kind: 'wide', cell: (event) => <span class="muted">{summaryOf(event)}</span> },
  ], []);
  return (
    <>
      <Heading title="Live events" about={<Line state={state} />}>{isPaused ? <Button kind="primary" icon="play" onClick={resume}>Go on</Button> : <Button icon="pause" onClick={() => setPaused(true)}>Pause</Button>}</Heading>
      <div class="filters" role="search" aria-label="Filter events"><label>Of<select class="input" value={family} onChange={({ currentTarget }) => setQuery({ family: currentTarget.value })}><option value="">All but messages</option>{Object.entries(FAMILIES).map(([each, name]) => <option key={each} value={each}>{name}</option>)}<option value="every">All, messages too</option></select></label><label>Contains<input class="input" type="search" value={text} placeholder="Type, instance, code…" onInput={({ currentTarget }) => setText(currentTarget.value)} /></label></div>
      <Rows label="Events" one="event" columns={columns} items={items} keyOf={({ id }) => id} empty={<Empty icon="events" title={text === '' ? 'Nothing has happened yet' : 'None fits'}>{text === '' ? 'Events appear here the moment they happen.' : 'Change the filter to see others.'}</Empty>} />
      {shown ? <Dialog title={shown.type} onClose={() => setShown(undefined)} onSubmit={() => setShown(undefined)} footer={<Button type="submit" kind="primary">Done</Button>}><Block label="Event, JSON" text={JSON.stringify(shown, null, 2)} /></Dialog> : null}
    </>
  );
}

function Line({ state }: { readonly state: StreamState }) {
  return <span role="status">{state.is === 'open' ? <Badge tone="good">connected</Badge> : state.is === 'connecting' ? <Badge tone="info">connecting</Badge> : <><Badge tone="warn">not connected</Badge> {state.error.message} Trying again in {Math.ceil(state.againInMs / 1000)} s; nothing is lost that the host still keeps.</>}</span>;
}
