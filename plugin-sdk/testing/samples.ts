// Builders of the values the host hands to handlers: sensible defaults, and whatever a test cares about on top.
import type { ChannelRequest, Delivery, Message, Session } from '../../schemas/message.ts';

const AT = '2026-11-21T08:00:00.000Z';

export const aMessage = (parts: Partial<Message> = {}): Message => ({
  id: '01932b6e-4a00-7000-8000-000000000001',
  senderMessageId: 'm1',
  instance: 'webchat',
  conversation: 'conversation-1',
  sender: { id: 'ada' },
  text: 'hello',
  mentions: [],
  media: [],
  at: AT,
  flags: [],
  stages: [],
  ...parts,
});

export const aSession = (parts: Partial<Session> = {}): Session => ({ key: 'webchat:conversation-1', id: 'webchat:conversation-1#1', startedAt: AT, messages: 1, ...parts });

export const aDelivery = (parts: Partial<Delivery> = {}): Delivery => ({
  id: '01932b6e-4a00-7000-8000-000000000002',
  conversation: 'conversation-1',
  inReplyTo: 'm1',
  text: 'hello yourself',
  at: AT,
  attempt: 1,
  ...parts,
});

type HttpRequest = Extract<ChannelRequest, { kind: 'http' }>;
type SocketEvent = Exclude<ChannelRequest, { kind: 'http' }>;

/** A request to an ingress route; an object given as `body` is sent as JSON. */
export const anHttpRequest = ({ body = '', ...parts }: Partial<Omit<HttpRequest, 'kind' | 'body'>> & { readonly body?: string | object } = {}): ChannelRequest => ({
  kind: 'http',
  method: 'POST',
  path: '/',
  params: {},
  query: {},
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
  ...parts,
});

export const aSocketOpening = (parts: Partial<Omit<SocketEvent, 'kind'>> = {}): ChannelRequest => ({ kind: 'open', connection: 'c1', conversation: 'conversation-1', query: {}, ...parts });

/** A text frame; an object given as `text` is sent as JSON. */
export const aSocketFrame = ({ text, ...parts }: Partial<Omit<SocketEvent, 'kind' | 'text'>> & { readonly text: string | object }): ChannelRequest => ({
  kind: 'frame',
  connection: 'c1',
  conversation: 'conversation-1',
  query: {},
  text: typeof text === 'string' ? text : JSON.stringify(text),
  ...parts,
});
