// What a source is told about its message, and the shapes it is told in: HTTP answers and socket acks.
import type { IngressAnswer } from './ingress.ts';
import { GatehouseError, type ErrorCode, type Fields } from '../../errors.ts';
import { problemAnswer, toProblem } from '../../problem.ts';

export type Acceptance =
  | { readonly status: 'accepted' | 'duplicate' | 'held'; readonly messageId: string }
  /** Not for this instance: the source is done with it. */
  | { readonly status: 'ignored'; readonly code: ErrorCode; readonly reason: string }
  | { readonly status: 'refused'; readonly code: ErrorCode; readonly fields: Fields; readonly reason?: string };

/** 202 accepted or held, 200 duplicate or ignored, else the problem of its code. Several messages answer with a list and the status of the first that was not taken. */
export function httpAnswer(acceptances: readonly Acceptance[]): IngressAnswer {
  const [first] = acceptances;
  if (first && acceptances.length === 1) {
    if (first.status === 'refused') return problemAnswer(first.code, { ...first.fields, ...(first.reason === undefined ? {} : { reason: first.reason }) });
    return jsonAnswer(first.status === 'duplicate' || first.status === 'ignored' ? 200 : 202, first);
  }
  const refused = acceptances.find((each) => each.status === 'refused');
  const items = acceptances.map((each) => (each.status === 'refused' ? { status: 'refused', code: each.code, ...(each.reason === undefined ? {} : { reason: each.reason }) } : each));
  return jsonAnswer(refused ? new GatehouseError(refused.code).row.httpStatus : 202, { items });
}

export function jsonAnswer(status: number, body: unknown): IngressAnswer {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(body) };
}

/** The `ack` frame of a socket channel; `id` is the sender's own. A retryable refusal says when to send again. */
export function ackFrame(id: string, acceptance: Acceptance): string {
  if (acceptance.status !== 'refused') return JSON.stringify({ type: 'ack', id, ...acceptance });
  const { detail, retryAfterMs } = toProblem(new GatehouseError(acceptance.code, acceptance.fields));
  return JSON.stringify({ type: 'ack', id, status: 'denied', code: acceptance.code, reason: acceptance.reason ?? detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}
