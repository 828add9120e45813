// The checker can say no: each promise, broken in a forged ledger, is named; and an honest ledger passes. As a program it exits with its verdict.
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../support/temp.ts';
import { judge, type Rule } from './checker.ts';
import type { Ack, Delivery, Exported } from './records.ts';

interface Ledger {
  acks: Ack[];
  deliveries: Delivery[];
  exported: Exported[];
}

const CHECKER = join(import.meta.dirname, 'checker.ts');
const conversation = 'c';
const channel = 'webhook';

/** Two messages answered in order, one that asks for no answer, one denied, one acknowledged a second time and delivered twice. */
function honest(): Ledger {
  const ack = (id: string, rest: Partial<Ack>): Ack => ({ channel, conversation, id, text: `echo ${id}`, status: 'accepted', messageId: `in-${id}`, expect: { reply: id }, ...rest });
  const inbound = (id: string, outcome = 'answered', text = `echo ${id}`): Exported => ({ id: `in-${id}`, instance: channel, conversation, direction: 'inbound', outcome, text, senderMessageId: id });
  const outbound = (id: string, to: string): Exported => ({ id, instance: channel, conversation, direction: 'outbound', outcome: 'delivered', text: to, inReplyTo: to });
  const delivery = (id: string, to: string): Delivery => ({ channel, conversation, id, inReplyTo: to, text: to, via: 'page' });
  return {
    acks: [
      ack('a', {}),
      ack('b', { status: 'duplicate', text: 'echo hush b', forbidden: 'hush' }),
      ack('quiet', { expect: 'silence' }),
      { channel, conversation, id: 'bad', text: 'secret words', status: 'denied', expect: 'nothing', forbidden: 'secret' },
      ack('a', { status: 'duplicate' }),
    ],
    deliveries: [delivery('out-1', 'a'), delivery('out-2', 'b'), delivery('out-1', 'a')],
    exported: [outbound('out-2', 'b'), inbound('a'), inbound('b', 'answered', 'echo **** b'), inbound('quiet', 'unanswered'), outbound('out-1', 'a')],
  };
}

const row = (ledger: Ledger, id: string): Exported => ledger.exported.find((each) => each.id === id) as Exported;
const replace = (ledger: Ledger, id: string, changes: Partial<Exported>) => (ledger.exported = ledger.exported.map((each) => (each.id === id ? { ...each, ...changes } : each)));
const without = (ledger: Ledger, id: string) => (ledger.exported = ledger.exported.filter((each) => each.id !== id));
const judged = ({ acks, deliveries, exported }: Ledger) => judge(acks, deliveries, exported);

