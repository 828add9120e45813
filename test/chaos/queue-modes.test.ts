// Hosts killed again and again under steady writers, in every queue mode, with and without a debounce: each acknowledged message ends once, in one run, and the counts agree.
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { QueuePolicy } from '../../schemas/policy.ts';
import { eventually } from '../support/eventually.ts';
import { aLaneHome, say } from '../support/lane-home.ts';
import { startProcess, type HostProcess } from '../support/process.ts';
import { sampler } from '../support/sampled.ts';
import { judgeLanes, type Listed, type Said } from './lane-checker.ts';

const WRITERS = 3;
const KILLS = 3;
/** Acknowledged messages between two kills, over all writers. */
const BETWEEN = 25;

const POLICIES: readonly (readonly [string, QueuePolicy])[] = [
  ['followup', {}],
  ['collect', { mode: 'collect' }],
  ['collect with a debounce', { mode: 'collect', debounceMs: 30 }],
  ['steer', { mode: 'steer' }],
  ['interrupt', { mode: 'interrupt', debounceMs: 5 }],
  ['followup that summarizes', { cap: 3, drop: 'summarize' }],
  ['steer that drops the oldest', { mode: 'steer', cap: 2, drop: 'old' }],
];

const isTried = sampler(2);

describe('kill -9 under steady writers', () => {
  it.each(POLICIES.filter((__, place) => isTried(place)))('in %s', async (_, queue) => {
    await using home = await aLaneHome({ queue });
    const said: Said[] = [];
    let host: HostProcess = await startProcess(home.path);
    const state = { over: false };
    const write = async (conversation: string) => {
      for (let n = 0; !state.over; n += 1) {
        const text = n % 3 === 0 ? `slow ${n}` : `text ${n}`;
        // Until it is acknowledged, by whichever host.
        while (!['200', '202'].includes(await say(host.address, String(n), text, conversation).catch(() => 'gone'))) await new Promise((resolve) => setTimeout(resolve, 5));
        said.push({ conversation, id: String(n), text });
      }
    };
    const writing = Promise.all(Array.from({ length: WRITERS }, (__, index) => write(`c${index}`)));
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = said.length;
      const wanted = before + randomInt(10, BETWEEN);
      await eventually(() => expect(said.length).toBeGreaterThan(wanted), 120_000);
      process.kill(host.pid, 'SIGKILL');
      await host.exited;
      host = await startProcess(home.path);
    }
    state.over = true;
    await writing;
    await using last = host;
    const listed = await eventually(async () => {
      const all = await everyMessage(home.path, last.address);
      expect(all.filter(({ outcome }) => outcome === 'accepted' || outcome === 'pending')).toEqual([]);
      return all;
    }, 120_000);
    expect(judgeLanes(said, listed)).toEqual([]);
  });
});

describe('the checker', () => {
  const said: Said[] = [1, 2].map((n) => ({ conversation: 'c', id: String(n), text: `text ${n}` }));
  const row = (n: number, more: Partial<Listed> = {}): Listed => ({ id: `m${n}`, conversation: 'c', direction: 'inbound', outcome: 'answered', text: `text ${n}`, senderMessageId: String(n), ...more });
  const reply = (given: object): Listed => ({ id: 'r', conversation: 'c', direction: 'outbound', outcome: 'delivered', inReplyTo: '2', text: JSON.stringify({ id: '2', ...given }) });
  const collected = [row(1, { ranWith: 'm2' }), row(2), reply({ text: 'text 1\ntext 2', collected: 2 })];

  it('finds nothing where all is well', () => {
    expect(judgeLanes(said, collected)).toEqual([]);
    expect(judgeLanes(said, [row(1, { outcome: 'dropped', code: 'SUPERSEDED', ranWith: 'm2' }), row(2), reply({ text: 'text 2', dropped: 1 })])).toEqual([]);
  });

  it.each([
    ['a message that is lost', collected.slice(1)],
    ['a message that is stored twice', [row(1, { ranWith: 'm2', id: 'm0' }), ...collected]],
    ['a message that nobody answered', [row(1, { outcome: 'accepted' }), ...collected.slice(1)]],
    ['one that was answered twice', [...collected, { ...reply({ text: 'text 2' }), id: 'r2' }]],
    ['a run that was told of too few', [collected[0]!, collected[1]!, reply({ text: 'text 1\ntext 2' })]],
    ['a run that was given other words', [collected[0]!, collected[1]!, reply({ text: 'text 2\ntext 1', collected: 2 })]],
    ['one that was dropped for no newer message', [row(1, { outcome: 'dropped', code: 'SUPERSEDED' }), row(2), reply({ text: 'text 2' })]],
    ['a run that does not count what it overtook', [row(1, { outcome: 'dropped', code: 'SUPERSEDED', ranWith: 'm2' }), row(2), reply({ text: 'text 2' })]],
    ['a message nobody was told of', [...collected, row(3, { ranWith: 'm2' })]],
  ])('finds %s', (_, listed) => {
    expect(judgeLanes(said, listed)).not.toEqual([]);
  });
});

async function everyMessage(home: string, address: string): Promise<Listed[]> {
  const token = (await readFile(join(home, 'data/admin-token'), 'utf8')).trim();
  const all: Listed[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const response = await fetch(`${address}/api/v1/messages?instance=door&limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`, { headers: { authorization: `Bearer ${token}` } });
    const page = (await response.json()) as { items: Listed[]; cursor: string | null };
    all.push(...page.items);
    cursor = page.cursor;
  }
  return all;
}
