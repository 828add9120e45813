// Dead letters: what ended without success, why, and putting it back to work or giving it up, one or many.
import { useState } from 'preact/hooks';
import type { DeadLetterDetail, DeadLetterView } from '../../../../../schemas/control.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { count, moment, plural } from '../core/format.ts';
import { go, to } from '../core/router.ts';
import { useAction } from '../core/use-action.ts';
import { usePages } from '../core/use-pages.ts';
import { useResource } from '../core/use-resource.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ChoiceFilter, isFiltering, SpanFilter, spanOf, TextFilter } from '../parts/filters.tsx';
import { Button, Callout, Empty, Facts, Heading, Id, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';
import { Walk } from './message.tsx';
import { shortPlace } from './messages.tsx';

const COLUMNS: readonly Column<DeadLetterView>[] = [
  { name: 'Why', cell: ({ id, reason, code }) => <div class="cell"><a href={to('dead-letters', id)}>{reason || code}</a><span class="sub"><code>{code}</code></span></div> },
  { name: 'Stage', width: '110px', kind: 'wide', cell: ({ stage }) => stage },
  { name: 'By', width: '140px', kind: 'wide', cell: ({ by, instance }) => by ?? instance },
  { name: 'Channel', width: '130px', kind: 'extra', cell: ({ instance }) => instance },
  { name: 'Tries', width: '80px', kind: 'extra number', cell: ({ attempts }) => count(attempts) },
  { name: 'Replays', width: '90px', kind: 'extra number', cell: ({ replays = 0 }) => count(replays) },
  { name: 'When', width: '104px', cell: ({ at }) => <Time at={at} /> },
];

export function Letters({ query }: { readonly query: URLSearchParams }) {
  const [isAsking, setAsking] = useState(false);
  const may = useMay();
  const filter = { instance: query.get('instance') ?? '', code: query.get('code') ?? '', stage: query.get('stage') ?? '', direction: query.get('direction') ?? '', ...spanOf(query) };
  const pages = usePages<DeadLetterView>(useApi(), '/dead-letters', filter);
  const isFiltered = isFiltering(filter);
  return (
    <>
      <Heading title="Dead letters" about="Work that ended without success, kept with all that a replay needs.">
        <Button icon="refresh" onClick={pages.reload}>Refresh</Button>
        {may('dead-letters:write') && pages.items.length > 0 ? <Button kind="primary" icon="replay" onClick={() => setAsking(true)}>{isFiltered ? 'Replay all that fit…' : 'Replay all…'}</Button> : null}
      </Heading>
      <div class="filters" role="search" aria-label="Filter dead letters">
        <TextFilter name="instance" label="Channel" value={filter.instance} />
        <TextFilter name="code" label="Code" value={filter.code} />
        <TextFilter name="stage" label="Stage" value={filter.stage} />
        <ChoiceFilter name="direction" label="Direction" value={filter.direction} any="Both" of={['inbound', 'outbound']} />
        <SpanFilter query={query} />
      </div>
      <Rows label="Dead letters" one="dead letter" columns={COLUMNS} keyOf={({ id }) => id} {...pages}
        empty={isFiltered ? <Empty icon="letters" title="None fits">Change the filter to see others.</Empty> : <Empty icon="check" title="No dead letters">All work ended as it should.</Empty>} />
      {isAsking ? <ReplayMany filter={filter} onClose={() => setAsking(false)} onDone={() => { setAsking(false); pages.reload(); }} /> : null}
    </>
  );
}

interface Marked {
  readonly marked: number;
  readonly guarded: Readonly<Record<string, number>>;
  readonly more: boolean;
}

function ReplayMany({ filter, onClose, onDone }: { readonly filter: Readonly<Record<string, string>>; readonly onClose: () => void; readonly onDone: () => void }) {
  const api = useApi();
  const given = Object.fromEntries(Object.entries(filter).filter(([name, value]) => value !== '' && name !== 'sort'));
  const action = useAction(() => api.change<Marked>('POST', '/dead-letters/replay', { body: given }), ({ marked, guarded, more }) => {
    const kept = Object.entries(guarded).map(([problem, size]) => `${size} kept back (${problem})`).join(', ');
    return `${plural(marked, 'dead letter')} put back to work${kept === '' ? '' : `, ${kept}`}${more ? '; there are more, ask again' : ''}.`;
  });
  return (
    <Dialog title="Replay dead letters?" onClose={onClose} onSubmit={() => void action.run().then((isDone) => isDone && onDone())}
      footer={<><Button onClick={onClose}>Cancel</Button><Button type="submit" kind="primary" isBusy={action.isRunning}>Replay</Button></>}>
      <p>The host puts them back to work, some twenty a second. What a guard keeps back, because it would do harm again, stays a dead letter.</p>
      <Facts of={Object.keys(given).length === 0 ? [['Which', 'all of them']] : Object.entries(given)} />
      {action.error ? <Refusal error={action.error} /> : null}
    </Dialog>
  );
}

const BACK = { href: to('dead-letters'), name: 'Dead letters' };

export function LetterPage({ id }: { readonly id: string }) {
  const api = useApi();
  const may = useMay();
  const path = `/dead-letters/${segment(id)}`;
  const { value: letter, error, reload } = useResource<DeadLetterDetail>(api, path);
  const [isDropping, setDropping] = useState(false);
  const [isForced, setForced] = useState(false);
  const replay = useAction(() => api.change('POST', `${path}/replay`, { body: isForced ? { force: true } : {} }), () => 'The dead letter is back at work.');
  const drop = useAction(() => api.change('DELETE', path), () => 'The dead letter is given up.');
  const leave = (isDone: boolean) => isDone && go(BACK.href);
  if (!letter) return <><Heading title="Dead letter" back={BACK} />{error ? <Refusal error={error} onRetry={reload} /> : <div class="panel"><div class="body"><Skeleton lines={5} /></div></div>}</>;
  return (
    <>
      <Heading title="Dead letter" back={BACK} about={<><code>{letter.code}</code> in {letter.stage}{letter.by ? `, by ${letter.by}` : ''}</>}>
        {may('dead-letters:write') ? <><Button kind="danger" onClick={() => setDropping(true)}>Drop…</Button><Button kind="primary" icon="replay" isBusy={replay.isRunning} onClick={() => void replay.run().then(leave)}>Replay</Button></> : null}
      </Heading>
      <div class="stack">
        {replay.error ? <Refusal error={replay.error} /> : null}
        {replay.error?.code === 'DEAD_LETTER_GUARDED' ? <label class="check"><input type="checkbox" checked={isForced} onChange={({ currentTarget }) => setForced(currentTarget.checked)} />Replay it all the same: I know why it is guarded</label> : null}
        <Callout tone="bad"><strong>{letter.reason}</strong></Callout>
        <div class="columns">
          <Panel title="Letter"><Facts of={[['Id', <Id key="i" text={letter.id} />], ['Message', may('messages:read') ? <a key="m" href={to('messages', letter.messageId)}>Its walk</a> : letter.messageId], ['Channel', letter.instance], ['Conversation', <code key="c">{shortPlace(letter.conversation)}</code>], ['Direction', letter.direction], ['Tries', letter.attempts], ['Replayed', letter.replays ? plural(letter.replays, 'time') : 'never'], ['Since', moment(letter.at)]]} /></Panel>
          <Panel title="What it was about">{letter.text ? <p class="quote">{letter.text}</p> : <p class="muted">It has no text.</p>}</Panel>
        </div>
        {letter.message?.stages && letter.message.stages.length > 0 ? <Panel title="Walk until then"><Walk stages={letter.message.stages} /></Panel> : null}
      </div>
      {isDropping ? (
        <Dialog title="Drop this dead letter?" onClose={() => setDropping(false)} onSubmit={() => void drop.run().then(leave)}
          footer={<><Button onClick={() => setDropping(false)}>Cancel</Button><Button type="submit" kind="danger solid" isBusy={drop.isRunning}>Drop</Button></>}>
          <p>The work is given up for good. The message stays readable; it can never be replayed again.</p>
          {drop.error ? <Refusal error={drop.error} /> : null}
        </Dialog>
      ) : null}
    </>
  );
}
