// What requests may ask of a list: parameters are read by their schemas, and what does not fit is refused by name.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestControl, type TestControl } from '../support/control-plane.ts';

describe('a query', () => {
  let control: TestControl;
  beforeAll(async () => void (control = await startTestControl()));
  afterAll(() => control[Symbol.asyncDispose]());

  const get = (path: string) => control.call('GET', `/api/v1${path}`, { token: true });

  it.each([
    ['/messages?limit=0', '?limit', 'must be a whole number from 1 to 200'],
    ['/messages?limit=1e2', '?limit', 'must be a whole number from 1 to 200'],
    ['/messages?limit=', '?limit', 'must be a whole number from 1 to 200'],
    ['/messages?direction=up', '?direction', "must be 'inbound' or 'outbound'"],
    ['/messages?instance=a&instance=b', '?instance', 'given more than once'],
    ['/messages?colour=red', '?colour', 'unknown; this takes cursor, limit, instance'],
    [`/messages?cursor=${'x'.repeat(2049)}`, '?cursor', 'must NOT have more than 2048 characters'],
    [`/messages?instance=${'x'.repeat(4097)}`, '?instance', 'longer than 4096 characters'],
    ['/messages?sort=text', '?sort', "must be '-at' or 'at'"],
    ['/plugins?required=yes', '?required', 'must be true or false'],
    [`/scans?plugin=${'x'.repeat(129)}`, '?plugin', 'must NOT have more than 128 characters'],
    ['/audit?since=yesterday', '?since', 'must be a moment as RFC 3339 writes it'],
    ['/audit?since=2026-02-30T00:00:00Z', '?since', 'must be a moment as RFC 3339 writes it'],
    ['/audit/consistency', '?first', 'must be a whole number'],
    ['/status?verbose=1', '?verbose', 'this takes no query'],
    ['/events?colour=red', '?colour', 'unknown; this takes types, instance, after'],
  ])('%s is refused where it is wrong', async (path, where, problem) => {
    const { status, json } = await get(path);
    expect({ status, ...json }).toMatchObject({ status: 400, code: 'REQUEST_INVALID', detail: expect.stringContaining(`${where}: ${problem}`) });
  });

  it('is read as what its text stands for', async () => {
    await get('/scans?limit=7&plugin=acme.faq&outcome=warn');
    expect(JSON.parse(control.asked.at(-1)?.replace('list-scans ', '') ?? '')).toEqual({ limit: 7, plugin: 'acme.faq', outcome: 'warn' });
  });

  it('takes a moment in any zone, and a day for its first moment', async () => {
    for (const moment of ['2026-11-21', '2026-11-21T08:00:00Z', '2026-11-21T09:00:00.5%2B01:00']) expect(await get(`/audit?since=${moment}`)).toMatchObject({ status: 200 });
  });

  it('is described in the document by what reads it', async () => {
    const { json } = await control.call('GET', '/openapi.json');
    const limit = expect.objectContaining({ name: 'limit', in: 'query', description: 'Items of one page at most.', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 } });
    const sort = expect.objectContaining({ name: 'sort', in: 'query', schema: { type: 'string', enum: ['-at', 'at'], default: '-at' } });
    expect(json).toMatchObject({ paths: { '/api/v1/messages': { get: { parameters: expect.arrayContaining([limit, sort]) } } } });
  });
});
