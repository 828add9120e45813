// What changes between two sets of grants, and what two sets have in common: every capability, same, narrower, wider, moved.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantChanges, grantChangesInWords } from '../../host/trust/powers/grant-changes.ts';
import { commonGrants, judgeGrant } from '../../host/trust/powers/grants.ts';
import type { Grant } from '../../schemas/capability.ts';

const fetching = (origins: readonly string[], quota?: { perMinute: number }): Grant => ({ name: 'http.fetch', origins: [...origins], methods: ['GET'], ...(quota ? { quota } : {}) });
const kv = (quotaBytes: number): Grant => ({ name: 'kv', quotaBytes });
const secret = (handle: string, audience: string): Grant => ({ name: 'secret.use', handle, audience, inject: { header: 'authorization' } });
const sending = (...instances: string[]): Grant => ({ name: 'message.send', instances });
const calling = (...tools: string[]): Grant => ({ name: 'tool.call', tools });
const reading: Grant = { name: 'message.read', conversations: 'own' };

const A = 'https://a.example';
const B = 'https://b.example';
const C = 'https://c.example';

/** The names of what changed, a list a kind. */
function kinds(before: readonly Grant[], after: readonly Grant[]): Record<string, string[]> {
  const { added, removed, widened, narrowed } = grantChanges(before, after);
  return { added: added.map(({ name }) => name), removed: removed.map(({ name }) => name), widened: widened.map((each) => each.after.name), narrowed: narrowed.map((each) => each.before.name) };
}

const NONE = { added: [], removed: [], widened: [], narrowed: [] };

describe('between two sets of grants', () => {
  it.each<[string, Grant[], Grant[], Partial<Record<'added' | 'removed' | 'widened' | 'narrowed', string[]>>]>([
    ['nothing changes in no grants', [], [], {}],
    ['nothing changes in the same grants in another order', [kv(1), reading], [reading, kv(1)], {}],
    ['nothing changes with another reason', [{ ...kv(1), reason: 'a' }], [{ ...kv(1), reason: 'b' }], {}],
    ['nothing changes with the default port spelled out', [fetching([A])], [fetching([`${A}:443`])], {}],
    ['a grant is added', [], [kv(1)], { added: ['kv'] }],
    ['a grant is removed', [kv(1)], [], { removed: ['kv'] }],
    ['one is added and another removed', [kv(1)], [reading], { added: ['message.read'], removed: ['kv'] }],
    ['an origin more is wider', [fetching([A])], [fetching([A, B])], { widened: ['http.fetch'] }],
    ['an origin less is narrower', [fetching([A, B])], [fetching([A])], { narrowed: ['http.fetch'] }],
    ['another origin is both', [fetching([A])], [fetching([B])], { widened: ['http.fetch'], narrowed: ['http.fetch'] }],
    ['a higher quota is wider', [kv(1)], [kv(2)], { widened: ['kv'] }],
    ['a lower quota is narrower', [kv(2)], [kv(1)], { narrowed: ['kv'] }],
    ['no quota is the widest', [fetching([A], { perMinute: 1 })], [fetching([A])], { widened: ['http.fetch'] }],
    ['an instance more is wider', [sending('a')], [sending('a', 'b')], { widened: ['message.send'] }],
    ['a tool less is narrower', [calling('a.b/c', 'a.b/d')], [calling('a.b/c')], { narrowed: ['tool.call'] }],
    ['a second secret is added, not wider', [secret('one', A)], [secret('one', A), secret('two', A)], { added: ['secret.use'] }],
    ['a secret for another audience is both', [secret('one', A)], [secret('one', B)], { widened: ['secret.use'], narrowed: ['secret.use'] }],
    ['two grants in one are wider than each', [fetching([A]), fetching([B])], [fetching([A, B])], { widened: ['http.fetch'] }],
  ])('%s', (_, before, after, expected) => {
    expect(kinds(before, after)).toEqual({ ...NONE, ...expected });
  });

  it('each change is told in a sentence, what is more before what is less', () => {
    expect(grantChangesInWords(grantChanges([kv(1024), reading], [kv(2048), sending('webchat')]))).toEqual([
      'added: write messages by itself through webchat',
      'widened: from “keep up to 1 KiB of its own data” to “keep up to 2 KiB of its own data”',
      'removed: read the conversations of its own instance',
    ]);
  });
});

describe('what two sets of grants have in common', () => {
  it.each<[string, Grant[], Grant[], Grant[]]>([
    ['of nothing and something is nothing', [], [kv(1)], []],
    ['of different capabilities is nothing', [reading], [kv(1)], []],
    ['is the lower quota', [kv(2)], [kv(1)], [kv(1)]],
    ['is the origins of both', [fetching([A, B])], [fetching([B, C])], [fetching([B])]],
    ['is nothing without an origin of both', [fetching([A])], [fetching([C])], []],
    ['is the bound that only one side has', [fetching([A])], [fetching([A], { perMinute: 5 })], [fetching([A], { perMinute: 5 })]],
    ['is the instances of both', [sending('a', 'b')], [sending('b')], [sending('b')]],
    ['is the tools of both', [calling('a.b/c', 'a.b/d')], [calling('a.b/d')], [calling('a.b/d')]],
    ['says nothing twice', [kv(1), kv(3), reading, reading], [kv(2), kv(5), reading], [kv(3), reading]],
    ['is a secret only if nothing of it differs', [secret('one', A), secret('two', A)], [secret('one', A), secret('two', B)], [secret('one', A)]],
  ])('%s', (_, one, other, expected) => {
    expect(commonGrants(one, other)).toEqual(expected);
  });

  it('is never more than either side, and all of two equal sides', () => {
    const some = <T>(all: readonly T[]) => fc.subarray([...all], { minLength: 1 });
    const quota = fc.option(fc.record({ perMinute: fc.integer({ min: 1, max: 3 }) }), { nil: undefined });
    const grant = fc.oneof(
      fc.tuple(some([A, B, C]), quota).map(([origins, bound]) => fetching(origins, bound)),
      fc.integer({ min: 1, max: 4 }).map(kv),
      fc.tuple(fc.constantFrom('one', 'two'), fc.constantFrom(A, B)).map(([handle, audience]) => secret(handle, audience)),
      some(['a', 'b']).map((instances) => sending(...instances)),
      some(['a.b/c', 'a.b/d']).map((tools) => calling(...tools)),
      fc.constant(reading),
    );
    const grants = fc.array(grant, { maxLength: 4 });
    fc.assert(
      fc.property(grants, grants, (one, other) => {
        for (const common of commonGrants(one, other)) expect([judgeGrant(one, common), judgeGrant(other, common)]).toEqual([undefined, undefined]);
        for (const each of one) expect(judgeGrant(commonGrants(one, one), each)).toBeUndefined();
        const { added, widened } = grantChanges(one, commonGrants(one, other));
        expect([...added, ...widened]).toEqual([]);
      }),
    );
  });
});
