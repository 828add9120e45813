// What a status and a Retry-After mean for a delivery.
import { describe, expect, it } from 'vitest';
import { judgeAnswer, MOST_RETRY_AFTER_MS } from '../../host/outbound/answers.ts';

const NOW = Date.parse('2026-11-21T08:00:00Z');
const judge = (status: number, retryAfter?: string) => judgeAnswer(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }, NOW);

describe('an answer', () => {
  it.each([200, 201, 202, 204, 206, 299])('of %i is done', (status) => expect(judge(status)).toEqual({ outcome: 'done' }));
  it.each([408, 425, 429, 500, 501, 502, 503, 504, 599])('of %i is tried again', (status) => expect(judge(status)).toEqual({ outcome: 'later' }));
  it.each([300, 301, 302, 304, 307, 400, 401, 403, 404, 409, 410, 413, 422, 451, 499])('of %i is final', (status) => expect(judge(status, '5')).toEqual({ outcome: 'refused' }));

  it.each<[string, number | undefined]>([
    ['0', 0],
    ['7', 7000],
    ['86400', MOST_RETRY_AFTER_MS],
    ['9999999999', MOST_RETRY_AFTER_MS],
    ['Sat, 21 Nov 2026 08:00:09 GMT', 9000],
    ['Sat, 21 Nov 2026 07:00:00 GMT', 0],
    ['Sun, 22 Nov 2026 08:00:00 GMT', MOST_RETRY_AFTER_MS],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['2026-11-21T08:00:09Z', undefined],
    ['99999999999', undefined],
    ['Xxx, 99 Xxx 2026 08:00:00 GMT', undefined],
  ])('that says retry-after %j waits for %s ms', (value, afterMs) => {
    expect(judge(503, value)).toEqual(afterMs === undefined ? { outcome: 'later' } : { outcome: 'later', afterMs });
  });
});
