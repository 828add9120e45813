// What operators do through the API, as the transparency log tells it: done, refused, failed; and nothing done that could not be told.
import { describe, expect, it, vi } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { newInvite } from '../../host/pipeline/pairing/secrets.ts';
import { put } from '../../host/store/store.ts';
import { auditEntries, invites, tokens } from '../../host/store/tables.ts';
import { mintToken, putToken } from '../../host/control/tokens.ts';
import { aPlugin, startTestControl, type TestControl } from '../support/control-plane.ts';

const json = { 'content-type': 'application/json' };
const entriesOf = async ({ host }: TestControl) => (await host.store.range(auditEntries, [])).map(({ value }) => value.entry).filter(({ action }) => action.startsWith('api.'));
const told = async (control: TestControl) => (await entriesOf(control)).map(({ action, resource, outcome, detail }) => [action, resource, outcome, ...(detail?.['code'] === undefined ? [] : [detail['code']])].join(' '));

/** A token that may only look. */
async function aReader({ host }: TestControl): Promise<{ readonly token: string; readonly id: string }> {
  const { token, row } = mintToken({ label: 'reader', scopes: ['plugins:read'] }, host.clock);
  await host.store.commit({ put: [putToken(row)] });
  return { token, id: row.id };
}

describe('an action through the API', () => {
  it('is told before it is done and when it has ended, with who asked', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    await control.call('POST', '/api/v1/plugins/echo/disable', { token: true, headers: json, body: '{"reason":"too loud"}' });
    await control.call('POST', '/api/v1/plugins/nobody/disable', { token: true, headers: json, body: '{"reason":"x"}' });
    await control.call('POST', '/api/v1/plugins/echo/disable', { token: true, headers: json, body: '{}' });
    await control.call('DELETE', '/api/v1/dead-letters/none', { token: true });
    const entries = await entriesOf(control);
    expect(await told(control)).toEqual([
      'api.plugins.disable /plugins/echo/disable begun', 'api.plugins.disable /plugins/echo/disable done',
      'api.plugins.disable /plugins/nobody/disable begun', 'api.plugins.disable /plugins/nobody/disable refused PLUGIN_NOT_FOUND',
      'api.plugins.disable /plugins/echo/disable begun', 'api.plugins.disable /plugins/echo/disable refused REQUEST_INVALID',
      'api.dead-letters.delete /dead-letters/none begun', 'api.dead-letters.delete /dead-letters/none done',
    ]);
    const { id } = (await control.host.store.range(tokens, [])).map(({ value }) => value)[0] ?? {};
    expect(new Set(entries.map(({ actor }) => actor))).toEqual(new Set([`token:${id}`]));
    expect(entries[1]?.detail).toEqual({ begun: entries[0]?.index });
  });

  it('leaves nothing of what it said: neither a message nor the key of a session', async () => {
    await using control = await startTestControl({ sessions: [{ key: 'webchat:c:SECRET-CONVERSATION', startedAt: '2026-11-21T00:00:00.000Z', lastAt: '2026-11-21T00:00:00.000Z', messages: 1, generation: 1 } as never] });
    await control.call('POST', '/api/v1/messages', { token: true, headers: json, body: '{"channel":"hook","to":"SECRET-CONVERSATION","text":"SECRET-TEXT"}' });
    await control.call('POST', `/api/v1/sessions/${encodeURIComponent('webchat:c:SECRET-CONVERSATION')}/reset`, { token: true });
    expect(await told(control)).toEqual(['api.messages /messages begun', 'api.messages /messages done', expect.stringMatching(/^api\.sessions\.reset \/sessions\/[0-9a-f]{16}\/reset begun$/), expect.stringMatching(/reset done$/)]);
    expect(JSON.stringify(await entriesOf(control))).not.toContain('SECRET');
  });

  it('that makes something names it, and not its secret', async () => {
    await using control = await startTestControl();
    const made = (await control.call('POST', '/api/v1/tokens', { token: true, headers: json, body: '{"label":"reader","scopes":["plugins:read"]}' })).json as { id: string; token: string };
    const entries = await entriesOf(control);
    expect(entries[1]).toMatchObject({ action: 'api.tokens', outcome: 'done', detail: { id: made.id } });
    expect(JSON.stringify(entries)).not.toContain(made.token.split('_').slice(2).join('_'));
  });

  it('that withdraws an invite by the invite itself withdraws it, and nobody is told its secret', async () => {
    await using control = await startTestControl();
    const row = (secretSha256: string) => ({ instance: 'webchat', plugin: 'gatehouse.webchat', secretSha256, uses: 1, used: 0, createdAt: '2026-11-21T00:00:00.000Z', createdBy: 'token:t', expiresAtMs: control.host.clock.now() + 60_000 });
    const made = [newInvite(), newInvite()];
    await control.host.store.commit({ put: made.map(({ id, secretSha256 }) => put(invites, invites.key(id), row(secretSha256))) });
    const [pasted, linked] = made.map(({ invite }) => invite);
    const withdraw = (text = '') => control.call('POST', `/api/v1/pairing/invites/${encodeURIComponent(text)}/withdraw`, { token: true });
    const answers = [await withdraw(pasted), await withdraw(`https://chat.example/channels/webchat/#invite=${linked}`)];
    expect(answers.map(({ json: view }) => [view?.['id'], view?.['state']])).toEqual(made.map(({ id }) => [id, 'withdrawn']));
    // Of nobody's invite, and of one with a letter too few.
    answers.push(await withdraw(newInvite().invite.replace(/_.*_/, '_0000000000000000_')), await withdraw(pasted?.replace(/_./, '_')), await control.call('GET', `/api/v1/pairing/${pasted}`, { token: true }));
    expect(answers.slice(2).map(({ status }) => status)).toEqual([404, 404, 404]);
    const secrets = made.map(({ invite }) => invite.slice(21));
    const everything = JSON.stringify([answers.map(({ text }) => text), await entriesOf(control)]);
    for (const secret of secrets) for (const part of [secret, secret.slice(2, 20), secret.slice(-16)]) expect(everything).not.toContain(part);
    expect(everything).toContain(`ghi_${made[0]?.id}_`);
  });

  it('that a token may not do is told once, and at most sixty times at once', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    const { token, id } = await aReader(control);
    expect((await control.call('POST', '/api/v1/plugins/echo/enable', { token })).status).toBe(403);
    expect((await control.call('GET', '/api/v1/messages', { token })).status).toBe(403);
    expect(await entriesOf(control)).toEqual([expect.objectContaining({ actor: `token:${id}`, action: 'api.plugins.enable', resource: '/plugins/echo/enable', outcome: 'refused', detail: { code: 'FORBIDDEN' } })]);
    await Promise.all(Array.from({ length: 80 }, () => control.call('POST', '/api/v1/plugins/echo/enable', { token })));
    expect((await entriesOf(control)).length).toBeLessThan(75);
    expect(control.asked).toEqual([]);
  });

  it('by nobody is nobody’s entry', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    expect((await control.call('POST', '/api/v1/plugins/echo/enable')).status).toBe(401);
    expect((await control.call('POST', '/api/v1/plugins/echo/enable', { token: 'ght_a_b' })).status).toBe(401);
    expect(await entriesOf(control)).toEqual([]);
  });

  it('is not done when it cannot be told', async () => {
    await using control = await startTestControl({ plugins: [aPlugin()] });
    vi.spyOn(control.host.store, 'commit').mockRejectedValue(new GatehouseError('STORE_FAILED', { problem: 'the disk is full' }));
    const answer = await control.call('POST', '/api/v1/plugins/echo/enable', { token: true });
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ code: 'STORE_FAILED' });
    expect(control.asked).toEqual([]);
    expect((await control.call('GET', '/api/v1/plugins', { token: true })).status).toBe(200);
  });
});

describe('the first token', () => {
  it('is told with its scopes, in the commit that makes it', async () => {
    await using control = await startTestControl();
    const entries = (await control.host.store.range(auditEntries, [])).map(({ value }) => value.entry);
    expect(entries.find(({ action }) => action === 'token.create')).toMatchObject({ actor: 'host', resource: expect.stringMatching(/^token:/), detail: { scopes: ['*'] } });
  });
});
