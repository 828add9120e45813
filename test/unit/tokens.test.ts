// Tokens as they are handed out: what each scope opens and what it does not, rotation, revocation, and that nobody gives away more than they have.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../host/clock.ts';
import { SCOPES } from '../../host/control/scopes.ts';
import { describedRoutes } from '../../host/control/server.ts';
import { tokens } from '../../host/store/tables.ts';
import type { NewTokenView, TokenView } from '../../schemas/token.ts';
import { startTestControl, type Answer, type TestControl } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { runCommand } from '../support/run-command.ts';

function handClock(): Clock & { advance(ms: number): void } {
  let offsetMs = 0;
  const base = systemClock.now();
  return { now: () => base + offsetMs, monotonicMs: () => offsetMs, advance: (ms) => void (offsetMs += ms) };
}

const as = <T>(answer: Answer): T => JSON.parse(answer.text) as T;
const post = (control: TestControl, path: string, body: unknown, token: true | string = true) => control.call('POST', `/api/v1${path}`, { token, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
const make = async (control: TestControl, scopes: readonly string[], token: true | string = true) => as<NewTokenView>(await post(control, '/tokens', { label: 'test', scopes }, token));
const statusWith = async (control: TestControl, token: string) => (await control.call('GET', '/api/v1/status', { token })).status;

describe('scopes', () => {
  it('open exactly the routes that name them, for every route and every scope', async () => {
    await using control = await startTestControl();
    const made = await Promise.all(SCOPES.map(async (scope) => [scope, (await make(control, [scope])).token] as const));
    const { token: none } = await make(control, []);
    const wrong: string[] = [];
    for (const { method, path, scope: needed } of describedRoutes(control.host)) {
      const url = `/api/v1${path.replaceAll(/:\w+/g, 'nobody')}${path === '/events' ? '?types=nothing' : ''}`;
      const isOpen = async (token: string) => (await control.call(method, url, { token })).status !== 403;
      for (const [scope, token] of made) {
        const should = needed === 'any' || scope === '*' || scope === needed || (scope === 'control:write' && needed.endsWith(':write') && needed !== 'tokens:write');
        if ((await isOpen(token)) !== should) wrong.push(`${scope} and ${method} ${path}`);
      }
      if ((await isOpen(none)) !== (needed === 'any')) wrong.push(`nothing and ${method} ${path}`);
      if ((await control.call(method, url)).status !== 401) wrong.push(`nobody and ${method} ${path}`);
    }
    expect(wrong).toEqual([]);
  });
});

describe('a token', () => {
  it('is told once, listed without its secret, and used until it expires', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    const expiresAt = new Date(clock.now() + 60_000).toISOString();
    const answer = await post(control, '/tokens', { label: 'a dashboard', scopes: ['status:read'], expiresAt });
    expect(answer.status).toBe(201);
    const { token, ...view } = as<NewTokenView>(answer);
    expect(view).toMatchObject({ label: 'a dashboard', scopes: ['status:read'], expiresAt });
    expect(await statusWith(control, token)).toBe(200);
    const secret = token.split('_').slice(2).join('_');
    const listed = await control.call('GET', '/api/v1/tokens', { token: true });
    expect(listed.text).toContain('a dashboard');
    expect(listed.text).not.toContain(secret);
    expect(listed.text).not.toContain('secretSha256');
    clock.advance(60_000);
    expect(await statusWith(control, token)).toBe(401);
  });

  it('remembers to the minute when it was used', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    const { id, token } = await make(control, ['status:read']);
    const lastUsed = async () => as<TokenView>(await control.call('GET', `/api/v1/tokens/${id}`, { token: true })).lastUsedAt;
    expect(await lastUsed()).toBeUndefined();
    await statusWith(control, token);
    const first = await eventually(async () => {
      const at = await lastUsed();
      expect(at).toBeDefined();
      return at;
    });
    clock.advance(30_000);
    await statusWith(control, token);
    clock.advance(40_000);
    await statusWith(control, token);
    await eventually(async () => expect(Date.parse((await lastUsed()) ?? '')).toBe(Date.parse(first ?? '') + 70_000));
  });

  it('is rotated: both work for the overlap, then only the new one', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    const old = await make(control, ['status:read']);
    const renewed = as<NewTokenView>(await post(control, `/tokens/${old.id}/rotate`, { overlapSeconds: 60 }));
    expect(renewed).toMatchObject({ label: 'test', scopes: ['status:read'] });
    expect([await statusWith(control, old.token), await statusWith(control, renewed.token)]).toEqual([200, 200]);
    clock.advance(60_000);
    expect([await statusWith(control, old.token), await statusWith(control, renewed.token)]).toEqual([401, 200]);
    expect(await post(control, `/tokens/${old.id}/rotate`, {})).toMatchObject({ status: 409, json: { code: 'TOKEN_ENDED' } });
    expect(as<TokenView>(await control.call('GET', `/api/v1/tokens/${old.id}`, { token: true })).rotatedTo).toBe(renewed.id);
  });

  it('of the data directory is replaced there when it is rotated, and by no namesake', async () => {
    await using control = await startTestControl();
    const inFile = () => readFileSync(join(control.dataDir, 'admin-token'), 'utf8').trim();
    const namesake = as<NewTokenView>(await post(control, '/tokens', { label: 'admin-token file', scopes: ['status:read'] }));
    await post(control, `/tokens/${namesake.id}/rotate`, {});
    expect(inFile()).toBe(control.adminToken);
    const renewed = as<NewTokenView>(await post(control, `/tokens/${control.adminToken.split('_')[1]}/rotate`, { overlapSeconds: 0 }));
    expect(inFile()).toBe(renewed.token);
    expect(await statusWith(control, control.adminToken)).toBe(401);
    expect(await runCommand(['tokens', 'list', '--json', '--home', control.home])).toMatchObject({ code: 0 });
  });

  it('is revoked from the next request on', async () => {
    await using control = await startTestControl();
    const { id, token } = await make(control, ['status:read']);
    const first = as<TokenView>(await post(control, `/tokens/${id}/revoke`, undefined));
    expect(await statusWith(control, token)).toBe(401);
    expect(as<TokenView>(await post(control, `/tokens/${id}/revoke`, undefined))).toEqual(first);
    expect(await post(control, '/tokens/0000000000000000/revoke', undefined)).toMatchObject({ status: 404, json: { code: 'TOKEN_NOT_FOUND' } });
  });

  it('gives away, renews and ends nothing that it does not have', async () => {
    await using control = await startTestControl();
    const clerk = await make(control, ['tokens:write', 'status:read']);
    const admin = control.adminToken.split('_')[1];
    const refused = { status: 403, json: { code: 'SCOPE_BEYOND' } };
    for (const scopes of [['*'], ['control:write'], ['status:read', 'review']]) expect(await post(control, '/tokens', { label: 'more', scopes }, clerk.token)).toMatchObject(refused);
    expect(await post(control, `/tokens/${admin}/rotate`, {}, clerk.token)).toMatchObject(refused);
    expect(await post(control, `/tokens/${admin}/revoke`, undefined, clerk.token)).toMatchObject(refused);
    expect((await make(control, ['status:read'], clerk.token)).scopes).toEqual(['status:read']);
    expect(await control.host.store.range(tokens, tokens.prefix())).toHaveLength(3);
    expect((await post(control, `/tokens/${clerk.id}/revoke`, undefined, clerk.token)).status).toBe(200);
    expect((await post(control, '/tokens', { label: 'late', scopes: [] }, clerk.token)).status).toBe(401);
  });

  it('gives away no more time than it has', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    const soon = new Date(clock.now() + 60_000).toISOString();
    const far = new Date(clock.now() + 90 * 86_400_000).toISOString();
    const clerk = as<NewTokenView>(await post(control, '/tokens', { label: 'for a day', scopes: ['tokens:write', 'status:read'], expiresAt: soon }));
    for (const expiresAt of [undefined, far]) expect(as<NewTokenView>(await post(control, '/tokens', { label: 'for ever', scopes: ['status:read'], expiresAt }, clerk.token)).expiresAt).toBe(soon);
    expect(as<NewTokenView>(await post(control, `/tokens/${clerk.id}/rotate`, { expiresAt: far }, clerk.token)).expiresAt).toBe(soon);
  });

  it('is refused with a word about what is wrong', async () => {
    await using control = await startTestControl();
    expect(await post(control, '/tokens', { label: 'x', scopes: ['status:raed'] })).toMatchObject({ status: 400, json: { code: 'SCOPE_UNKNOWN', detail: expect.stringContaining('did you mean status:read?') } });
    expect(await post(control, '/tokens', { label: 'x', scopes: [], expiresAt: '2020-01-01T00:00:00.000Z' })).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
    expect(await post(control, '/tokens', { scopes: [] })).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
  });
});

describe('gatehouse tokens', () => {
  it('prints the secret alone, so that it can be piped', async () => {
    await using control = await startTestControl();
    const home = ['--home', control.home];
    const made = await runCommand(['tokens', 'create', '--label', 'ci', '--scope', 'status:read', 'plugins:read', '--expires-in', '2d', ...home]);
    expect(made.stdout.trim()).toMatch(/^ght_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    expect(made.stderr).toContain('ci: status:read, plugins:read, until ');
    expect(await statusWith(control, made.stdout.trim())).toBe(200);
    const id = made.stdout.split('_')[1] ?? '';
    expect((await runCommand(['tokens', 'revoke', id, ...home])).stdout).toContain("'ci' is refused since");
    expect((await runCommand(['tokens', ...home])).stdout).toMatch(/ci.*status:read plugins:read/);
    expect(await runCommand(['tokens', 'create', '--label', 'x', '--expires-in', 'soon', ...home])).toMatchObject({ code: 2 });
  });
});
