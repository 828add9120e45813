// Parts of the host that work beside or behind the messages, each struck down under traffic: the others never pause, nothing is sent twice, and what was struck goes on by itself.
import { describe, expect, it } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { subscribe } from '../../host/events.ts';
import { deliveries, letterReplays, routes } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { aPipeline, type PipelineWorld } from '../support/pipeline.ts';

const LANES = 6;

interface Struck extends AsyncDisposable {
  readonly world: PipelineWorld;
  /** How often each reply was handed to its channel. */
  readonly sends: Map<string, number>;
  /** Messages answered and delivered so far. */
  delivered(): number;
  /** Resolves once so many more were delivered. */
  goesOn(): Promise<void>;
  /** Ends the traffic and resolves with how many messages were accepted. */
  stop(): Promise<number>;
}

async function underTraffic(): Promise<Struck> {
  const sends = new Map<string, number>();
  let broken = true;
  const world = await aPipeline({
    door: {
      kind: 'channel',
      policy: { session: { scope: 'channel-peer' }, admit: { senderPerSecond: 1_000_000 } },
      handlers: { send: ({ id, text }: { id: string; text: string }) => {
        sends.set(`${id} ${text}`, (sends.get(`${id} ${text}`) ?? 0) + 1);
        return { actions: [{ frame: { conversation: 'nobody' }, text }] };
      } },
    },
    clerk: { kind: 'skill', handlers: { respond: ({ message }: { message: { text: string } }) => {
      if (message.text === 'break' && broken) throw Object.assign(new Error('broken'), { retry: false });
      return { replies: [{ text: message.text }] };
    } } },
  });
  let count = 0;
  const stopCounting = subscribe('message.outcome', ({ direction, outcome }) => {
    if (direction === 'outbound' && outcome === 'delivered') count += 1;
  });
  const state = { over: false };
  const flowing = Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    let accepted = 0;
    for (let n = 0; !state.over; n += 1) {
      const { status } = await world.post('door', { id: `${lane}-${n}`, conversation: `c${lane}`, sender: { id: `s${lane}-${n % 7}` }, text: `${lane}-${n}` });
      if (status === 202) accepted += 1;
      else n -= 1;
    }
    return accepted;
  }));
  return {
    world,
    sends,
    delivered: () => count,
    async goesOn() {
      const before = count;
      await eventually(() => expect(count).toBeGreaterThan(before + 50), 120_000);
    },
    async stop() {
      state.over = true;
      const accepted = (await flowing).reduce((sum, each) => sum + each, 0);
      broken = false;
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      state.over = true;
      await flowing;
      stopCounting();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function everythingOnce(struck: Struck): Promise<void> {
  const { world, sends } = struck;
  const accepted = await struck.stop();
  await eventually(async () => expect(await world.waitingDeliveries()).toBe(0), 120_000);
  await eventually(() => expect(sends.size).toBe(accepted), 120_000);
  expect([...sends].filter(([, times]) => times !== 1)).toEqual([]);
}

const failed = () => {
  throw new GatehouseError('STORE_FAILED', { problem: 'struck' });
};

describe('struck down under traffic', () => {
  it('the route worker: messages flow, routes are noted, and old ones are forgotten once it can', async () => {
    await using struck = await underTraffic();
    const { world } = struck;
    let asked = 0;
    world.beforeRange = (table) => {
      if (table.name !== routes.name) return;
      asked += 1;
      failed();
    };
    await struck.goesOn();
    await struck.goesOn();
    expect(asked).toBeGreaterThan(0);
    world.beforeRange = () => undefined;
    await everythingOnce(struck);
    expect((await world.store.range(routes, routes.prefix(), { limit: 100 })).length).toBe(LANES * 7);
  });

  it('the replay worker: messages flow, and letters are put back once each when it can', async () => {
    await using struck = await underTraffic();
    const { world } = struck;
    const broken = 25;
    for (let n = 0; n < broken; n += 1) expect((await world.post('door', { id: `b${n}`, conversation: `b${n}`, sender: { id: `b${n}` }, text: 'break' })).status).toBe(202);
    await eventually(async () => expect(await world.pipeline.deadLetters.count()).toBe(broken), 120_000);
    const replayer = () => world.pipeline.workers.views().find(({ name }) => name === 'replay');
    world.beforeRange = (table) => (table.name === letterReplays.name ? failed() : undefined);
    expect(await world.pipeline.letterDesk.replayMany({}, 'a test')).toMatchObject({ marked: broken });
    await eventually(() => expect(replayer()?.failures).toBeGreaterThan(1));
    await struck.goesOn();
    expect(await world.pipeline.deadLetters.count()).toBe(broken);
    world.beforeRange = () => undefined;
    const accepted = await struck.stop();
    await eventually(async () => expect(await world.pipeline.deadLetters.count()).toBe(0), 120_000);
    await eventually(() => expect(struck.sends.size).toBe(accepted + broken), 120_000);
    expect([...struck.sends].filter(([, times]) => times !== 1)).toEqual([]);
    await eventually(() => expect(replayer()).toMatchObject({ state: 'idle' }));
  });

  it('the delivery of one conversation, in the commit that settles it: the others go on, and it was sent once', async () => {
    await using struck = await underTraffic();
    const { world } = struck;
    let refused = 0;
    world.beforeCommit = ({ remove = [], put = [] }) => {
      const settles = remove.some(({ table }) => table.name === deliveries.name) && !put.some(({ table }) => table.name === deliveries.name);
      if (!settles || refused >= 20) return;
      refused += 1;
      failed();
    };
    await eventually(() => expect(refused).toBe(20), 120_000);
    await struck.goesOn();
    await everythingOnce(struck);
  });
});
