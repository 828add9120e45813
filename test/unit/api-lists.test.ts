// Lists of the API through HTTP: what they are filtered and ordered by, and cursors that mean one place of one list.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokens } from '../../host/store/tables.ts';
import { put } from '../../host/store/store.ts';
import { aPlugin, startTestControl, type TestControl } from '../support/control-plane.ts';

interface Listed {
  readonly status: number;
  readonly code?: string;
  readonly items: readonly Record<string, unknown>[];
  readonly cursor: string | null;
}

describe('a list', () => {
  let control: TestControl;
  beforeAll(async () => {
    const plugins = [['delta', 3, 'active'], ['alpha', 3, 'active'], ['charlie', 1, 'disabled'], ['bravo', 2, 'active']] as const;
    control = await startTestControl({ plugins: plugins.map(([instance, restarts, state]) => aPlugin({ instance, restarts, state, required: instance === 'alpha' })) });
  });
  afterAll(() => control[Symbol.asyncDispose]());

  const get = async (path: string): Promise<Listed> => {
    const { status, json } = await control.call('GET', `/api/v1${path}`, { token: true });
    return { items: [], cursor: null, ...json, status };
  };
  const names = async (query: string) => (await get(`/plugins?${query}`)).items.map(({ instance }) => instance);

  it('is in the order that is asked for, equals by their key', async () => {
    expect(await names('')).toEqual(['alpha', 'bravo', 'charlie', 'delta']);
    expect(await names('sort=restarts')).toEqual(['charlie', 'bravo', 'alpha', 'delta']);
    expect(await names('sort=-restarts')).toEqual(['delta', 'alpha', 'bravo', 'charlie']);
  });

  it('holds what fits its filters', async () => {
    expect(await names('state=disabled')).toEqual(['charlie']);
    expect(await names('required=true')).toEqual(['alpha']);
    expect(await names('kind=channel')).toEqual([]);
  });

  it('is read page by page, each thing once, in any order', async () => {
    for (const sort of ['instance', '-restarts']) {
      const seen: unknown[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: Listed = await get(`/plugins?limit=1&sort=${sort}${cursor === '' ? '' : `&cursor=${cursor}`}`);
        seen.push(...page.items.map(({ instance }) => instance));
        cursor = page.cursor;
      }
      expect(seen).toEqual(await names(`sort=${sort}`));
    }
  });

  it('goes on where it was although the last row it showed is gone and others came', async () => {
    const token = (id: string) => put(tokens, tokens.key(id), { id, secretSha256: '', label: id, scopes: ['status:read'], createdAt: `2026-01-0${id.slice(1)}T00:00:00.000Z` });
    const { store } = control.host;
    await store.commit({ put: ['t1', 't3', 't5', 't7'].map(token) });
    const first = await get('/tokens?scope=status:read&sort=createdAt&limit=2');
    expect(first.items.map(({ id }) => id)).toEqual(['t1', 't3']);
    await store.commit({ put: ['t2', 't4'].map(token), remove: [{ table: tokens, key: tokens.key('t3') }] });
    expect((await get(`/tokens?scope=status:read&sort=createdAt&limit=9&cursor=${first.cursor}`)).items.map(({ id }) => id)).toEqual(['t4', 't5', 't7']);
  });

  it('tells tokens that count from those that do not', async () => {
    await control.host.store.commit({ put: [put(tokens, tokens.key('old'), { id: 'old', secretSha256: '', label: 'old', scopes: [], createdAt: '2020-01-01T00:00:00.000Z', expiresAt: '2021-01-01T00:00:00.000Z' })] });
    expect((await get('/tokens?state=expired')).items.map(({ id }) => id)).toEqual(['old']);
    expect((await get('/tokens?state=revoked')).items).toEqual([]);
    expect((await get('/tokens?state=active')).items).not.toContainEqual(expect.objectContaining({ id: 'old' }));
  });

  it('of the log is of one outcome and one span', async () => {
    await control.call('POST', '/api/v1/plugins/alpha/enable', { token: true });
    await control.call('POST', '/api/v1/plugins/nobody/enable', { token: true });
    const refused = await get('/audit?outcome=refused');
    expect(refused.items).toMatchObject([{ resource: '/plugins/nobody/enable', outcome: 'refused' }]);
    const at = String(refused.items[0]?.['at']);
    expect((await get(`/audit?outcome=refused&since=${at}`)).items).toHaveLength(1);
    expect((await get(`/audit?outcome=refused&until=${at}`)).items).toEqual([]);
    const [oldest] = (await get('/audit?sort=at&limit=1')).items;
    expect(oldest).toMatchObject({ index: 0 });
  });

  it.each([
    ['that nobody gave', async () => 'nonsense'],
    ['with something else inside', async () => Buffer.from('["listPlugins","instance",7]').toString('base64url')],
    ['whose place is none', async () => Buffer.from('["listPlugins","instance","{}"]').toString('base64url')],
    ['with half a character', async () => Buffer.from('["listPlugins","instance","\\ud800"]').toString('base64url')],
    ['of another list', async () => (await get('/audit?limit=1')).cursor],
    ['of another order', async () => (await get('/plugins?limit=1&sort=-restarts')).cursor],
  ])('refuses a cursor %s', async (_what, make) => {
    expect(await get(`/plugins?sort=instance&cursor=${await make()}`)).toMatchObject({ status: 400, code: 'CURSOR_INVALID' });
  });
});
