// What a lane does with messages that come while it is at work: every mode, every way to make room, debounce, in a running host.
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aLaneHome, fatesIn, heardIn, say } from '../support/lane-home.ts';
import type { QueuePolicy } from '../../schemas/policy.ts';

/** A host, and what is said and heard in its conversation `c`. */
async function aLane(queue: QueuePolicy, rooms: Record<string, { queue: QueuePolicy }> = {}) {
  const home = await aLaneHome({ queue, rooms });
  const gatehouse = await startGatehouse(home);
  return talk(gatehouse, async () => {
    await gatehouse[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });
}

function talk(gatehouse: Gatehouse, dispose: () => Promise<void>) {
  const all = async (conversation = 'c') => (await gatehouse.host.messages.list({ conversation, limit: 200 })).items;
  return {
    gatehouse,
    say: (id: string, text: string, conversation?: string) => say(gatehouse.address, id, text, conversation),
    /** The run has begun: the lane has one in work. */
    running: () => eventually(async () => expect((await gatehouse.host.status()).lanes.running).toBe(1)),
    go: () => say(gatehouse.address, `go-${performance.now()}`, 'go', 'elsewhere'),
    heard: async (count: number, conversation = 'c') =>
      await eventually(async () => {
        const heard = heardIn(await all(conversation));
        expect(heard).toHaveLength(count);
        return heard;
      }),
    fates: (conversation?: string) => all(conversation).then(fatesIn),
    [Symbol.asyncDispose]: dispose,
  };
}

describe('followup', () => {
  it('answers every message, one after the other', async () => {
    await using lane = await aLane({});
    await lane.say('1', 'hold');
    await lane.running();
    for (const id of ['2', '3', '4']) await lane.say(id, `text ${id}`);
    await lane.go();
    expect(await lane.heard(4)).toEqual([{ id: '1', text: 'hold' }, { id: '2', text: 'text 2' }, { id: '3', text: 'text 3' }, { id: '4', text: 'text 4' }]);
    expect(await lane.fates()).toEqual(['1 answered', '2 answered', '3 answered', '4 answered']);
  });
});

describe('collect', () => {
  it('answers what waits as one message, and each message names the one it ran with', async () => {
    await using lane = await aLane({ mode: 'collect' });
    await lane.say('1', 'hold');
    await lane.running();
    for (const id of ['2', '3', '4']) await lane.say(id, `text ${id}`);
    await lane.go();
    expect(await lane.heard(2)).toEqual([{ id: '1', text: 'hold' }, { id: '4', text: 'text 2\ntext 3\ntext 4', collected: 3 }]);
    expect(await lane.fates()).toEqual(['1 answered', '2 answered with 4', '3 answered with 4', '4 answered']);
  });

  it('is tried again as it was when it fails', async () => {
    await using lane = await aLane({ mode: 'collect' });
    await lane.say('1', 'hold');
    await lane.running();
    await lane.say('2', 'fail once');
    await lane.say('3', 'text 3');
    await lane.go();
    expect(await lane.heard(2)).toMatchObject([{ id: '1' }, { id: '3', text: 'fail once\ntext 3', collected: 2 }]);
  });

  it('that fails for good leaves a dead letter for each message, which is answered when it is replayed', async () => {
    await using lane = await aLane({ mode: 'collect', debounceMs: 150 });
    await Promise.all(['1', '2'].map((id) => lane.say(id, `fail ${id}`)));
    const letters = await eventually(async () => {
      const { items } = await lane.gatehouse.host.deadLetters.list({});
      expect(items).toHaveLength(2);
      return items;
    }, 120_000);
    expect((await lane.fates()).toSorted()).toEqual(['1 dead-lettered RESPOND_FAILED', '2 dead-lettered RESPOND_FAILED']);
    await lane.go();
    await eventually(async () => expect((await lane.gatehouse.host.status()).lanes).toMatchObject({ waiting: 0, running: 0 }));
    for (const { id } of letters) await lane.gatehouse.api(`/dead-letters/${id}/replay`, { method: 'POST' });
    await eventually(async () => expect((await lane.fates()).every((fate) => fate.includes('answered'))).toBe(true));
  });
});

describe('steer', () => {
  it('answers the newest that waits; what it overtakes is dropped', async () => {
    await using lane = await aLane({ mode: 'steer' });
    await lane.say('1', 'hold');
    await lane.running();
    for (const id of ['2', '3', '4']) await lane.say(id, `text ${id}`);
    await lane.go();
    expect(await lane.heard(2)).toEqual([{ id: '1', text: 'hold' }, { id: '4', text: 'text 4', dropped: 2 }]);
    expect(await lane.fates()).toEqual(['1 answered', '2 dropped SUPERSEDED with 4', '3 dropped SUPERSEDED with 4', '4 answered']);
  });

  it('overtakes nothing that was said in another place of the same session', async () => {
    const home = await aLaneHome({ queue: { mode: 'steer' }, session: { scope: 'main' } });
    const gatehouse = await startGatehouse(home);
    await using lane = talk(gatehouse, async () => {
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    });
    await lane.say('1', 'slow');
    await lane.say('2', 'here');
    await lane.say('3', 'there', 'd');
    await lane.say('4', 'here again');
    expect((await lane.heard(1, 'd')).map(({ id }) => id)).toEqual(['3']);
    await eventually(async () => expect((await lane.fates()).at(-1)).toBe('4 answered'));
    expect((await lane.fates()).filter((fate) => fate.includes('with 3'))).toEqual([]);
  });
});

describe('interrupt', () => {
  it('ends the run for a newer message; nothing it wrote is kept', async () => {
    await using lane = await aLane({ mode: 'interrupt' });
    await lane.say('1', 'mark and hold');
    await lane.running();
    await lane.say('2', 'text 2');
    expect(await lane.heard(1)).toEqual([{ id: '2', text: 'text 2', dropped: 1 }]);
    expect(await lane.fates()).toEqual(['1 dropped SUPERSEDED with 2', '2 answered']);
    await lane.say('3', 'marks');
    expect(await lane.heard(2)).toMatchObject([{}, { id: '3', text: 'none' }]);
    expect(lane.gatehouse.host.plugins.show('scribe')).toMatchObject({ state: 'active', strikes: 0, restarts: 0 });
  });

  it('lets a steady writer have an answer', async () => {
    await using lane = await aLane({ mode: 'interrupt' });
    let answered = 0;
    let sent = 0;
    while (answered === 0) {
      await lane.say(String((sent += 1)), 'slow');
      answered = heardIn((await lane.gatehouse.host.messages.list({ conversation: 'c', direction: 'outbound' })).items).length;
      expect(sent).toBeLessThan(2000);
    }
    expect(sent).toBeGreaterThan(5);
  });

  it('is of one room alone where only the room says so', async () => {
    await using lane = await aLane({}, { urgent: { queue: { mode: 'interrupt' } } });
    await lane.say('1', 'hold', 'urgent');
    await lane.running();
    await lane.say('2', 'text 2', 'urgent');
    expect(await lane.heard(1, 'urgent')).toMatchObject([{ id: '2', dropped: 1 }]);
    await lane.say('3', 'hold', 'calm');
    await lane.running();
    await lane.say('4', 'text 4', 'calm');
    await lane.go();
    expect((await lane.heard(2, 'calm')).map(({ id }) => id)).toEqual(['3', '4']);
  });
});

describe('a full lane', () => {
  it('refuses the new one, and its sender may send it again', async () => {
    await using lane = await aLane({ cap: 2 });
    await lane.say('1', 'hold');
    await lane.running();
    expect([await lane.say('2', 'text 2'), await lane.say('3', 'text 3'), await lane.say('4', 'text 4')]).toEqual(['202', '202', '503 LANE_FULL']);
    await lane.go();
    await lane.heard(3);
    expect(await lane.say('4', 'text 4')).toBe('202');
    expect((await lane.heard(4)).map(({ id }) => id)).toEqual(['1', '2', '3', '4']);
  });

  it('drops the oldest that waits, and never the one in work', async () => {
    await using lane = await aLane({ cap: 2, drop: 'old' });
    await lane.say('1', 'hold');
    await lane.running();
    for (const id of ['2', '3', '4', '5']) expect(await lane.say(id, `text ${id}`)).toBe('202');
    expect(await lane.fates()).toEqual(['1 accepted', '2 dropped LANE_OVERFLOW', '3 dropped LANE_OVERFLOW', '4 accepted', '5 accepted']);
    await lane.go();
    expect(await lane.heard(3)).toEqual([{ id: '1', text: 'hold' }, { id: '4', text: 'text 4' }, { id: '5', text: 'text 5' }]);
  });

  it('tells the next run what was dropped, and that run alone', async () => {
    await using lane = await aLane({ cap: 2, drop: 'summarize' });
    await lane.say('1', 'hold');
    await lane.running();
    for (const id of ['2', '3', '4', '5']) expect(await lane.say(id, `text ${id}`)).toBe('202');
    await lane.go();
    expect(await lane.heard(3)).toEqual([
      { id: '1', text: 'hold' },
      { id: '4', text: 'text 4\n[2 messages before this one were dropped: “text 2”, “text 3”]', dropped: 2 },
      { id: '5', text: 'text 5' },
    ]);
    expect(await lane.fates()).toEqual(['1 answered', '2 dropped LANE_OVERFLOW', '3 dropped LANE_OVERFLOW', '4 answered', '5 answered']);
  });

  it('counts all that was dropped, and quotes the last twenty', async () => {
    await using lane = await aLane({ cap: 1, drop: 'summarize', mode: 'collect' });
    await lane.say('0', 'hold');
    await lane.running();
    for (let n = 1; n <= 31; n += 1) await lane.say(String(n), `text ${n}`);
    await lane.go();
    const [, last] = await lane.heard(2);
    expect(last).toMatchObject({ id: '31', dropped: 30 });
    expect(last?.text).toMatch(/^text 31\n\[30 messages before this one were dropped, the last of them: “text 11”, .*, “text 30”\]$/);
  });

  it('holds its cap under many at once', async () => {
    await using lane = await aLane({ cap: 5, drop: 'old' });
    await lane.say('0', 'hold');
    await lane.running();
    await Promise.all(Array.from({ length: 60 }, (_, n) => lane.say(`m${n}`, `text ${n}`)));
    await lane.say('last', 'text last');
    expect((await lane.fates()).filter((fate) => fate.endsWith('accepted'))).toHaveLength(6);
    await lane.go();
    expect((await lane.heard(6)).at(-1)).toMatchObject({ id: 'last' });
  });
});

describe('a debounce', () => {
  it('gathers what is said in quick succession before the mode is applied', async () => {
    await using lane = await aLane({ mode: 'collect', debounceMs: 250 });
    for (const id of ['1', '2', '3']) await lane.say(id, `text ${id}`);
    expect(await lane.heard(1)).toEqual([{ id: '3', text: 'text 1\ntext 2\ntext 3', collected: 3 }]);
    await lane.say('4', 'text 4');
    expect(await lane.heard(2)).toMatchObject([{}, { id: '4', text: 'text 4' }]);
  });
});
