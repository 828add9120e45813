// Server-sent events over fetch, which can carry a token where EventSource cannot: reads, and after a break goes on behind the last one it had.
import type { EventEnvelope } from '../../../../../schemas/event.ts';
import { asApiError, isAbort, type Api, type ApiError } from './api.ts';

export type StreamState = { readonly is: 'connecting' } | { readonly is: 'open' } | { readonly is: 'waiting'; readonly error: ApiError; readonly againInMs: number };

export interface StreamHooks {
  readonly onEvents: (events: readonly EventEnvelope[]) => void;
  readonly onState: (state: StreamState) => void;
}

const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 30_000;

/** Follows until the returned function is called. Begins with what the host still keeps. */
export function followEvents(api: Api, { onEvents, onState }: StreamHooks): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  let lastId: string | undefined;
  let waitMs = FIRST_WAIT_MS;

  async function read(): Promise<void> {
    onState({ is: 'connecting' });
    const response = await api.open(lastId === undefined ? '/events?after=' : '/events', { signal, ...(lastId === undefined ? {} : { headers: { 'last-event-id': lastId } }) });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (!reader) return;
    onState({ is: 'open' });
    waitMs = FIRST_WAIT_MS;
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      const events = blocks.flatMap(eventOf);
      lastId = events.at(-1)?.id ?? lastId;
      if (events.length > 0) onEvents(events);
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      const error = await read().then(() => asApiError(new Error('The host ended the stream.')), (thrown: unknown) => (isAbort(thrown) ? undefined : asApiError(thrown)));
      if (error === undefined || signal.aborted) return;
      onState({ is: 'waiting', error, againInMs: waitMs });
      const pauseMs = waitMs;
      await new Promise<void>((done) => {
        setTimeout(done, pauseMs);
      });
      waitMs = Math.min(MOST_WAIT_MS, waitMs * 2);
    }
  }
  void follow();
  return () => controller.abort();
}

function eventOf(block: string): readonly EventEnvelope[] {
  const data = block.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n');
  if (data === '') return [];
  const event: EventEnvelope = JSON.parse(data);
  return [event];
}
