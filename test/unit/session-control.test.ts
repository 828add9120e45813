// Sessions at the control plane: routes and commands, with keys as strange as senders can make them.
import { describe, expect, it } from 'vitest';
import type { SessionView } from '../../schemas/control.ts';
import { startTestControl } from '../support/control-plane.ts';
import { runCommand } from '../support/run-command.ts';

const aSession = (key: string): SessionView => ({ key, id: `${key}#2`, startedAt: '2026-11-21T00:00:00.000Z', lastAt: '2026-11-21T01:00:00.000Z', messages: 3, waiting: 1 });

const STRANGE = ['webhook:a/b?c#d', '@thread:webhook:a%3Ab:c', 'webhook:%2F%25', '@peer:webhook:ада\u202e', 'webhook:..', 'webhook: ', '@main', `webhook:${'語'.repeat(256)}`];

describe('the API of sessions', () => {
  it.each(STRANGE)('finds and resets %j by its key', async (key) => {
    await using control = await startTestControl({ sessions: [aSession(key)] });
    const shown = await control.call('GET', `/api/v1/sessions/${encodeURIComponent(key)}`, { token: true });
    expect(shown).toMatchObject({ status: 200, json: aSession(key) });
    const reset = await control.call('POST', `/api/v1/sessions/${encodeURIComponent(key)}/reset`, { token: true });
    expect(reset.status).toBe(200);
    expect(control.asked.at(-1)).toMatch(/^reset-session /);
    expect(control.asked.at(-1)).toContain(` ${key} token:`);
  });

  it('lists page by page, and says of an unknown one that there is none', async () => {
    await using control = await startTestControl({ sessions: [aSession('@main')] });
    expect((await control.call('GET', '/api/v1/sessions?limit=5', { token: true })).json).toEqual({ items: [aSession('@main')], cursor: null });
    expect(control.asked.at(-1)).toBe('list-sessions {"limit":5}');
    expect(await control.call('GET', '/api/v1/sessions/nobody', { token: true })).toMatchObject({ status: 404, json: { code: 'SESSION_NOT_FOUND' } });
    expect(await control.call('POST', '/api/v1/sessions/nobody/reset', { token: true })).toMatchObject({ status: 404, json: { code: 'SESSION_NOT_FOUND' } });
  });

  it('never asks for a key that no store could hold', async () => {
    await using control = await startTestControl();
    for (const key of ['x'.repeat(513), encodeURIComponent('語'.repeat(400)).slice(0, 3600)]) {
      const { status } = await control.call('GET', `/api/v1/sessions/${key}`, { token: true });
      expect(status).toBe(key.startsWith('x') ? 414 : 404);
    }
    expect(await control.call('GET', `/api/v1/messages/${'x'.repeat(3000)}`, { token: true })).toMatchObject({ status: 414, json: { code: 'URL_TOO_LONG' } });
    expect(await control.call('GET', `/api/v1/messages/${'x'.repeat(3601)}`, { token: true })).toMatchObject({ status: 414, json: { code: 'URL_TOO_LONG' } });
  });

  it('is for tokens alone', async () => {
    await using control = await startTestControl({ sessions: [aSession('@main')] });
    expect((await control.call('GET', '/api/v1/sessions')).status).toBe(401);
    expect((await control.call('POST', '/api/v1/sessions/%40main/reset')).status).toBe(401);
    expect(control.asked).toEqual([]);
  });
});

describe('gatehouse sessions', () => {
  it('lists, shows and resets, with foreign text made harmless for people and left whole for scripts', async () => {
    const strange = aSession('@peer:webhook:a/b\u001b[2J');
    await using control = await startTestControl({ sessions: [strange] });
    const listed = await runCommand(['sessions', '--home', control.home]);
    expect(listed.stdout).toMatch(/^key +last at +started at +messages +waiting/);
    const shown = await runCommand(['sessions', 'show', strange.key, '--home', control.home]);
    const reset = await runCommand(['sessions', 'reset', strange.key, '--home', control.home]);
    expect(reset.stdout).toContain('begins a new session');
    for (const { stdout, code } of [listed, shown, reset]) {
      expect(code).toBe(0);
      expect(stdout).not.toContain('\u001b');
    }
    expect((await runCommand(['sessions', 'show', strange.key, '--json', '--home', control.home])).json()).toEqual(strange);
    expect(await runCommand(['sessions', 'show', 'nobody', '--home', control.home])).toMatchObject({ code: 1, stderr: expect.stringContaining('gatehouse sessions') });
  });
});

describe('gatehouse send', () => {
  it('writes to a session or a person, and wants exactly one way to say whom', async () => {
    await using control = await startTestControl();
    const send = (...to: string[]) => runCommand(['send', ...to, '--text', 'hi', '--home', control.home]);
    expect((await send('--to-session', '@main')).code).toBe(0);
    expect((await send('--to-identity', 'ada')).code).toBe(0);
    expect(control.asked).toEqual(['send to session @main hi', 'send to identity ada hi']);
    for (const to of [[], ['--to-session', '@main', '--to-identity', 'ada'], ['--channel', 'hook', '--to', 'c', '--to-session', '@main'], ['--channel', 'hook'], ['--to', 'c']]) {
      expect(await send(...to)).toMatchObject({ code: 2 });
    }
    expect(control.asked).toHaveLength(2);
  });

  it('is refused for a body that names two ways, or none', async () => {
    await using control = await startTestControl();
    const post = (body: object) => control.call('POST', '/api/v1/messages', { token: true, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
    for (const body of [{ text: 'x' }, { session: '@main', identity: 'ada', text: 'x' }, { channel: 'hook', to: 'c', session: '@main', text: 'x' }, { channel: 'hook', text: 'x' }, { session: '', text: 'x' }, { session: 'x'.repeat(401), text: 'x' }]) {
      expect(await post(body)).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } });
    }
    expect(control.asked).toEqual([]);
  });
});
