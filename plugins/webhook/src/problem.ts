// What a caller reads about a bad request: problem+json (RFC 9457) with the host's code for it, and the reason in plain words.
import type { HttpResponse } from '@gatehouse/plugin-sdk';

const TITLES = { 400: 'Bad Request', 413: 'Content Too Large' } as const;

export type ProblemStatus = keyof typeof TITLES;

export function problem(status: ProblemStatus, reason: string): HttpResponse {
  const code = status === 413 ? 'INGRESS_TOO_LARGE' : 'INGRESS_BODY';
  return { status, headers: { 'content-type': 'application/problem+json' }, body: { type: 'about:blank', title: TITLES[status], status, detail: `The message is refused: ${reason}.`, code, reason } };
}
