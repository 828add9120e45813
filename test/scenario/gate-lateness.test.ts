// Gates whose lateness is allowed: what passes with a flag, what does not, and what their quarantine does.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { aWorld, everywhere, keptAfter, round, shown } from '../support/gate-expectations.ts';
import { concluded, GATES, roundBefore, sha256 } from '../support/gate-world.ts';

describe('a gate that may be late', () => {
  const at = aWorld({ gates: { onTimeout: 'pass-with-flag' }, gate: { omega: { onQuarantine: 'hold' } }, rooms: { unheld: { gates: { omega: 'skip' } } } });

  describe('at its place', () => {
    it.concurrent.for(everywhere)('lets pass on the way in what it did not judge in time: $gate at the $door door', async ({ door, gate }, { expect }) => {
      await using visitor = await at.world.door(door);
      const text = `[inbound ${gate} hang] say hello`;
      expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
      const message = await concluded(at.world, visitor.conversation);
      expect(shown(message)).toEqual(keptAfter('timeout', gate, text, ''));
      expect(roundBefore('moderate', message)).toEqual(round(gate, 'timeout'));
      await eventually(async () => expect(await visitor.replies()).toEqual(['hello']));
    });

    it.concurrent.for(everywhere)('lets pass on the way out what it did not judge in time: $gate at the $door door', async ({ door, gate }, { expect }) => {
      await using visitor = await at.world.door(door);
      const text = `[outbound ${gate} hang] hello`;
      await visitor.say(`say ${text}`);
      await eventually(async () => expect(await visitor.replies()).toEqual([text]), 120_000);
      expect(roundBefore('screen', await concluded(at.world, visitor.conversation))).toEqual(round(gate, 'timeout'));
      expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([keptAfter('timeout', gate, text, '')]);
    });
  });

  it.for(GATES)('lets pass on both ways what used up its CPU: %s', async (gate) => {
    await using visitor = await at.world.door('http');
    await at.world.settled(gate);
    const [text, reply] = [`[inbound ${gate} spin] say [outbound ${gate} spin] hello`, `[outbound ${gate} spin] hello`];
    expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect(await visitor.replies()).toEqual([reply]), 120_000);
    const message = await concluded(at.world, visitor.conversation);
    expect(shown(message)).toEqual(keptAfter('timeout', gate, text, ''));
    expect(message.stages?.filter(({ instance, reason }) => instance === gate && reason === 'CALL_CPU').map(({ decision }) => decision)).toEqual(['timeout', 'timeout']);
    expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([keptAfter('timeout', gate, reply, '')]);
  });

  it('is no hole to be kept open: one that goes on using up its CPU is quarantined, and then nothing passes', async () => {
    await using visitor = await at.world.door('http');
    let passed = 0;
    for (; passed < 4 && (await at.world.settled('beta')) === 'active'; passed += 1) expect(await visitor.say(`[inbound beta spin] ${passed}`)).toMatchObject({ status: 'accepted' });
    expect(passed).toBeLessThanOrEqual(3);
    expect(await visitor.say('[inbound beta spin] once more')).toMatchObject({ status: 'GATE_UNAVAILABLE' });
    expect((await at.world.stored(visitor.conversation, 'inbound')).map(({ flags }) => flags)).toEqual(Array.from({ length: passed }, () => ['timeout:beta']));
    await at.world.gatehouse.api('/plugins/beta/release', { method: 'POST', body: { reason: 'it was asked to' } });
    await eventually(async () => expect(await visitor.say('say hello')).toMatchObject({ status: 'accepted' }));
  });

  it('holds, while it is quarantined, what its rooms do not leave it out of; then judges it, with the hash of what arrived', async () => {
    const { gatehouse } = at.world;
    await using visitor = await at.world.door('http');
    await using elsewhere = await at.world.door('http', 'unheld');
    expect((await gatehouse.api('/plugins/omega/quarantine', { method: 'POST', body: { reason: 'a look at it' } })).status).toBe(200);
    const arrived = '[inbound zeta flag] [inbound gamma modify] cafe\u0301';
    expect(await visitor.say(arrived)).toMatchObject({ status: 'held' });
    expect(await visitor.say('[inbound omega deny] hello', 'denied later')).toMatchObject({ status: 'held' });
    expect(await elsewhere.say('say hello')).toMatchObject({ status: 'accepted' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
    await gatehouse.api('/plugins/omega/release', { method: 'POST', body: { reason: 'it was fine' } });
    await eventually(async () => expect(await visitor.say('again', 'denied later')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by omega' }), 120_000);
    const [message, ...others] = await at.world.stored(visitor.conversation, 'inbound');
    expect(others).toEqual([]);
    const [judged, kept] = ['[inbound zeta flag] [inbound gamma modify] caf\u00e9', '[inbound zeta flag] <gamma> caf\u00e9'];
    expect(shown(message ?? {})).toEqual({ text: kept, flags: ['noted-zeta'], originalSha256: sha256(arrived), provenance: [{ gate: 'zeta', effect: 'flag', labels: ['noted-zeta'] }, { gate: 'gamma', effect: 'modify', before: sha256(judged), after: sha256(kept) }] });
  });

  it('lets nothing pass that it failed on, and nothing that another gate refuses', async () => {
    await using visitor = await at.world.door('http');
    expect(await visitor.say('[inbound omega throw] hello')).toMatchObject({ status: 'GATE_FAILED' });
    expect(await visitor.say('[inbound zeta hang] [inbound gamma deny] hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by gamma' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
  });
});
