// Reads a frame of the page: `{"type":"message","id","text"}`. Further keys are ignored.
import { BOUNDS, utf8Length } from '@gatehouse/plugin-sdk';

export type ParsedFrame =
  | { readonly ok: true; readonly id: string; readonly text: string }
  | { readonly ok: false; readonly code: string; readonly problem: string; readonly id?: string };

const MOST_ID_LENGTH = 256;

export function parseFrame(frame: string): ParsedFrame {
  const { type, id, text } = fieldsOf(frame);
  if (type === undefined) return refused('FRAME_INVALID', 'A frame is a JSON object with a type.');
  if (type !== 'message') return refused('FRAME_UNKNOWN', 'The only type of frame there is to send is "message".');
  if (typeof id !== 'string' || id === '' || id.length > MOST_ID_LENGTH || /\p{Cc}/u.test(id) || !id.isWellFormed()) {
    return refused('ID_INVALID', `A message needs an id: text of 1 to ${MOST_ID_LENGTH} characters, without control characters.`);
  }
  if (typeof text !== 'string' || !text.isWellFormed()) return refused('TEXT_INVALID', 'A message needs a text.', id);
  if (text.trim() === '') return refused('TEXT_EMPTY', 'The message is empty.', id);
  if (utf8Length(text) > BOUNDS.messageTextBytes) return refused('TEXT_TOO_LARGE', `The message has more than ${BOUNDS.messageTextBytes} bytes.`, id);
  return { ok: true, id, text };
}

const refused = (code: string, problem: string, id?: string): ParsedFrame => ({ ok: false, code, problem, ...(id === undefined ? {} : { id }) });

interface Fields {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly text?: unknown;
}

function fieldsOf(frame: string): Fields {
  try {
    const value: unknown = JSON.parse(frame);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // not JSON: a frame without a type
  }
}
