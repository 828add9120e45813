// Server-sent events over fetch, which can carry a token where EventSource cannot: reads, and after a break goes on behind the last one it had.
import type { EventEnvelope } from '../../../../../schemas/event.ts';
import { ApiError, asApiError, type Api } from './api.ts';

export type StreamState = { readonly is: 'connecting' } | { readonly is: 'open' } | { readonly is: 'waiting'; readonly error: ApiError; readonly againInMs: number };

export interface StreamHooks {
  readonly onEvents: (events: readonly EventEnvelope[]) => void;
  readonly onState: (state: StreamState) => void;
}

const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 30_000;
/** The host says every 15 s that it is there: a line that says nothing for so long is broken. */
const SILENCE_MS = 40_000;

/** Follows these types until the returned function is called. Begins with what the host still keeps. */
export function followEvents(api: Api, types: string, { onEvents, onState }: StreamHooks): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  let lastId: string | undefined;
  let waitMs = FIRST_WAIT_MS;

  async function read(): Promise<void> {
    onState({ is: 'connecting' });
    const line = new AbortController();
    const listen = () => setTimeout(() => line.abort(new ApiError({ title: 'No connection', detail: 'The host says nothing any more.' })), SILENCE_MS);
    let silence = listen();
    try {
      // An empty value is left out of queries; here it says that all that is kept comes first.
      const response = await api.open(lastId === undefined ? `/events?types=${encodeURIComponent(types)}&after=` : `/events?types=${encodeURIComponent(types)}`, { signal: AbortSignal.any([signal, line.signal]), ...(lastId === undefined ? {} : { headers: { 'last-event-id': lastId } }) });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      if (!reader) return;
      onState({ is: 'open' });
      waitMs = FIRST_WAIT_MS;
      let rest = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = listen();
        const blocks = (rest + value).split('\n\n');
        rest = blocks.pop() ?? '';
        const events = blocks.flatMap(eventOf);
        lastId = events.at(-1)?.id ?? lastId;
        if (events.length > 0) onEvents(events);
      }
    } finally {
      clearTimeout(silence);
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      const error = await read().then(() => new ApiError({ title: 'No connection', detail: 'The host ended the stream.' }), (thrown: unknown) => (thrown instanceof TypeError ? new ApiError({ title: 'No connection', detail: 'The connection broke.' }) : asApiError(thrown)));
      if (signal.aborted) return;
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
