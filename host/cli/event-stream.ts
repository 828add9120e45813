// Server-sent events, read line by line (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation). Called by `gatehouse events`.
import type { EventEnvelope } from '../../schemas/event.ts';

/** What a stream says: an event, or that everything from before has been told. */
export type Told = { readonly event: EventEnvelope } | 'caught up';

/** Ends with the stream, also with one that breaks: whoever wants more comes back with the last id. Comments and fields that are not asked for are skipped. */
export async function* readEvents(stream: AsyncIterable<Buffer>): AsyncGenerator<Told> {
  let data: string[] = [];
  for await (const line of linesOf(stream)) {
    if (line === ': caught up') yield 'caught up';
    else if (line.startsWith('data: ')) data.push(line.slice('data: '.length));
    else if (line === '' && data.length > 0) {
      const event: EventEnvelope = JSON.parse(data.join('\n')); // our own host's, proven by the token it accepted
      data = [];
      yield { event };
    }
  }
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (broken) {
    if (!(broken instanceof Error && 'code' in broken && broken.code === 'ECONNRESET')) throw broken;
  }
}
