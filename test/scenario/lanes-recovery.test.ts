// Lanes over the death of their host: whatever state a lane is in, in every mode, what was accepted ends once; what waited too long does not come back as new; a mode that was given stays.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MessageView, DeadLetterView } from '../../schemas/control.ts';
import type { QueueMode, QueuePolicy } from '../../schemas/policy.ts';
import { eventually } from '../support/eventually.ts';
import type { TestHome } from '../support/home.ts';
import { aLaneHome, fatesIn, heardIn, say } from '../support/lane-home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { sampler } from '../support/sampled.ts';

async function api<Answer>(home: TestHome, { address }: HostProcess, path: string, method = 'GET', body?: unknown): Promise<Answer> {
  const token = (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim();
  const response = await fetch(`${address}/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return (await response.json()) as Answer;
}

const messagesOf = async (home: TestHome, host: HostProcess, conversation = 'c') => (await api<{ items: MessageView[] }>(home, host, `/messages?conversation=${conversation}&limit=200`)).items;
const laneOf = async (home: TestHome, host: HostProcess) => (await api<{ items: { session: string; state: string; mode: string; depth: number }[] }>(home, host, '/lanes')).items.find(({ session }) => session === 'door:c');

async function killed(host: HostProcess): Promise<void> {
  process.kill(host.pid, 'SIGKILL');
  await host.exited;
}

/** How the lane stands when its host is killed: what is said first, and the state it is in then. */
const STATES = [
  ['at work', {}, 'hold', 'running'],
  ['waiting for another try', {}, 'fail', 'delayed'],
  ['waiting for quiet', { debounceMs: 3000 }, 'text 1', 'delayed'],
] as const satisfies readonly (readonly [string, QueuePolicy, string, string])[];

/** What becomes of messages 1 to 3 that all wait when the next host starts. */
const ENDS: Readonly<Record<QueueMode, readonly string[]>> = {
  followup: ['1 answered', '2 answered', '3 answered'],
  collect: ['1 answered with 3', '2 answered with 3', '3 answered'],
  steer: ['1 dropped SUPERSEDED with 3', '2 dropped SUPERSEDED with 3', '3 answered'],
  interrupt: ['1 dropped SUPERSEDED with 3', '2 dropped SUPERSEDED with 3', '3 answered'],
};
const MODES: readonly QueueMode[] = ['followup', 'collect', 'steer', 'interrupt'];

const isTried = sampler(2);

describe.each(STATES)('kill -9 of a lane that is %s', (stands, queue, first, state) => {
  it.each(MODES.filter((mode) => isTried(STATES.findIndex(([name]) => name === stands) + MODES.indexOf(mode))))('in mode %s ends every message once, as the mode says', async (mode) => {
    await using home = await aLaneHome({ queue: { mode, ...queue } });
    const before = await startProcess(home.path);
    await say(before.address, '1', first);
    await eventually(async () => expect(await laneOf(home, before)).toMatchObject({ state }));
    await say(before.address, '2', 'text 2');
    await say(before.address, '3', 'text 3');
    await killed(before);

    await using after = await startProcess(home.path);
    await say(after.address, 'go', 'go', 'elsewhere');
    await eventually(async () => expect((await messagesOf(home, after)).filter(({ outcome }) => outcome === 'accepted')).toEqual([]), 120_000);
    const all = await messagesOf(home, after);
    const fates = fatesIn(all);
    // A run may have failed often enough, or have been ended by a newer message, before the kill; what is certain is that each ended once, and the last was answered.
    const isCertain = mode === 'followup' || (first !== 'fail' && !(mode === 'interrupt' && first === 'hold'));
    expect(fates).toEqual(isCertain ? ENDS[mode] : [...fates.slice(0, 2), '3 answered']);
    const heard = heardIn(all);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(heard.length);
    const stood = heard.reduce((sum, { collected = 1, dropped = 0 }) => sum + collected + dropped, 0);
    expect(stood).toBe(3);
  });
});

describe('kill -9', () => {
  it('keeps what was dropped, and the next run is told of it', async () => {
    await using home = await aLaneHome({ queue: { cap: 2, drop: 'summarize' } });
    const before = await startProcess(home.path);
    await say(before.address, '1', 'hold');
    await eventually(async () => expect(await laneOf(home, before)).toMatchObject({ state: 'running' }));
    for (const id of ['2', '3', '4', '5']) await say(before.address, id, `text ${id}`);
    await killed(before);
    await using after = await startProcess(home.path);
    await say(after.address, 'go', 'go', 'elsewhere');
    await eventually(async () => expect(fatesIn(await messagesOf(home, after))).toEqual(['1 answered', '2 dropped LANE_OVERFLOW', '3 dropped LANE_OVERFLOW', '4 answered', '5 answered']), 120_000);
    expect(heardIn(await messagesOf(home, after))[1]).toEqual({ id: '4', text: 'text 4\n[2 messages before this one were dropped: “text 2”, “text 3”]', dropped: 2 });
  });

  it('keeps the mode that an operator gave a session, until it is taken back', async () => {
    await using home = await aLaneHome();
    const before = await startProcess(home.path);
    expect(await api(home, before, `/lanes/${encodeURIComponent('door:c')}/mode`, 'POST', { mode: 'collect' })).toEqual({ session: 'door:c', mode: 'collect' });
    await killed(before);
    await using after = await startProcess(home.path);
    await say(after.address, '1', 'hold');
    await eventually(async () => expect(await laneOf(home, after)).toMatchObject({ state: 'running', mode: 'collect' }));
    for (const id of ['2', '3']) await say(after.address, id, `text ${id}`);
    await say(after.address, 'go', 'go', 'elsewhere');
    await eventually(async () => expect(fatesIn(await messagesOf(home, after))).toEqual(['1 answered', '2 answered with 3', '3 answered']));
    await api(home, after, `/lanes/${encodeURIComponent('door:c')}/mode`, 'POST', { mode: null });
    await say(after.address, '4', 'slow');
    await say(after.address, '5', 'text 5');
    await say(after.address, '6', 'text 6');
    await eventually(async () => expect(fatesIn(await messagesOf(home, after)).slice(3)).toEqual(['4 answered', '5 answered', '6 answered']));
  });
});

describe('what waited longer than its age allows', () => {
  it('is a dead letter after a start, not an answer, and is answered when it is replayed', async () => {
    await using home = await aLaneHome({ queue: { mode: 'collect', maxAgeMs: 1500 } });
    const before = await startProcess(home.path);
    const saidAt = Date.now();
    await say(before.address, '1', 'hold');
    await eventually(async () => expect(await laneOf(home, before)).toMatchObject({ state: 'running' }));
    await say(before.address, '2', 'old too');
    await killed(before);
    await eventually(() => expect(Date.now() - saidAt).toBeGreaterThan(2500));

    await using after = await startProcess(home.path);
    await say(after.address, '3', 'new');
    const letters = await eventually(async () => {
      const { items } = await api<{ items: DeadLetterView[] }>(home, after, '/dead-letters');
      expect(items.map(({ code }) => code)).toEqual(['MESSAGE_EXPIRED', 'MESSAGE_EXPIRED']);
      return items;
    });
    await eventually(async () => expect(fatesIn(await messagesOf(home, after))).toEqual(['1 dead-lettered MESSAGE_EXPIRED', '2 dead-lettered MESSAGE_EXPIRED', '3 answered']));
    expect(heardIn(await messagesOf(home, after))).toEqual([{ id: '3', text: 'new' }]);

    for (const { id } of letters) await api(home, after, `/dead-letters/${id}/replay`, 'POST');
    await say(after.address, 'go', 'go', 'elsewhere');
    await eventually(async () => expect(fatesIn(await messagesOf(home, after)).map((fate) => fate.split(' ')[1])).toEqual(['answered', 'answered', 'answered']));
    expect(heardIn(await messagesOf(home, after)).map(({ text }) => text).join('\n')).toMatch(/hold[^]*old too|old too[^]*hold/);
  });
});
