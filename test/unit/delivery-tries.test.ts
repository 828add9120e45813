// How often a delivery is tried, by what went wrong, and that one which was taken is never sent again.
import { describe, expect, it } from 'vitest';
import { GatehouseError } from '../../host/errors.ts';
import { put } from '../../host/store/store.ts';
import { deadLetters, deliveries, messages, type DeliveryRow } from '../../host/store/tables.ts';
import { eventually } from '../support/eventually.ts';
import { aPipeline, arriving, type PipelineWorld, type StandIn } from '../support/pipeline.ts';

const POST = { request: { method: 'POST', url: 'https://remote.example/in', body: 'hello' } };
const pager = (send: (delivery: { attempt: number }) => unknown = () => ({ actions: [POST] })): StandIn => ({ kind: 'channel', handlers: { receive: ({ body }: { body: string }) => ({ messages: [JSON.parse(body)] }), send } });
const echo: StandIn = { kind: 'skill', handlers: { respond: () => ({ replies: [{ text: 'hello' }] }) } };

const letters = async ({ store }: PipelineWorld) => (await store.range(deadLetters, deadLetters.prefix())).map(({ value }) => value);
const only = async (world: PipelineWorld) => (await world.outbound('pager', 'c'))[0];

/** A world whose one delivery stands where earlier tries have left it, with a second channel call under way. */
async function continued(row: Partial<DeliveryRow>, request: PipelineWorld['request'], send?: Parameters<typeof pager>[0]) {
  const first = await aPipeline({ pager: pager(), echo });
  first.request = () => new Promise(() => undefined);
  await first.post('pager', arriving('1', 'hi'));
  const message = await eventually(async () => {
    const found = await only(first);
    expect(found).toBeDefined();
    return found;
  });
  const key = deliveries.key(message?.id ?? '');
  await first.store.commit({ put: [put(deliveries, key, { instance: 'pager', conversation: 'c', attempts: 0, ...row })] });
  const second = await aPipeline({ pager: pager(send), echo }, { store: first.store, recover: false });
  second.request = request;
  await second.pipeline.recover();
  return Object.assign(second, { left: async () => (await first.store.get(deliveries, key))?.value, first });
}

describe('a delivery', () => {
  it('that was taken is not sent again while it cannot be written down', async () => {
    await using world = await aPipeline({ pager: pager(), echo });
    let sent = 0;
    let failing = 3;
    world.request = async () => (sent++, { status: 200, headers: {} });
    world.beforeCommit = (commit) => {
      if (sent > 0 && failing > 0 && commit.put?.some(({ value }) => JSON.stringify(value).includes('delivered'))) {
        failing -= 1;
        throw new GatehouseError('STORE_FAILED', { problem: 'no space' });
      }
    };
    await world.post('pager', arriving('1', 'hi'));
    await eventually(async () => expect((await only(world))?.outcome).toBe('delivered'), 120_000);
    expect([sent, failing, await world.waitingDeliveries()]).toEqual([1, 0, 0]);
  });

  const failure = (code: 'EGRESS_FAILED' | 'QUOTA_EXCEEDED' | 'SECRET_MISSING' | 'EGRESS_DENIED') => () => Promise.reject(new GatehouseError(code, { instance: 'pager' }));
  const answer = (status: number) => () => Promise.resolve({ status, headers: {} });

  it.each<[what: string, row: Partial<DeliveryRow>, request: PipelineWorld['request'], code: string | undefined]>([
    ['is given up at its twelfth failure at the remote', { attempts: 11, failures: 11, progress: { remote: 11 } }, answer(503), 'DELIVERY_FAILED'],
    ['goes on before that', { attempts: 10, failures: 10, progress: { remote: 10 } }, answer(503), undefined],
    ['counts a remote that cannot be reached the same', { attempts: 11, failures: 11, progress: { remote: 11 } }, failure('EGRESS_FAILED'), 'DELIVERY_FAILED'],
    ['waits for quota without counting it against the remote', { attempts: 200, failures: 11, progress: { remote: 11, postponed: 189 } }, failure('QUOTA_EXCEEDED'), undefined],
    ['does not wait for quota for ever', { attempts: 499, progress: { postponed: 499 } }, failure('QUOTA_EXCEEDED'), 'DELIVERY_FAILED'],
    ['has tries left for a secret that comes back', { attempts: 3, failures: 3, progress: { remote: 3 } }, failure('SECRET_MISSING'), undefined],
    ['is given up at once when policy refuses it', {}, failure('EGRESS_DENIED'), 'EGRESS_DENIED'],
    ['is given up at once when the remote refuses it', {}, answer(410), 'DELIVERY_REFUSED'],
  ])('%s', async (_, row, request, code) => {
    let asked = 0;
    await using world = await continued(row, (...args) => (asked++, request(...args)));
    await using _first = world.first;
    const attempts = (row.attempts ?? 0) + 1;
    const buried = code === undefined ? [] : [{ code, attempts }];
    await eventually(async () => expect({ left: (await world.left())?.attempts, letters: await letters(world) }).toMatchObject({ left: code === undefined ? attempts : undefined, letters: buried }));
    expect(asked).toBe(1);
  });

  it('whose channel fails after its remote did still has the channel’s own tries', async () => {
    await using world = await continued({ attempts: 5, failures: 5, progress: { remote: 5 } }, answer(200), ({ attempt }) => {
      if (attempt === 6) throw new Error('a bad day');
      return { actions: [POST] };
    });
    await using _first = world.first;
    await eventually(async () => expect((await only(world))?.outcome).toBe('delivered'));
    expect((await world.store.range(messages, messages.prefix())).length).toBe(2);
  });

  it('waits as long as the remote asks, and not a second less', async () => {
    const before = Date.now();
    await using world = await continued({}, () => Promise.resolve({ status: 429, headers: { 'retry-after': '120' } }));
    await using _first = world.first;
    const left = await eventually(async () => {
      const row = await world.left();
      expect(row?.attempts).toBe(1);
      return row;
    });
    expect((left?.notBeforeMs ?? 0) - before).toBeGreaterThanOrEqual(120_000);
    expect((left?.notBeforeMs ?? 0) - before).toBeLessThan(130_000);
  });
});
