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

/** What each attacker does when its message comes. `ends` it: three proven offences quarantine it. `refused`: what it tries is denied; on a busy machine trying can cost more CPU than it has, and then it is ended too. `waited`: no offence. */
const ATTACKS: readonly { readonly name: string; readonly handler: string; readonly fate: 'ends' | 'refused' | 'waited' }[] = [
  { name: 'spin', handler: 'for (;;);', fate: 'ends' }, // 18
  { name: 'spin-after-await', handler: 'await ctx.sleep(10); for (;;);', fate: 'ends' }, // 19
  { name: 'native-index-of', handler: 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', fate: 'ends' }, // 20
  { name: 'bigint-square', handler: 'let b = 3n; for (;;) b = b * b;', fate: 'ends' }, // 22
  { name: 'microtask-storm', handler: 'for (;;) await 0', fate: 'ends' }, // 27
  { name: 'error-proxy', handler: 'throw new Proxy(new Error("x"), { get() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } })', fate: 'ends' }, // 30
  { name: 'map-bomb', handler: 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i)', fate: 'ends' }, // 36
  { name: 'fill-huge', handler: 'new Array(3e8).fill(1.1)', fate: 'ends' }, // 38
  { name: 'big-result', handler: 'return { replies: [{ text: "x".repeat(2e6) }] }', fate: 'refused' }, // 44
  { name: 'deep-result', handler: 'let o = {}; for (let i = 0; i < 2e5; i++) o = { o }; return o', fate: 'refused' }, // 46
  { name: 'post-flood', handler: 'const text = "x".repeat(60000); for (let i = 0; i < 1e5; i++) ctx.kv.set("k", text).catch(() => {}); return null', fate: 'refused' }, // 49
  { name: 'pending-flood', handler: 'for (let i = 0; i < 1e5; i++) ctx.sleep(10000).catch(() => {}); return null', fate: 'refused' }, // 50
  { name: 'never-settle', handler: 'await new Promise(() => {})', fate: 'waited' }, // 52
];

const attacker = ({ name, handler }: (typeof ATTACKS)[number]): TestPlugin => ({
  name,
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => { ${handler} } } });`,
  manifest: { skill: { triggers: { prefixes: [`${name}!`] } } },
  enablement: { limits: { wallMsPerCall: 1000 } },
});

describe('a host full of hostile plugins', () => {
  it('contains them all at once, quarantines the killers, and answers everybody else', async () => {
    await using home = await aHome([DOOR, ...ATTACKS.map(attacker)]);
    await addNeighbours(home);
    await using gatehouse = await startGatehouse(home);

    await besideNeighbour(gatehouse, async () => {
      // A message that costs a skill its sandbox is tried twice: three strikes take two messages.
      for (const { name } of ATTACKS) {
        for (const id of [`${name}-1`, `${name}-2`]) {
          const body = JSON.stringify({ id, conversation: name, sender: { id: 's' }, text: `${name}! go` });
          expect((await gatehouse.fetch('/channels/door/in', { method: 'POST', body })).status).toBe(202);
        }
      }
      await eventually(async () => {
        const { items } = (await gatehouse.api('/messages?instance=door&direction=inbound')).json<{ items: { conversation: string; outcome: string }[] }>();
        const open = items.filter(({ outcome }) => outcome === 'accepted').map(({ conversation }) => conversation);
        expect([items.length, open]).toEqual([2 * ATTACKS.length, []]);
      }, 120_000);
    });

    const fates = ATTACKS.map(({ name, fate }) => ({ name, fate, ...gatehouse.host.plugins.show(name) }));
    const quarantined = fates.filter(({ state }) => state === 'quarantined');
    expect(quarantined.map(({ name }) => name)).toEqual(expect.arrayContaining(fates.filter(({ fate }) => fate === 'ends').map(({ name }) => name)));
    expect(fates.filter(({ fate, strikes }) => fate === 'waited' && strikes > 0)).toEqual([]);
    const readyz = await gatehouse.fetch('/readyz');
    expect(readyz.status).toBe(200);
    expect(readyz.json<{ degraded: { code: string }[] }>().degraded.filter(({ code }) => code === 'PLUGIN_QUARANTINED')).toHaveLength(quarantined.length);
  });

  it('attack 57 fork-bomb-respawn: a plugin that dies at load is tried with growing pauses and then given up', async () => {
    await using home = await aHome([{ name: 'phoenix', kind: 'skill', source: 'for (;;);', manifest: { skill: {} } }]);
    await addNeighbours(home);
    await using gatehouse = await startGatehouse(home);
    await besideNeighbour(gatehouse, () => eventually(() => expect(gatehouse.host.plugins.show('phoenix').state).toBe('quarantined'), 100_000));
    expect(gatehouse.host.plugins.show('phoenix').restarts).toBeLessThanOrEqual(3);
  });
});
