// Gates as senders and operators meet them: every effect at every place, in and out, over HTTP and sockets; late gates, relaxed gates, and what is told of it afterwards.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GateMark } from '../../schemas/message.ts';
import { subscribe } from '../../host/events.ts';
import { newCanary } from '../chaos/messages.ts';
import { Watch } from '../support/canary.ts';
import { newConversation } from '../support/chat.ts';
import { eventually } from '../support/eventually.ts';
import { concluded, GATES, gateWorld, roundBefore, sha256, type DoorKind, type GateName, type GateWorld } from '../support/gate-world.ts';

const DOORS: readonly DoorKind[] = ['http', 'socket'];
const before = (gate: GateName) => GATES.slice(0, GATES.indexOf(gate)).map((each) => `${each} pass`);
const after = (gate: GateName) => GATES.slice(GATES.indexOf(gate) + 1).map((each) => `${each} pass`);
const round = (gate: GateName, decision: string) => [...before(gate), `${gate} ${decision}`, ...after(gate)];

const everywhere = DOORS.flatMap((door) => GATES.map((gate) => ({ door, gate })));

// Concurrent tests stand in suites of their own: shuffled among others they would run one by one.

/** One host for a whole suite. */
function aWorld(options: Parameters<typeof gateWorld>[0] = {}): { readonly world: GateWorld } {
  let world: GateWorld | undefined;
  beforeAll(async () => {
    world = await gateWorld(options);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });
  return {
    get world() {
      if (!world) throw new Error('the host is not up yet');
      return world;
    },
  };
}

interface Kept {
  readonly text: string;
  readonly flags?: readonly string[];
  readonly provenance?: readonly GateMark[];
  readonly originalSha256?: string;
}

/** What must be known of a text that a gate let go on. */
function keptAfter(effect: string, gate: GateName, text: string, order: string): Kept {
  switch (effect) {
    case 'modify': {
      const changed = text.replace(order, `<${gate}>`);
      return { text: changed, flags: [], originalSha256: sha256(text), provenance: [{ gate, effect: 'modify', before: sha256(text), after: sha256(changed) }] };
    }
    case 'flag':
      return { text, flags: [`noted-${gate}`], provenance: [{ gate, effect: 'flag', labels: [`noted-${gate}`] }] };
    case 'timeout':
      return { text, flags: [`timeout:${gate}`], provenance: [{ gate, effect: 'timeout' }] };
    default:
      return { text, flags: [] };
  }
}

const shown = ({ text = '', flags = [], provenance, originalSha256 }: Partial<Kept>): Kept => ({ text, flags, ...(provenance && { provenance }), ...(originalSha256 !== undefined && { originalSha256 }) });

