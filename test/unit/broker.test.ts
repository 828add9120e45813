// The broker against a sandbox process that is no longer ours: raw requests as an escaped plugin could write them.
import { describe, expect, it } from 'vitest';
import { Type } from 'typebox';
import { Broker } from '../../host/broker/broker.ts';
import { MinuteQuotas } from '../../host/broker/quota.ts';
import { operation } from '../../host/capabilities/capability.ts';
import { createLog } from '../../host/log.ts';
import { compileSchema } from '../../host/schema.ts';
import type { Grant } from '../../schemas/capability.ts';
import { closed } from '../../schemas/closed.ts';

const clock = { at: 0, now: () => clock.at, monotonicMs: () => clock.at };

function aBroker() {
  const performed: unknown[] = [];
  const look = operation<{ tool: string }, 'tool.call'>({
    op: 'tool.call',
    capability: 'tool.call',
    request: compileSchema<{ tool: string }>(closed({ tool: Type.String() })),
    authorize: ({ tool }, grant) => (grant.tools.includes(tool) ? undefined : { value: tool }),
    perMinute: (grant) => grant.quota?.perMinute,
    perform: (args) => Promise.resolve(performed.push(args)),
  });
  return { broker: new Broker({ operations: [look], quotas: new MinuteQuotas(clock), log: createLog('error') }), performed };
}

const caller = (grants: readonly Grant[]) => ({ instance: 'thief', plugin: 'test.thief', grants });
const request = (op: string, args: unknown, callId = 'c') => ({ callId, attemptKey: '', op, args });
const GRANT: Grant = { name: 'tool.call', tools: ['a.b/c'], quota: { perMinute: 2 } };

describe('the broker', () => {
  it('76 op-proto: finds no operation behind names that every object has', async () => {
    const { broker, performed } = aBroker();
    broker.open('c');
    for (const op of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'tool.call\u0000']) {
      expect(await broker.serve(caller([GRANT]), request(op, {}))).toMatchObject({ ok: false, code: 'CAPABILITY_UNKNOWN' });
    }
    expect(performed).toEqual([]);
  });

  it('checks arguments before the grant is held against them, and the grant before anything is done', async () => {
    const { broker, performed } = aBroker();
    broker.open('c');
    expect(await broker.serve(caller([]), request('tool.call', { tool: 'a.b/c' }))).toMatchObject({ code: 'CAPABILITY_DENIED' });
    expect(await broker.serve(caller([GRANT]), request('tool.call', { tool: 5 }))).toMatchObject({ code: 'CAPABILITY_ARGUMENT', message: expect.stringContaining('/tool') });
    expect(await broker.serve(caller([GRANT]), request('tool.call', { tool: 'x.y/z' }))).toMatchObject({ code: 'CAPABILITY_DENIED', message: expect.stringContaining("'x.y/z'") });
    expect(performed).toEqual([]);
  });

  it('uses the first of several grants that allows the request', async () => {
    const { broker, performed } = aBroker();
    broker.open('c');
    expect(await broker.serve(caller([GRANT, { name: 'tool.call', tools: ['x.y/z'] }]), request('tool.call', { tool: 'x.y/z' }))).toMatchObject({ ok: true });
    expect(performed).toEqual([{ tool: 'x.y/z' }]);
  });

  it('denies beyond the quota and allows again as it refills', async () => {
    const { broker } = aBroker();
    broker.open('c');
    const ask = async () => (await broker.serve(caller([GRANT]), request('tool.call', { tool: 'a.b/c' }))).ok;
    expect([await ask(), await ask(), await ask()]).toEqual([true, true, false]);
    clock.at += 30_000;
    expect([await ask(), await ask()]).toEqual([true, false]);
  });

  it('serves nothing for a call that is over, or was never made', async () => {
    const { broker } = aBroker();
    const scope = broker.open('c');
    expect(await broker.serve(caller([GRANT]), request('tool.call', { tool: 'a.b/c' }, 'other'))).toMatchObject({ code: 'CALL_OVER' });
    broker.close(scope);
    expect(await broker.serve(caller([GRANT]), request('tool.call', { tool: 'a.b/c' }))).toMatchObject({ code: 'CALL_OVER' });
  });
});
