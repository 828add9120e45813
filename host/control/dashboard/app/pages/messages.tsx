// What came and what went, newest first.
import type { MessageView } from '../../../../../schemas/control.ts';
import { useApi } from '../core/context.ts';
import { brief } from '../core/format.ts';
import { to } from '../core/router.ts';
import { usePages } from '../core/use-pages.ts';
import { OUTCOME_NAMES, OutcomeBadge } from '../parts/badge.tsx';
import { ChoiceFilter, isFiltering, SpanFilter, spanOf, TextFilter } from '../parts/filters.tsx';
import { Button, Empty, Heading, Time } from '../parts/parts.tsx';
import { Rows, type Column } from '../parts/rows.tsx';

/** A conversation's id can be the secret that opens it: told apart by its beginning, never shown whole. */
export const shortPlace = (conversation: string): string => brief(conversation, 6);

const COLUMNS: readonly Column<MessageView>[] = [
  { name: 'Message', cell: ({ id, text, media, sender, direction }) => <div class="cell"><a href={to('messages', id)}>{text?.slice(0, 160) || (media && media.length > 0 ? `${media.length} file(s)` : 'without text')}</a><span class="sub">{direction === 'inbound' ? `from ${sender.name ?? brief(sender.id, 6)}` : 'reply'}</span></div> },
  { name: 'Outcome', width: '142px', cell: ({ outcome }) => <OutcomeBadge outcome={outcome} /> },
  { name: 'Channel', width: '130px', kind: 'wide', cell: ({ instance }) => instance },
  { name: 'Conversation', width: '130px', kind: 'extra', cell: ({ conversation }) => <code>{shortPlace(conversation)}</code> },
  { name: 'Code', width: '170px', kind: 'extra', cell: ({ code }) => (code === undefined ? '' : <code>{code}</code>) },
  { name: 'When', width: '110px', kind: 'wide', cell: ({ at }) => <Time at={at} /> },
];

export function Messages({ query }: { readonly query: URLSearchParams }) {
  const filter = { instance: query.get('instance') ?? '', outcome: query.get('outcome') ?? '', direction: query.get('direction') ?? '', ...spanOf(query) };
  const pages = usePages<MessageView>(useApi(), '/messages', filter);
  const isFiltered = isFiltering(filter);
  return (
    <>
      <Heading title="Messages" about="Everything that came in and went out. Open one to follow its way through the pipeline."><Button icon="refresh" onClick={pages.reload}>Refresh</Button></Heading>
      <div class="filters" role="search" aria-label="Filter messages">
        <TextFilter name="instance" label="Channel" value={filter.instance} placeholder="Instance" />
        <ChoiceFilter name="outcome" label="Outcome" value={filter.outcome} of={OUTCOME_NAMES} />
        <ChoiceFilter name="direction" label="Direction" value={filter.direction} any="Both" of={['inbound', 'outbound']} />
        <SpanFilter query={query} />
      </div>
      <Rows label="Messages" one="message" columns={COLUMNS} keyOf={({ id }) => id} {...pages}
        empty={isFiltered ? <Empty icon="messages" title="None fits">Change the filter to see others.</Empty> : <Empty icon="messages" title="No messages yet">What comes to a channel shows here as soon as the host has it.</Empty>} />
    </>
  );
}