describe('a gate', () => {
  const at = aWorld({ rooms: { gathering: { queue: { mode: 'collect', debounceMs: 500 } } } });

  describe('at its place', () => {
    it.concurrent.for(everywhere.flatMap((one) => ['pass', 'modify', 'flag'].map((effect) => ({ ...one, effect }))))('that says $effect on the way in, $gate at the $door door', async ({ door, gate, effect }, { expect }) => {
      await using visitor = await at.world.door(door);
      const order = `[inbound ${gate} ${effect}]`;
      expect(await visitor.say(`${order} say hello`)).toMatchObject({ status: 'accepted' });
      const message = await concluded(at.world, visitor.conversation);
      expect(shown(message)).toEqual(keptAfter(effect, gate, `${order} say hello`, order));
      expect(roundBefore('moderate', message)).toEqual(round(gate, effect));
      await eventually(async () => expect(await visitor.replies()).toEqual(['hello']));
    });

    it.concurrent.for(everywhere)('that denies on the way in lets nothing of it stay, and is not asked again: $gate at the $door door', async ({ door, gate }, { expect }) => {
      await using visitor = await at.world.door(door);
      const denied = { status: 'MODERATION_DENIED', reason: `denied by ${gate}` };
      expect(await visitor.say(`[inbound ${gate} deny-once] say hello`, 'd')).toEqual(denied);
      expect(await visitor.say(`say hello`, 'd')).toEqual(denied);
      expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
      expect(await visitor.say('say on', 'e')).toMatchObject({ status: 'accepted' });
      await eventually(async () => expect(await visitor.replies()).toEqual(['on']));
    });

    it.concurrent.for(everywhere)('that gives no answer in time refuses, and judges afresh what comes again: $gate at the $door door', async ({ door, gate }, { expect }) => {
      await using visitor = await at.world.door(door);
      expect(await visitor.say(`[inbound ${gate} hang-once] say hello`, 'h')).toMatchObject({ status: 'GATE_TIMEOUT' });
      expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
      expect(await visitor.say(`[inbound ${gate} hang-once] say hello`, 'h')).toMatchObject({ status: 'accepted' });
      const message = await concluded(at.world, visitor.conversation);
      expect(shown(message)).toEqual({ text: `[inbound ${gate} hang-once] say hello`, flags: [] });
      expect(roundBefore('moderate', message)).toEqual(round(gate, 'pass'));
    });

    it.concurrent.for(everywhere.flatMap((one) => ['pass', 'modify', 'flag'].map((effect) => ({ ...one, effect }))))('that says $effect on the way out, $gate at the $door door', async ({ door, gate, effect }, { expect }) => {
      await using visitor = await at.world.door(door);
      const order = `[outbound ${gate} ${effect}]`;
      await visitor.say(`say ${order} hello`);
      const expected = keptAfter(effect, gate, `${order} hello`, order);
      await eventually(async () => expect(await visitor.replies()).toEqual([expected.text]));
      const answered = await concluded(at.world, visitor.conversation);
      expect(roundBefore('screen', answered)).toEqual(round(gate, effect));
      expect(shown(answered)).toEqual({ text: `say ${order} hello`, flags: [] });
      expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([expected]);
    });

    it.concurrent.for(everywhere)('that denies on the way out lets no reply leave: $gate at the $door door', async ({ door, gate }, { expect }) => {
      await using visitor = await at.world.door(door);
      await visitor.say(`say [outbound ${gate} deny] hello`);
      const message = await concluded(at.world, visitor.conversation);
      expect(message.outcome).toBe('unanswered');
      expect(roundBefore('screen', message)).toEqual([...before(gate), `${gate} deny`]);
      expect(await at.world.stored(visitor.conversation, 'outbound')).toEqual([]);
      expect(await visitor.replies()).toEqual([]);
    });

    it.concurrent.for(everywhere)('that gives no answer in time holds the reply until it does: $gate at the $door door', async ({ door, gate }, { expect }) => {
      await using visitor = await at.world.door(door);
      const reply = `[outbound ${gate} hang-once] hello`;
      await visitor.say(`say ${reply}`);
      await eventually(async () => expect(await visitor.replies()).toEqual([reply]), 20_000);
      const message = await concluded(at.world, visitor.conversation);
      expect(roundBefore('screen', message)).toEqual([...before(gate), `${gate} unavailable`]);
      expect(message.stages).toContainEqual(expect.objectContaining({ stage: 'screen', decision: 'retry', reason: 'GATE_TIMEOUT' }));
      expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([{ text: reply, flags: [] }]);
    });
  });

  it.for(GATES)('that uses up its CPU refuses on the way in, and is judged afresh: %s', async (gate) => {
    await using visitor = await at.world.door('http');
    expect(await visitor.say(`[inbound ${gate} spin] say hello`, 's')).toMatchObject({ status: 'GATE_TIMEOUT' });
    expect(await at.world.stored(visitor.conversation, 'inbound')).toEqual([]);
    await eventually(async () => expect(await visitor.say('say hello', 's')).toMatchObject({ status: 'accepted' }));
  });

  it.for(GATES)('that uses up its CPU holds the reply: %s', async (gate) => {
    await using visitor = await at.world.door('http');
    const reply = `[outbound ${gate} spin-once] hello`;
    await visitor.say(`say ${reply}`);
    await eventually(async () => expect(await visitor.replies()).toEqual([reply]), 20_000);
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
      await eventually(async () => expect(await visitor.replies()).toEqual([text]), 20_000);
      expect(roundBefore('screen', await concluded(at.world, visitor.conversation))).toEqual(round(gate, 'timeout'));
      expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([keptAfter('timeout', gate, text, '')]);
    });
  });

  it.for(GATES)('lets pass on both ways what used up its CPU: %s', async (gate) => {
    await using visitor = await at.world.door('http');
    const [text, reply] = [`[inbound ${gate} spin] say [outbound ${gate} spin] hello`, `[outbound ${gate} spin] hello`];
    expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect(await visitor.replies()).toEqual([reply]), 20_000);
    const message = await concluded(at.world, visitor.conversation);
    expect(shown(message)).toEqual(keptAfter('timeout', gate, text, ''));
    expect(message.stages?.filter(({ instance, reason }) => instance === gate && reason === 'CALL_CPU').map(({ decision }) => decision)).toEqual(['timeout', 'timeout']);
    expect((await at.world.stored(visitor.conversation, 'outbound')).map(shown)).toEqual([keptAfter('timeout', gate, reply, '')]);
  });

  it('is no hole to be kept open: one that goes on using up its CPU is quarantined, and then nothing passes', async () => {
    await using visitor = await at.world.door('http');
    const told: string[] = [];
    while (told.length < 5 && (told.at(-1) ?? 'accepted') === 'accepted') told.push((await visitor.say(`[inbound beta spin] ${told.length}`)).status);
    expect(told.at(-1)).toBe('GATE_UNAVAILABLE');
    expect(told.length).toBeLessThanOrEqual(4);
    expect((await at.world.stored(visitor.conversation, 'inbound')).map(({ flags }) => flags)).toEqual(told.slice(0, -1).map(() => ['timeout:beta']));
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
    await eventually(async () => expect(await visitor.say('again', 'denied later')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by omega' }), 20_000);
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

describe('a room', () => {
  const relaxed = newConversation();
  const flagging = newConversation();
  const rooms = {
    relaxed: { gates: { zeta: 'skip', omega: 'skip', beta: 'skip', gamma: 'skip' } },
    flagging: { gates: { zeta: 'flag', omega: 'flag', beta: 'flag', gamma: 'flag' } },
    'caf\u00e9': { gates: { omega: 'skip' } },
  } as const;
  const at = aWorld({ gate: { gamma: { required: true }, beta: { relaxTo: 'flag' }, omega: { onQuarantine: 'bypass' } }, rooms: { ...rooms, [relaxed]: rooms.relaxed, [flagging]: rooms.flagging } });
  const skipping = [{ door: 'http', room: 'relaxed' }, { door: 'socket', room: relaxed }] as const;

  it.for(skipping)('leaves out the gates it skips, on both ways, and not those that are locked: at the $door door', async ({ door, room }) => {
    await using visitor = await at.world.door(door, room);
    const text = '[inbound zeta deny] [inbound omega deny] [inbound beta deny] say [outbound zeta deny] [outbound omega modify] [outbound beta deny] ' + door;
    expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
    const reply = text.slice(text.indexOf('say ') + 4);
    await eventually(async () => expect(await visitor.replies()).toContain(reply));
    const message = (await at.world.stored(room, 'inbound')).find((each) => each.text === text);
    expect(roundBefore('moderate', message as never)).toEqual(['zeta skip', 'omega skip', 'beta would-deny', 'gamma pass']);
    expect(roundBefore('screen', message as never)).toEqual(['zeta skip', 'omega skip', 'beta would-deny', 'gamma pass']);
    expect(shown(message as never)).toEqual({ text, flags: ['would-deny:beta'], provenance: [{ gate: 'beta', effect: 'would-deny' }] });
    expect(await visitor.say('[inbound gamma deny] hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by gamma' });
  });

  it.for([{ door: 'http', room: 'flagging' }, { door: 'socket', room: flagging }] as const)('that only flags learns what its gates would have done: at the $door door', async ({ door, room }) => {
    await using visitor = await at.world.door(door, room);
    const text = '[inbound zeta deny] [inbound omega modify] [inbound beta throw] say [outbound zeta hang] hello';
    expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect(await visitor.replies()).toEqual(['[outbound zeta hang] hello']), 20_000);
    const [message] = await at.world.stored(room, 'inbound');
    expect(shown(message ?? {})).toEqual({ text, flags: ['would-deny:zeta', 'would-modify:omega', 'unjudged:beta'], provenance: [{ gate: 'zeta', effect: 'would-deny' }, { gate: 'omega', effect: 'would-modify' }, { gate: 'beta', effect: 'unjudged' }] });
    expect((await at.world.stored(room, 'outbound')).map(({ flags }) => flags)).toEqual([['timeout:zeta']]);
  });

  it.for(['RELAXED', 'Relaxed', 'relaxed ', ' relaxed', 'relaxed\u200b', '\uff52elaxed', 'rel\u0430xed', 'relaxed/', 'cafe\u0301', '__proto__', 'constructor', 'hasOwnProperty'])('is not chosen by a name that only looks like it: %j', async (conversation) => {
    await using visitor = await at.world.door('http', conversation);
    expect(await visitor.say('[inbound omega deny] hello')).toEqual({ status: 'MODERATION_DENIED', reason: 'denied by omega' });
  });

  it('counts where a message goes, not where it comes from', async () => {
    await using visitor = await at.world.door('http', 'relaxed');
    const sent = async (text: string, id: string) => {
      await visitor.say(text, id);
      return await eventually(async () => {
        const message = (await at.world.stored('relaxed', 'inbound')).find((each) => each.senderMessageId === id);
        const reply = (await at.world.stored('relaxed', 'outbound')).find(({ inReplyTo }) => message && inReplyTo === id);
        expect(reply).toBeDefined();
        return reply?.text;
      });
    };
    expect(await sent('tell webhook elsewhere [outbound omega deny] hello', 't1')).toBe('REPLY_DENIED');
    expect(await at.world.stored('elsewhere', 'outbound')).toEqual([]);
    await using other = await at.world.door('http', 'other');
    expect(await other.say('tell webhook relaxed [outbound omega deny] from other', 't2')).toMatchObject({ status: 'accepted' });
    await eventually(async () => expect((await at.world.stored('relaxed', 'outbound')).map(({ text }) => text)).toContain('[outbound omega deny] from other'));
  });

  it('makes nothing stricter of a gate that is quarantined and bypassed, nor weaker of the others', async () => {
    const { gatehouse } = at.world;
    await using visitor = await at.world.door('http');
    expect((await gatehouse.api('/plugins/omega/quarantine', { method: 'POST', body: { reason: 'a look at it' } })).status).toBe(200);
    try {
      const text = '[inbound omega deny] say [outbound omega deny] hello';
      expect(await visitor.say(text)).toMatchObject({ status: 'accepted' });
      await eventually(async () => expect(await visitor.replies()).toEqual(['[outbound omega deny] hello']));
      const message = await concluded(at.world, visitor.conversation);
      expect(shown(message)).toEqual({ text, flags: ['bypassed:omega'], provenance: [{ gate: 'omega', effect: 'bypassed' }] });
      expect(roundBefore('screen', message)).toEqual(round('omega', 'bypassed'));
      expect((await at.world.stored(visitor.conversation, 'outbound')).map(({ flags }) => flags)).toEqual([['bypassed:omega']]);
      expect(await visitor.say('[inbound gamma deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' });
    } finally {
      await gatehouse.api('/plugins/omega/release', { method: 'POST', body: { reason: 'it was fine' } });
    }
    await eventually(async () => expect(await visitor.say('[inbound omega deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' }));
  });

  it('takes effect as soon as its file says so, and a lock as soon as the gate says so', async () => {
    await using visitor = await at.world.door('http', 'late room');
    expect(await visitor.say('[inbound zeta deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' });
    const webhook = await fileOf(at.world, 'webhook');
    await at.world.home.write('manifests/plugins/webhook.json', { ...webhook, rooms: { ...Object(webhook['rooms']), 'late room': { gates: { zeta: 'skip' } } } });
    expect((await at.world.gatehouse.api('/reload', { method: 'POST' })).status).toBe(200);
    expect(await visitor.say('[inbound zeta deny] hello')).toMatchObject({ status: 'accepted' });
    const zeta = await fileOf(at.world, 'zeta');
    await at.world.home.write('manifests/plugins/zeta.json', { ...zeta, relaxTo: 'enforce' });
    await at.world.gatehouse.api('/reload', { method: 'POST' });
    expect(await visitor.say('[inbound zeta deny] hello')).toMatchObject({ status: 'MODERATION_DENIED' });
    await at.world.home.write('manifests/plugins/zeta.json', zeta);
    await at.world.gatehouse.api('/reload', { method: 'POST' });
  });
});

async function fileOf({ home }: GateWorld, name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(home.path, 'manifests/plugins', `${name}.json`), 'utf8')) as Record<string, unknown>;
}

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
        await eventually(async () => expect(await visitor.replies()).toEqual(['<gamma> ****', canaries.passed]), 20_000);
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
