// Gates as senders and operators meet them: CPU, chains, marks, what is told to whom, and a search of every byte for what was refused.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { subscribe } from '../../host/events.ts';
import { newCanary } from '../chaos/messages.ts';
import { Watch } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { aWorld, DOORS, shown } from '../support/gate-expectations.ts';
import { concluded, GATES, gateWorld, sha256 } from '../support/gate-world.ts';

describe('a gate', () => {
  const at = aWorld({ rooms: { gathering: { queue: { mode: 'collect', debounceMs: 500 } } } });

  it.for(GATES)('that uses up its CPU refuses on the way in, and is judged afresh: %s', async (gate) => {
    await using visitor = await at.world.door('http');
    await at.world.settled(gate);
    expect(await visitor.say(`[inbound ${gate} spin] say hello`, 's')).toMatchObject({ status: 'GATE_TIMEOUT' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
    await eventually(async () => expect(await visitor.say('say hello', 's')).toMatchObject({ status: 'accepted' }));
  });

  it.for(GATES)('that uses up its CPU holds the reply: %s', async (gate) => {
    await using visitor = await at.world.door('http');
    await at.world.settled(gate);
    const reply = `[outbound ${gate} spin-once] hello`;
    await visitor.say(`say ${reply}`);
    await eventually(async () => expect(await visitor.replies()).toEqual([reply]), 120_000);
    const message = await concluded(at.world, visitor.conversation);
    expect(message.stages).toContainEqual(expect.objectContaining({ stage: 'gate', instance: gate, decision: 'unavailable', reason: 'CALL_CPU' }));
  });

  it('after one that modified denies all the same', async () => {
    await using visitor = await at.world.door('http');
    expect(await visitor.say('[inbound zeta modify] [inbound gamma deny] say hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by gamma' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
  });

  it('modifies what another has modified, and the hashes lead from what arrived to what is kept', async () => {
    await using visitor = await at.world.door('http');
    const arrived = '[inbound zeta modify]\r\n[inbound beta modify] cafe\u0301';
    await visitor.say(arrived);
    const message = await concluded(at.world, visitor.conversation);
    const [first, second, third] = ['[inbound zeta modify]\n[inbound beta modify] caf\u00e9', '<zeta>\n[inbound beta modify] caf\u00e9', '<zeta>\n<beta> caf\u00e9'] as const;
    expect(shown(message)).toEqual({
      text: third,
      flags: [],
      originalSha256: sha256(arrived),
      provenance: [{ gate: 'zeta', effect: 'modify', before: sha256(first), after: sha256(second) }, { gate: 'beta', effect: 'modify', before: sha256(second), after: sha256(third) }],
    });
  });

  it('that leaves nothing of a text refuses it, on both ways', async () => {
    await using visitor = await at.world.door('http');
    expect(await visitor.say('[inbound omega empty] say hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'nothing left' });
    await visitor.say('say [outbound omega empty] hello');
    expect(await concluded(at.world, visitor.conversation)).toMatchObject({ outcome: 'unanswered' });
    expect(await visitor.replies()).toEqual([]);
  });

  it('reads the flags and marks of those before it', async () => {
    await using visitor = await at.world.door('http');
    await visitor.say('[inbound zeta flag] [inbound omega modify] [inbound gamma read] hello');
    const message = await concluded(at.world, visitor.conversation);
    expect(message.flags).toEqual(['noted-zeta', 'gamma-saw-noted-zeta']);
    const seen = message.stages?.find(({ instance }) => instance === 'gamma')?.reason ?? '';
    expect(JSON.parse(seen)).toEqual(message.provenance?.slice(0, 2));
    expect(message.provenance?.map(({ gate, effect }) => `${gate} ${effect}`)).toEqual(['zeta flag', 'omega modify', 'gamma flag']);
  });

  it('leaves its marks on each of several messages that become one', async () => {
    await using visitor = await at.world.door('http', 'gathering');
    await visitor.say('[inbound zeta flag] one', 'one');
    await visitor.say('[inbound omega modify] two show', 'two');
    const [reply = ''] = await eventually(async () => {
      const replies = await visitor.replies();
      expect(replies).toHaveLength(1);
      return replies;
    });
    expect(JSON.parse(reply)).toEqual({
      text: '[inbound zeta flag] one\n<omega> two show',
      flags: ['noted-zeta'],
      provenance: [{ gate: 'zeta', effect: 'flag', labels: ['noted-zeta'] }, { gate: 'omega', effect: 'modify', after: sha256('<omega> two show') }],
    });
  });

  it('cannot speak in the name of the host or of another gate', async () => {
    await using visitor = await at.world.door('http');
    expect(await visitor.say('[inbound omega forge] hello')).toMatchObject({ status: 'GATE_FAILED' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
  });

  it('is followed by observers and skills, which see the final text and who made it, without hashes of what was taken out', async () => {
    const told: string[] = [];
    const unsubscribe = subscribe('plugin.log', ({ instance, text }) => void (instance === 'watcher' && told.push(text)));
    await using visitor = await at.world.door('http');
    const arrived = '[inbound zeta modify] [inbound beta flag] show';
    const kept = '<zeta> [inbound beta flag] show';
    await visitor.say(arrived);
    const [reply = ''] = await eventually(async () => {
      const replies = await visitor.replies();
      expect(replies).toHaveLength(1);
      return replies;
    });
    const marks = { text: kept, flags: ['noted-beta'], provenance: [{ gate: 'zeta', effect: 'modify', after: sha256(kept) }, { gate: 'beta', effect: 'flag', labels: ['noted-beta'] }] };
    expect(JSON.parse(reply)).toEqual(marks);
    const about = () => told.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ conversation }) => conversation === visitor.conversation);
    await eventually(() => expect(about()).toEqual([{ direction: 'inbound', conversation: visitor.conversation, ...marks }, { direction: 'outbound', conversation: visitor.conversation, text: reply, flags: [] }]));
    unsubscribe();
    expect(`${reply}${told.join('')}`).not.toContain(sha256(arrived));
  });

  it('that gives a wrong answer is told of in the log, by the place and without the words', async () => {
    const told: object[] = [];
    const unsubscribe = subscribe('gate.verdict', (fields) => void (fields.failure !== undefined && told.push(fields)));
    await using visitor = await at.world.door('http');
    await visitor.say('[inbound omega forge] hello');
    unsubscribe();
    expect(told).toContainEqual({ instance: 'omega', direction: 'inbound', effect: 'unavailable', code: 'GATE_FAILED', failure: 'RESULT_INVALID /labels/0' });
  });

  it('is counted by what it came to', async () => {
    await using visitor = await at.world.door('http');
    const count = async (effect: string) => Number(new RegExp(`^gatehouse_gate_verdicts_total\\{instance="omega",direction="inbound",effect="${effect}",code=""\\} (\\d+)$`, 'm').exec((await at.world.gatehouse.fetch('/metrics')).text)?.[1] ?? 0);
    const counted = await count('flag');
    await visitor.say('[inbound omega flag] hello');
    expect(await count('flag')).toBe(counted + 1);
  });
});

describe('what gates refuse or take out', () => {
  it('is nowhere in the data directory: denied, emptied, late, forged, masked, in and out', async () => {
    const canaries = { denied: newCanary('d'), emptied: newCanary('e'), late: newCanary('l'), forged: newCanary('f'), masked: newCanary('m'), deniedReply: newCanary('x'), maskedReply: newCanary('y'), passed: newCanary('p'), unjudged: newCanary('u') };
    const world = await gateWorld({ gate: { beta: { onTimeout: 'pass-with-flag' } } });
    await using home = world.home;
    {
      await using gatehouse = world.gatehouse;
      for (const door of DOORS) {
        await using visitor = await world.door(door);
        const said = async (text: string) => (await visitor.say(text)).status;
        expect(await said(`[inbound gamma deny] ${canaries.denied}`)).toBe('MODERATION_DENIED');
        expect(await said(`[inbound gamma empty] ${canaries.emptied}`)).toBe('MODERATION_DENIED');
        expect(await said(`[inbound gamma hang] ${canaries.late}`)).toBe('GATE_TIMEOUT');
        expect(await said(`[inbound gamma forge] ${canaries.forged}`)).toBe('GATE_FAILED');
        expect(await said(`[inbound gamma modify] ${canaries.masked}`)).toBe('accepted');
        expect(await said(`[inbound beta hang] ${canaries.unjudged}`)).toBe('accepted');
        expect(await said(`say [outbound gamma deny] ${turned(canaries.deniedReply)}`)).toBe('accepted');
        expect(await said(`say [outbound gamma modify] ${turned(canaries.maskedReply)}`)).toBe('accepted');
        expect(await said(`say ${canaries.passed}`)).toBe('accepted');
        await eventually(async () => expect(await visitor.replies()).toEqual(['<gamma> ****', canaries.passed]), 120_000);
      }
      expect((await gatehouse.api('/plugins/gamma/quarantine', { method: 'POST', body: { reason: 'for its evidence' } })).status).toBe(200);
    }
    const watch = new Watch(canaries);
    watch.lookInto(join(home.path, 'data'));
    // A reply's words stand turned round in the message that asked for them.
    const found = watch.sightings.filter(({ value, form }) => !(value.endsWith('Reply') && form === 'backwards'));
    expect([...new Set(found.map(({ value }) => value))].toSorted()).toEqual(['passed', 'unjudged']);
  });
});

const turned = (word: string) => Array.from(word).toReversed().join('');
