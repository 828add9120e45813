// What is wrong with the body of `POST /messages`, field by field: its schema is a union, which can only say that nothing of it fits. routes/messages.ts asks before the schema does.
import { InstanceId } from '../../../schemas/ids.ts';
import { GatehouseError } from '../../errors.ts';
import { nearestOf } from '../../nearest.ts';

/** Where a message may be sent to: exactly one of them. */
const PLACES = ['channel', 'session', 'identity'] as const;
const FIELDS = [...PLACES, 'to', 'text'];

const MOST_CHARACTERS: Readonly<Record<string, number>> = { to: 256, session: 400, identity: 64, text: 65_536 };

/** Throws REQUEST_INVALID with the field, what it holds and what it should; what is no object at all is left to the schema. */
export function refuseUnclear(body: unknown): void {
  if (!(body instanceof Object) || Array.isArray(body)) return;
  const given: Readonly<Record<string, unknown>> = { ...Object(body) };
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    const nearest = nearestOf(unknown, FIELDS);
    throw wrong(unknown, nearest === undefined ? `unknown; this takes ${FIELDS.join(', ')}` : `unknown; did you mean ${nearest}?`);
  }
  const [place, second] = PLACES.filter((name) => given[name] !== undefined);
  if (place === undefined) throw wrong('to' in given ? 'channel' : '', 'it does not say where to: give channel and to, or session, or identity');
  if (second !== undefined) throw wrong(second, `given beside ${place}: a message goes to one place, so leave one of them out`);
  if (place !== 'channel' && given['to'] !== undefined) throw wrong('to', `given beside ${place}, which has a place of its own: leave it out`);
  for (const name of place === 'channel' ? ['channel', 'to', 'text'] : [place, 'text']) refuseUnreadable(name, given[name]);
  if (place === 'channel' && !InstanceId.is(String(given['channel']))) throw wrong('channel', `${shown(given['channel'])} is no name of an instance; \`gatehouse plugins list\` shows those there are`);
  if (String(given['text']).trim() === '') throw wrong('text', 'it is empty');
}

function refuseUnreadable(name: string, value: unknown): void {
  if (value === undefined) throw wrong(name, name === 'to' ? 'it is missing: the conversation to write to' : 'it is missing');
  if (typeof value !== 'string') throw wrong(name, `${shown(value)} is no text`);
  if (value === '') throw wrong(name, 'it is empty');
  if (!value.isWellFormed()) throw wrong(name, 'it holds half of a surrogate pair, which is no Unicode');
  const most = MOST_CHARACTERS[name] ?? Infinity;
  if (value.length > most) throw wrong(name, `it has ${value.length} characters, and ${most} are the most`);
}

/** Enough of a value to know it again. */
const shown = (value: unknown): string => (JSON.stringify(value) ?? '').slice(0, 80);

const wrong = (name: string, problem: string) => new GatehouseError('REQUEST_INVALID', { path: `/${name}`, problem });
