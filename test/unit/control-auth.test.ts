// Tokens, scopes, lockout: who gets past the door of the control plane, and in which order it asks.
import { rm, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock, toTimestamp, type Clock } from '../../host/clock.ts';
import { ensureAdminToken } from '../../host/control/admin-token.ts';
import type { Scope } from '../../host/control/scopes.ts';
import { mintToken, putToken, readToken } from '../../host/control/tokens.ts';
import { tokens } from '../../host/store/tables.ts';
import { aPlugin, startTestControl, type TestControl } from '../support/control-plane.ts';

async function aToken({ host }: TestControl, scopes: readonly Scope[], expiresAt?: string): Promise<string> {
  const { token, row } = mintToken({ label: 'test', scopes, ...(expiresAt === undefined ? {} : { expiresAt }) }, host.clock);
  await host.store.commit({ put: [putToken(row)] });
  return token;
}

/** Stands still until it is moved. */
function handClock(): Clock & { advance(ms: number): void } {
  let offsetMs = 0;
  const base = systemClock.now();
  return { now: () => base + offsetMs, monotonicMs: () => offsetMs, advance: (ms) => void (offsetMs += ms) };
}

describe('the admin token', () => {
  it('is written at the first start, for the owner alone, and opens everything', async () => {
    await using control = await startTestControl();
    const { mode } = await stat(join(control.dataDir, 'admin-token'));
    expect(mode & 0o777).toBe(0o600);
    expect(control.adminToken).toMatch(/^ght_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    expect((await control.call('GET', '/api/v1/status', { token: true })).status).toBe(200);
  });

  it('is kept as a hash: the store does not hold the secret', async () => {
    await using control = await startTestControl();
    const rows = await control.host.store.range(tokens, tokens.prefix());
    const secret = control.adminToken.split('_').slice(2).join('_');
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  it('survives a restart', async () => {
    await using control = await startTestControl();
    await ensureAdminToken({ ...control.host, dataDir: control.dataDir });
    expect(readFileSync(join(control.dataDir, 'admin-token'), 'utf8').trim()).toBe(control.adminToken);
  });

  it('is replaced, and the old one revoked, when its file was removed', async () => {
    await using control = await startTestControl();
    await rm(join(control.dataDir, 'admin-token'));
    await ensureAdminToken({ ...control.host, dataDir: control.dataDir });
    const renewed = readFileSync(join(control.dataDir, 'admin-token'), 'utf8').trim();
    expect((await control.call('GET', '/api/v1/status', { token: renewed })).status).toBe(200);
    expect((await control.call('GET', '/api/v1/status', { token: true })).status).toBe(401);
  });
});

describe('authentication', () => {
  it('comes before routing, methods, bodies and validation', async () => {
    await using control = await startTestControl();
    for (const [method, path, body] of [['GET', '/api/v1/status'], ['GET', '/api/v1/nothing'], ['GET', '/nothing'], ['PATCH', '/api/v1/status'], ['POST', '/api/v1/messages', '{broken'], ['GET', '/api/v1/%zz'], ['OPTIONS', '/api/v1/status']] as const) {
      const answer = await control.call(method, path, body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } });
      expect({ method, path, status: answer.status, code: answer.json?.['code'] }).toEqual({ method, path, status: 401, code: 'UNAUTHENTICATED' });
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  });

  it('refuses whatever is not exactly a token that the store knows', async () => {
    await using control = await startTestControl();
    const [scheme, id, secret = ''] = control.adminToken.split('_');
    const others = ['', 'x', `${scheme}_${id}`, `${scheme}_${id}_`, `${scheme}_${id}_${'A'.repeat(43)}`, `${scheme}_${'0'.repeat(16)}_${secret}`, `${control.adminToken}x`, control.adminToken.toUpperCase(), `${scheme}__${secret}`];
    for (const other of others) expect(await readToken(other, control.host.store, control.host.clock)).toBeUndefined();
    expect(await readToken(control.adminToken, control.host.store, control.host.clock)).toMatchObject({ scopes: ['*'] });
  });

  it('takes the scheme in any case and nothing but Bearer', async () => {
    await using control = await startTestControl();
    expect((await control.call('GET', '/api/v1/status', { headers: { authorization: `bearer ${control.adminToken}` } })).status).toBe(200);
    expect((await control.call('GET', '/api/v1/status', { headers: { authorization: `Basic ${control.adminToken}` } })).status).toBe(401);
  });

  it('refuses a token from the moment it expires', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    const token = await aToken(control, ['*'], toTimestamp(clock.now() + 1000));
    expect((await control.call('GET', '/api/v1/status', { token })).status).toBe(200);
    clock.advance(1000);
    expect((await control.call('GET', '/api/v1/status', { token })).status).toBe(401);
  });

  it('holds each route to its scope', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    const token = await aToken(control, ['plugins:read']);
    expect((await control.call('GET', '/api/v1/plugins', { token })).status).toBe(200);
    const refused = await control.call('POST', '/api/v1/plugins/echo/enable', { token });
    expect(refused).toMatchObject({ status: 403, json: { code: 'FORBIDDEN', detail: expect.stringContaining('plugins:write') } });
    expect(control.asked).toEqual([]);
  });
});

describe('lockout', () => {
  it('closes the way in after ten wrong tokens within a minute, and opens it after five', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    for (let attempt = 0; attempt < 10; attempt += 1) expect((await control.call('GET', '/api/v1/status', { token: 'ght_wrong' })).status).toBe(401);
    const locked = await control.call('GET', '/api/v1/status', { token: true });
    expect(locked).toMatchObject({ status: 429, json: { code: 'LOCKED_OUT', retryAfterMs: 300_000 } });
    expect(locked.headers['retry-after']).toBe('300');
    clock.advance(300_001);
    expect((await control.call('GET', '/api/v1/status', { token: true })).status).toBe(200);
  });

  it('does not count requests without a token, nor wrong ones that are far apart', async () => {
    const clock = handClock();
    await using control = await startTestControl({ clock });
    for (let attempt = 0; attempt < 30; attempt += 1) await control.call('GET', '/api/v1/status');
    for (let attempt = 0; attempt < 30; attempt += 1) {
      await control.call('GET', '/api/v1/status', { token: 'ght_wrong' });
      clock.advance(10_000);
    }
    expect((await control.call('GET', '/api/v1/status', { token: true })).status).toBe(200);
  });

  it('leaves public routes alone', async () => {
    await using control = await startTestControl();
    for (let attempt = 0; attempt < 11; attempt += 1) await control.call('GET', '/api/v1/status', { token: 'ght_wrong' });
    expect((await control.call('GET', '/healthz')).status).toBe(200);
  });
});
