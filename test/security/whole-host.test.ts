// The same classes of attack through the whole host: a message sets each one off inside a real skill, all at once, while a person goes on chatting next door.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startGatehouse } from '../support/gatehouse.ts';
import { aHome, type TestPlugin } from '../support/home.ts';
import { addNeighbours, besideNeighbour } from '../support/neighbour.ts';

const DOOR: TestPlugin = {
  name: 'door',
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
};

/** What each attacker does when its message comes; `kills` are proven offences, three of which quarantine it. */
const ATTACKS: readonly { readonly name: string; readonly handler: string; readonly kills: boolean }[] = [
  { name: 'spin', handler: 'for (;;);', kills: true }, // 18
  { name: 'spin-after-await', handler: 'await ctx.sleep(10); for (;;);', kills: true }, // 19
  { name: 'native-index-of', handler: 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', kills: true }, // 20
  { name: 'bigint-square', handler: 'let b = 3n; for (;;) b = b * b;', kills: true }, // 22
  { name: 'microtask-storm', handler: 'for (;;) await 0', kills: true }, // 27
  { name: 'error-proxy', handler: 'throw new Proxy(new Error("x"), { get() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } })', kills: true }, // 30
  { name: 'map-bomb', handler: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i)', kills: true }, // 36
  { name: 'fill-huge', handler: 'new Array(3e8).fill(1.1)', kills: true }, // 38
  { name: 'big-result', handler: 'return { replies: [{ text: "x".repeat(2e6) }] }', kills: false }, // 44
  { name: 'deep-result', handler: 'let o = {}; for (let i = 0; i < 2e5; i++) o = { o }; return o', kills: false }, // 46
  { name: 'post-flood', handler: 'const text = "x".repeat(60000); for (let i = 0; i < 1e5; i++) ctx.kv.set("k", text).catch(() => {}); return null', kills: false }, // 49
  { name: 'pending-flood', handler: 'for (let i = 0; i < 1e5; i++) ctx.sleep(10000).catch(() => {}); return null', kills: false }, // 50
  { name: 'never-settle', handler: 'await new Promise(() => {})', kills: false }, // 52
];

const attacker = ({ name, handler }: (typeof ATTACKS)[number]): TestPlugin => ({
  name,
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { ${handler} } } });`,
  manifest: { skill: { triggers: { prefixes: [`${name}!`] } } },
  enablement: { limits: { wallMsPerCall: 1000 } },
});

describe('a host full of hostile plugins', () => {
  it('contains them all at once, quarantines the killers, and answers everybody else', { timeout: 180_000 }, async () => {
    await using home = await aHome([DOOR, ...ATTACKS.map(attacker)]);
    await addNeighbours(home);
    await using gatehouse = await startGatehouse(home);

    await besideNeighbour(gatehouse, async () => {
      for (const { name } of ATTACKS) {
        const body = JSON.stringify({ id: name, conversation: name, sender: { id: 's' }, text: `${name}! go` });
        expect((await gatehouse.fetch('/channels/door/in', { method: 'POST', body })).status).toBe(202);
      }
      await eventually(async () => {
        const { items } = (await gatehouse.api('/messages?instance=door&direction=inbound')).json<{ items: { conversation: string; outcome: string }[] }>();
        const open = items.filter(({ outcome }) => outcome === 'accepted').map(({ conversation }) => conversation);
        expect([items.length, open]).toEqual([ATTACKS.length, []]);
      }, 120_000);
    });

    const fates = ATTACKS.map(({ name }) => ({ name, ...gatehouse.host.plugins.show(name) }));
    const quarantined = fates.filter(({ state }) => state === 'quarantined').map(({ name }) => name);
    const struck = fates.filter(({ strikes }) => strikes > 0).map(({ name }) => name);
    const killers = ATTACKS.filter(({ kills }) => kills).map(({ name }) => name);
    expect([quarantined, struck]).toEqual([killers, killers]);
    const readyz = await gatehouse.fetch('/readyz');
    expect(readyz.status).toBe(200);
    expect(readyz.json<{ degraded: { code: string }[] }>().degraded.filter(({ code }) => code === 'PLUGIN_QUARANTINED')).toHaveLength(ATTACKS.filter(({ kills }) => kills).length);
  });

  it('attack 57 fork-bomb-respawn: a plugin that dies at load is tried with growing pauses and then given up', { timeout: 120_000 }, async () => {
    await using home = await aHome([{ name: 'phoenix', kind: 'skill', source: 'for (;;);', manifest: { skill: {} } }]);
    await addNeighbours(home);
    await using gatehouse = await startGatehouse(home);
    await besideNeighbour(gatehouse, () => eventually(() => expect(gatehouse.host.plugins.show('phoenix').state).toBe('quarantined'), 100_000));
    expect(gatehouse.host.plugins.show('phoenix').restarts).toBeLessThanOrEqual(3);
  });
});
