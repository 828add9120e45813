// Reads the body of `POST /messages`: closed, so that a misspelt key is found at once instead of being lost.
import { BOUNDS, utf8Length, type InboundMessage, type Room } from '@gatehouse/plugin-sdk';
import type { ProblemStatus } from './problem.ts';

export interface MessageRules {
  /** Refuse messages without a timestamp. Unset is false. */
  readonly requireTimestamp?: boolean;
}

export type ParsedMessage = { readonly ok: true; readonly message: InboundMessage } | { readonly ok: false; readonly status: ProblemStatus; readonly reason: string };

const HOUR_MS = 3_600_000;
/** Less than the 7 days for which the host remembers ids: a captured request is either still remembered or already too old. */
const MOST_AGE_MS = 6 * 24 * HOUR_MS;
/** Clocks differ. With the age it must stay below those 7 days. */
const MOST_AHEAD_MS = HOUR_MS;

const MOST_ID_LENGTH = 256;
const MOST_MENTIONS = 100;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;

class Refused extends Error {
  readonly status: ProblemStatus;
  constructor(reason: string, status: ProblemStatus = 400) {
    super(reason);
    this.status = status;
  }
}

/** Never throws for anything a caller sends. */
export function parseMessage(body: string, { requireTimestamp = false }: MessageRules, nowMs: number): ParsedMessage {
  try {
    const { id, conversation, sender, text, timestamp, room, thread, account, mentions, replyTo } = fieldsOf(json(body), 'the body', ['id', 'conversation', 'sender', 'text', 'timestamp', 'room', 'thread', 'account', 'mentions', 'replyTo']);
    const { id: senderId, name } = fieldsOf(sender, "'sender'", ['id', 'name']);
    if (requireTimestamp && timestamp === undefined) throw new Refused("'timestamp' is missing");
    const message: InboundMessage = {
      id: identifier(id, 'id'),
      conversation: identifier(conversation, 'conversation'),
      sender: { id: identifier(senderId, 'sender.id'), ...(name === undefined ? {} : { name: words(name, 'sender.name', MOST_ID_LENGTH) }) },
      text: messageText(text),
      ...(timestamp === undefined ? {} : { at: recent(timestamp, nowMs) }),
      ...(room === undefined ? {} : { room: place(room) }),
      ...(thread === undefined ? {} : { thread: identifier(thread, 'thread') }),
      ...(account === undefined ? {} : { account: identifier(account, 'account') }),
      ...(mentions === undefined ? {} : { mentions: listOfIds(mentions, 'mentions') }),
      ...(replyTo === undefined ? {} : { replyTo: identifier(replyTo, 'replyTo') }),
    };
    return { ok: true, message };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, status: error.status, reason: error.message };
    throw error;
  }
}

function json(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Refused('the body is not valid JSON');
  }
}

function fieldsOf<Name extends string>(value: unknown, what: string, names: readonly Name[]): Partial<Record<Name, unknown>> {
  if (value === undefined) throw new Refused(`${what} is missing`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refused(`${what} must be an object`);
  const known: readonly string[] = names;
  for (const key of Object.keys(value)) if (!known.includes(key)) throw new Refused(`${what} has an unknown key '${key.slice(0, 40)}'; known are ${known.join(', ')}`);
  return value;
}

function words(value: unknown, name: string, mostLength: number): string {
  if (value === undefined) throw new Refused(`'${name}' is missing`);
  if (typeof value !== 'string') throw new Refused(`'${name}' must be text`);
  if (value.length > mostLength) throw new Refused(`'${name}' has more than ${mostLength} characters`);
  if (!value.isWellFormed()) throw new Refused(`'${name}' has half a character (a lone surrogate)`);
  return value;
}

function listOfIds(value: unknown, name: string): string[] {
  if (!Array.isArray(value)) throw new Refused(`'${name}' must be a list`);
  if (value.length > MOST_MENTIONS) throw new Refused(`'${name}' has more than ${MOST_MENTIONS} entries`);
  return value.map((each) => identifier(each, name));
}

function identifier(value: unknown, name: string): string {
  const id = words(value, name, MOST_ID_LENGTH);
  if (id === '') throw new Refused(`'${name}' is empty`);
  if (/\p{Cc}/u.test(id)) throw new Refused(`'${name}' has control characters`);
  return id;
}

function place(value: unknown): Room {
  const { kind, name } = fieldsOf(value, "'room'", ['kind', 'name']);
  if (kind !== 'direct' && kind !== 'group' && kind !== 'channel') throw new Refused("'room.kind' must be direct, group or channel");
  return { kind, ...(name === undefined ? {} : { name: words(name, 'room.name', MOST_ID_LENGTH) }) };
}

function messageText(value: unknown): string {
  const text = words(value, 'text', Infinity);
  if (text.trim() === '') throw new Refused("'text' is empty");
  if (utf8Length(text) > BOUNDS.messageTextBytes) throw new Refused(`'text' has more than ${BOUNDS.messageTextBytes} bytes`, 413);
  return text;
}

function recent(value: unknown, nowMs: number): string {
  const atMs = typeof value === 'string' && RFC_3339.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(atMs)) throw new Refused("'timestamp' must be a time like 2026-11-21T08:00:00.000Z (RFC 3339)");
  if (nowMs - atMs >= MOST_AGE_MS) throw new Refused("'timestamp' is 6 days old or older");
  if (atMs - nowMs > MOST_AHEAD_MS) throw new Refused("'timestamp' is more than an hour in the future");
  return new Date(atMs).toISOString();
}