const FORGERIES: readonly (readonly [title: string, rule: Rule, forge: (ledger: Ledger) => unknown])[] = [
  ['an acknowledged message that is not stored', 'acknowledged is stored once', (ledger) => without(ledger, 'in-a')],
  ['one that is stored twice', 'acknowledged is stored once', (ledger) => ledger.exported.push({ ...row(ledger, 'in-a'), id: 'in-a2' })],
  ['one that asks for no answer and is not stored', 'acknowledged is stored once', (ledger) => without(ledger, 'in-quiet')],
  ['one that is stored with another text', 'stored as it was sent', (ledger) => replace(ledger, 'in-a', { text: 'echo x' })],
  ['a stored id that the sender was not told', 'the sender is told one id', (ledger) => replace(ledger, 'in-a', { id: 'in-x' })],
  ['a sender that is told another id later', 'the sender is told one id', (ledger) => ledger.acks.push({ ...(ledger.acks[0] as Ack), messageId: 'in-x' })],
  ['a sender that is told "denied" after "accepted"', 'the sender is told one id', (ledger) => ledger.acks.push({ ...(ledger.acks[0] as Ack), status: 'denied' })],
  ['a message nobody was told of', 'nothing is stored that nobody was told of', (ledger) => ledger.exported.push({ ...row(ledger, 'in-a'), id: 'in-x', senderMessageId: 'x' })],
  ['a reply to a message nobody was told of', 'nothing is stored that nobody was told of', (ledger) => ledger.exported.push({ ...row(ledger, 'out-1'), id: 'out-3', inReplyTo: 'x' })],
  ['a reply that is missing', 'answered exactly once', (ledger) => without(ledger, 'out-1')],
  ['a second reply', 'answered exactly once', (ledger) => ledger.exported.push({ ...row(ledger, 'out-1'), id: 'out-3' })],
  ['a reply where none may be', 'answered exactly once', (ledger) => ledger.exported.push({ ...row(ledger, 'out-1'), id: 'out-3', inReplyTo: 'quiet' })],
  ['a reply with another text', 'answered rightly', (ledger) => replace(ledger, 'out-1', { text: 'x' })],
  ['replies in another order than the messages', 'replies keep the order of acknowledgements', (ledger) => ledger.acks.unshift(...ledger.acks.splice(1, 1))],
  ['a message that still waits', 'no work is left', (ledger) => replace(ledger, 'in-a', { outcome: 'accepted' })],
  ['a dead letter', 'no work is left', (ledger) => replace(ledger, 'in-quiet', { outcome: 'dead-lettered' })],
  ['a reply that still waits', 'no work is left', (ledger) => replace(ledger, 'out-1', { outcome: 'pending' })],
  ['a delivery of something not stored', 'delivered is known', (ledger) => ledger.deliveries.push({ ...(ledger.deliveries[0] as Delivery), id: 'out-9' })],
  ['a repeated delivery with another text', 'delivered is unchanged', (ledger) => ledger.deliveries.push({ ...(ledger.deliveries[0] as Delivery), text: 'x' })],
  ['a delivery into another conversation', 'delivered is unchanged', (ledger) => ledger.deliveries.push({ ...(ledger.deliveries[0] as Delivery), conversation: 'd' })],
  ['a reply that never arrives', 'every reply reaches its receiver', (ledger) => (ledger.deliveries = ledger.deliveries.filter(({ id }) => id !== 'out-1'))],
  ['replies that arrive in another order', 'deliveries keep order', (ledger) => ledger.deliveries.reverse().shift()],
  ['a denied message that is stored', 'denied is nowhere', (ledger) => ledger.exported.push({ ...row(ledger, 'in-a'), id: 'in-bad', senderMessageId: 'bad' })],
  ['a denied message that is accepted', 'denied is nowhere', (ledger) => (ledger.acks = ledger.acks.map((each) => (each.id === 'bad' ? { ...each, status: 'accepted', messageId: 'in-bad' } : each)))],
  ['words of a denied message in another one', 'denied is nowhere', (ledger) => replace(ledger, 'in-quiet', { text: 'of secret things' })],
  ['a masked word in a delivery', 'denied is nowhere', (ledger) => ledger.deliveries.push({ ...(ledger.deliveries[1] as Delivery), text: 'hush' })],
];

describe('the checker', () => {
  it('finds nothing in an honest ledger', () => {
    expect(judged(honest())).toEqual({ ok: true, counts: { acknowledged: 4, denied: 1, replies: 2, deliveries: 3, repeated: 1 }, faults: [] });
  });

  it.each(FORGERIES)('names %s', (_, rule, forge) => {
    const ledger = honest();
    forge(ledger);
    const { ok, faults } = judged(ledger);
    expect(ok).toBe(false);
    expect(faults.map((fault) => fault.rule)).toContain(rule);
  });

  it.each([['honest', 0], ['forged', 1]] as const)('as a program says of an %s ledger what it finds, with exit code %i', async (which, code) => {
    await using dir = await tempDir();
    const ledger = honest();
    if (which === 'forged') without(ledger, 'in-a');
    for (const [file, lines] of [['acks', ledger.acks], ['deliveries', ledger.deliveries], ['export', ledger.exported]] as const) {
      await writeFile(join(dir.path, `${file}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    }
    const { status, stdout } = spawnSync(process.execPath, [CHECKER, dir.path], { encoding: 'utf8' });
    expect(status).toBe(code);
    expect(JSON.parse(stdout)).toMatchObject({ ok: code === 0 });
  });

  it('imports nothing of the host', () => {
    const imports = [CHECKER, join(import.meta.dirname, 'records.ts')].flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from));
    expect(imports.filter((from) => !from?.startsWith('node:') && from !== './records.ts')).toEqual([]);
  });
});
