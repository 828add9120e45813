// GET /api/v1/events: what the host tells of itself, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Registered by server.ts; documented in docs/events.md.
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { text } from '../../../schemas/closed.ts';
import { EVENT_TYPES, EventEnvelope, type EventType } from '../../../schemas/event.ts';
import { GatehouseError } from '../../errors.ts';
import { publish } from '../../events.ts';
import type { Cursor, EventFeed, EventFilter } from '../events/event-feed.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';
import { refuseOtherMethods } from './api.ts';
import { queryReader, queryTexts, type QueryOf } from './query.ts';

export interface EventStreamLimits {
  /** So often a comment shows that the line is alive, and the token is looked at again. A reader that takes nothing from one to the next is cut off. */
  readonly heartbeatMs: number;
  /** Streams at once. */
  readonly streams: number;
}

export const EVENT_STREAM_LIMITS: EventStreamLimits = { heartbeatMs: 15_000, streams: 64 };

export interface EventStreams {
  /** Ends every stream; no new one begins. */
  close(): void;
}

export interface EventStreamParts {
  readonly feed: EventFeed;
  readonly limits: EventStreamLimits;
  /** Whether the token of this request still counts. */
  readonly stillMay: (request: FastifyRequest) => Promise<boolean>;
}

/** Events that come within so long of each other are written together. */
const TOGETHER_MS = 20;

/** How long a browser waits before it comes back. */
const RETRY_MS = 2000;

/** As the OpenAPI document shows it; the stream itself is no JSON. */
export const eventRoute = {
  id: 'followEvents', method: 'GET', path: '/events', scope: 'events:read', errors: ['EVENT_STREAMS_BUSY'],
  summary: 'Events of the host as they come, as text/event-stream. `Last-Event-ID` goes on where a reader was; `after=` with nothing behind it begins with all that is kept.',
  query: {
    types: text(512, { description: 'Only these, joined by commas; `message.*` is all that begin so.' }),
    instance: text(64, { description: 'Only of this instance.' }),
    after: text(200, { description: 'Go on behind this id, as `Last-Event-ID`; with nothing behind it, with all that is kept.' }),
  },
  headers: { 'Last-Event-ID': text(200, { description: 'The id of the last event that was read: go on behind it.' }) },
  media: 'text/event-stream',
  answer: EventEnvelope,
} as const;

const readQuery = queryReader(eventRoute.query);

export function registerEvents(app: FastifyInstance, { feed, limits, stillMay }: EventStreamParts): EventStreams {
  const open = new Set<ServerResponse>();
  const path = `/api/v1${eventRoute.path}`;
  refuseOtherMethods(app, path, ['GET']);
  app.get(path, { exposeHeadRoute: false, config: { scope: eventRoute.scope, streams: true } }, async (request, reply) => {
    const query = readQuery(queryTexts(request.query, Object.keys(eventRoute.query)));
    const filter = filterOf(query);
    if (open.size >= limits.streams) throw new GatehouseError('EVENT_STREAMS_BUSY', { depth: open.size });
    reply.hijack();
    const { raw } = reply;
    open.add(raw);
    publish('http.stream', { open: open.size });
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    raw.write(`retry: ${RETRY_MS}\n\n`);
    const stop = follow(raw, feed, filter, feed.cursorAt(lastOf(request, query)));
    let sentBytes = -1;
    const heartbeat = setInterval(() => {
      const sentSoFar = raw.socket?.bytesWritten ?? 0;
      if (!raw.writableNeedDrain) raw.write(': heartbeat\n\n');
      else if (sentSoFar === sentBytes) raw.destroy();
      sentBytes = sentSoFar;
      stillMay(request).then((may) => may || raw.end(), () => raw.end());
    }, limits.heartbeatMs);
    raw.once('close', () => {
      clearInterval(heartbeat);
      stop();
      open.delete(raw);
      publish('http.stream', { open: open.size });
    });
  });
  return {
    close() {
      for (const raw of open) raw.end();
    },
  };
}

/** Writes what is behind the cursor, as fast as the reader takes it, until the returned function is called. */
function follow(raw: ServerResponse, feed: EventFeed, filter: EventFilter, from: Cursor): () => void {
  let cursor = from;
  let isScheduled = false;
  const write = () => {
    isScheduled = false;
    while (feed.isBehind(cursor) && !raw.writableNeedDrain && !raw.destroyed) {
      const batch = feed.next(cursor, filter);
      cursor = batch.cursor;
      if (batch.events.length > 0) raw.write(batch.events.map((event) => `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
    }
    return !feed.isBehind(cursor);
  };
  // A burst of events is one write: a busy host has thousands of them a second, and a write of its own for each costs more than all else of them.
  let waiting: NodeJS.Timeout | undefined;
  const wake = () => {
    if (isScheduled) return;
    isScheduled = true;
    waiting = setTimeout(write, TOGETHER_MS);
  };
  const leave = feed.onEvent(wake);
  let hasCaughtUp = false;
  const catchUp = () => {
    if (write() && !hasCaughtUp) {
      hasCaughtUp = true;
      raw.write(': caught up\n\n');
    }
  };
  raw.on('drain', catchUp);
  catchUp();
  return () => {
    clearTimeout(waiting);
    leave();
  };
}

type EventQuery = QueryOf<typeof eventRoute.query>;

/** The header is the browser's own way; the query is for whoever cannot set one. */
function lastOf({ headers }: FastifyRequest, { after }: EventQuery): string | undefined {
  const header = headers['last-event-id'];
  return typeof header === 'string' ? header : after;
}

function filterOf({ types, instance }: EventQuery): EventFilter {
  return { ...(types === undefined ? {} : { types: typesOf(types) }), ...(instance === undefined ? {} : { instance }) };
}

/** `plugin.state,message.*` */
function typesOf(list: string): ReadonlySet<EventType> {
  const wanted = list.split(',').flatMap((each) => {
    const found = EVENT_TYPES.filter((type) => type === each || (each.endsWith('.*') && type.startsWith(each.slice(0, -1))));
    if (found.length === 0) throw new GatehouseError('REQUEST_INVALID', { path: '?types', problem: `there is no event '${each.slice(0, 100)}'; there are ${EVENT_TYPES.join(', ')}` });
    return found;
  });
  return new Set(wanted);
}
