// Optional skills and tools sleep while nobody needs them, and nobody notices but the operator who looks.
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome } from '../support/home.ts';
import { webhookClient } from '../support/webhook.ts';

const states = ({ host }: Gatehouse) => Object.fromEntries(host.plugins.list().map(({ instance, state }) => [instance, state]));

describe('an idle host', () => {
  it('keeps channels, gates and what is required; the rest sleeps, counts as available, and wakes for a message, tools of skills included', async () => {
    await using home = await aHome([], { sandbox: { hibernateAfterMs: 50 } });
    await addWebhook(home);
    for (const name of ['wordlist', 'clock', 'concierge'] as const) await addFirstParty(home, name);
    await addFirstParty(home, 'echo', { required: true });
    await home.add({ name: 'wakeful', kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async () => null } });`, manifest: { skill: { triggers: { prefixes: ['never'] } } }, enablement: { hibernate: false } });
    await home.add({ name: 'broken', kind: 'skill', source: `throw new Error('found at the start, not at the first call');`, manifest: { skill: {} } });
    const moves: string[] = [];
    const unsubscribe = subscribe('plugin.state', ({ instance, to }) => instance === 'clock' && moves.push(to));
    await using gatehouse = await startGatehouse(home);
    // Between two tries it is merely starting.
    await eventually(() => expect(gatehouse.host.diagnostics()).toMatchObject([{ instance: 'broken', code: 'PLUGIN_LOAD_FAILED', severity: 'degraded' }]));
    moves.length = 0;

    await eventually(() => expect(states(gatehouse)).toMatchObject({ clock: 'hibernated', concierge: 'hibernated', echo: 'active', wakeful: 'active', webhook: 'active', wordlist: 'active' }));
    expect(gatehouse.host.readiness().degraded.map(({ instance }) => instance)).toEqual(['broken']);
    expect((await gatehouse.api('/plugins/clock')).json()).toMatchObject({ state: 'hibernated', restarts: 0 });

    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    await client.post({ id: '1', conversation: 'c', text: '/time Asia/Tokyo' });
    await eventually(async () => expect((await client.replies('c')).items).toMatchObject([{ text: expect.stringMatching(/Tokyo/) as string }]));
    expect(moves.slice(0, 2)).toEqual(['starting', 'active']);
    await eventually(() => expect(states(gatehouse)).toMatchObject({ clock: 'hibernated', concierge: 'hibernated' }));
    expect((await gatehouse.api('/dead-letters')).json()).toMatchObject({ items: [] });
    unsubscribe();
  });

  it('runs no more sandboxes than it should, from the start on', async () => {
    await using home = await aHome([], { sandbox: { mostRunning: 3 } });
    await addWebhook(home);
    for (let n = 0; n < 6; n += 1) await home.add({ name: `skill-${n}`, kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => message.text === '${n}' ? { replies: [{ text: 'from ${n}' }] } : null } });`, manifest: { skill: {} } });
    await using gatehouse = await startGatehouse(home);
    const running = () => Object.values(states(gatehouse)).filter((state) => state === 'active').length;
    expect(gatehouse.host.readiness()).toEqual({ ready: true, degraded: [] });
    await eventually(() => expect(running()).toBe(3));
    const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
    await client.post({ id: '1', conversation: 'c', text: '5' }); // asks each of the six in turn
    await eventually(async () => expect((await client.replies('c')).items.map(({ text }) => text)).toEqual(['from 5']));
    await eventually(() => expect(running()).toBe(3));
  });
});
