// The independent checker: `node checker.ts <folder>` reads acks.jsonl, deliveries.jsonl and export.jsonl, prints its verdict as JSON, and exits 1 when a
// promise was broken. It imports nothing of the host and talks to nobody: what it cannot see in these files it does not believe.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Ack, Delivery, Exported } from './records.ts';

export interface Verdict {
  readonly ok: boolean;
  readonly counts: { readonly acknowledged: number; readonly denied: number; readonly replies: number; readonly deliveries: number; readonly repeated: number };
  /** Every broken promise: its rule and where. */
  readonly faults: readonly { readonly rule: Rule; readonly detail: string }[];
}

/** What is promised. */
export type Rule =
  | 'acknowledged is stored once' | 'stored as it was sent' | 'the sender is told one id' | 'nothing is stored that nobody was told of' | 'answered exactly once' | 'answered rightly' | 'replies keep the order of acknowledgements'
  | 'no work is left' | 'delivered is known' | 'delivered is unchanged' | 'every reply reaches its receiver' | 'deliveries keep order' | 'denied is nowhere';

/** Judges one run. The order of acknowledgements and of deliveries is the order of the lists; that of replies in the store is the order of their ids. */
export function judge(acks: readonly Ack[], deliveries: readonly Delivery[], exported: readonly Exported[]): Verdict {
  const faults: { rule: Rule; detail: string }[] = [];
  const broken = (rule: Rule, detail: string) => faults.push({ rule, detail });

  const first = new Map<string, Ack>();
  for (const ack of acks) {
    const name = nameOf(ack.channel, ack.conversation, ack.id);
    const before = first.get(name);
    if (!before) first.set(name, ack);
    else if (before.messageId !== ack.messageId || (before.status === 'denied') !== (ack.status === 'denied')) broken('the sender is told one id', `${name}: ${before.status} ${before.messageId}, later ${ack.status} ${ack.messageId}`);
  }
  const inbound = Map.groupBy(exported.filter(({ direction }) => direction === 'inbound'), (row) => nameOf(row.instance, row.conversation, row.senderMessageId ?? ''));
  const replies = Map.groupBy(exported.filter(({ direction }) => direction === 'outbound'), (row) => nameOf(row.instance, row.conversation, row.inReplyTo ?? ''));

  // What was acknowledged, against what is stored.
  for (const [name, ack] of first) {
    const stored = inbound.get(name) ?? [];
    const answers = replies.get(name) ?? [];
    if (ack.expect === 'nothing' || ack.status === 'denied') {
      if (ack.expect !== 'nothing' || ack.status !== 'denied') broken('denied is nowhere', `${name}: ${ack.status}, should have been ${ack.expect === 'nothing' ? 'denied' : 'accepted'}`);
      if (stored.length + answers.length > 0) broken('denied is nowhere', `${name} is stored`);
      continue;
    }
    const [only] = stored;
    if (!only || stored.length > 1) broken('acknowledged is stored once', `${name}: ${stored.length} times`);
    else if (only.id !== ack.messageId) broken('the sender is told one id', `${name}: told ${ack.messageId}, stored ${only.id}`);
    if (only && ack.forbidden === undefined && only.text !== ack.text) broken('stored as it was sent', `${name}: ${only.text}`);
    const wanted = ack.expect === 'silence' ? 0 : 1;
    if (answers.length !== wanted) broken('answered exactly once', `${name}: ${answers.length} replies`);
    if (only && only.outcome !== (wanted === 1 ? 'answered' : 'unanswered')) broken('no work is left', `${name}: ${only.outcome}`);
    if (ack.expect !== 'silence' && answers[0] && answers[0].text !== ack.expect.reply) broken('answered rightly', `${name}: ${answers[0].text}, not ${ack.expect.reply}`);
  }
  for (const name of [...inbound.keys(), ...replies.keys()]) if (!first.has(name)) broken('nothing is stored that nobody was told of', name);
  for (const row of exported) if (row.direction === 'outbound' && row.outcome !== 'delivered') broken('no work is left', `reply ${row.id}: ${row.outcome}`);

  // Order within each conversation.
  const answered = new Map<string, string[]>();
  for (const row of exported.filter(({ direction }) => direction === 'outbound').toSorted((a, b) => (a.id < b.id ? -1 : 1))) push(answered, nameOf(row.instance, row.conversation, ''), row.inReplyTo ?? '');
  const promised = new Map<string, string[]>();
  for (const ack of first.values()) if (typeof ack.expect === 'object') push(promised, nameOf(ack.channel, ack.conversation, ''), ack.id);
  for (const [conversation, ids] of promised) if (!isSame(ids, answered.get(conversation) ?? [])) broken('replies keep the order of acknowledgements', `${conversation}: ${firstDifference(ids, answered.get(conversation) ?? [])}`);

  // What reached the receivers, against what is stored.
  const outbound = new Map(exported.filter(({ direction }) => direction === 'outbound').map((row) => [row.id, row]));
  const seen = new Set<string>();
  const arrived = new Map<string, string[]>();
  for (const delivery of deliveries) {
    const row = outbound.get(delivery.id);
    if (!row) broken('delivered is known', `${delivery.via} ${delivery.id} in reply to ${delivery.inReplyTo}`);
    else if (row.text !== delivery.text || row.conversation !== delivery.conversation || row.instance !== delivery.channel || (row.inReplyTo ?? null) !== delivery.inReplyTo) broken('delivered is unchanged', delivery.id);
    // A page lists what is there, from where the reader left off; frames and posts are what the host sends by itself. Each kind keeps order, first arrivals counted.
    if (seen.has(`${delivery.via} ${delivery.id}`)) continue;
    seen.add(`${delivery.via} ${delivery.id}`);
    push(arrived, nameOf(delivery.channel, delivery.conversation, delivery.via), delivery.id);
  }
  for (const [where, ids] of arrived) if (!isSame(ids, ids.toSorted())) broken('deliveries keep order', where);
  const reached = new Set(deliveries.map(({ id }) => id));
  for (const id of outbound.keys()) if (!reached.has(id)) broken('every reply reaches its receiver', id);

  // What must be nowhere.
  for (const forbidden of new Set(acks.flatMap((ack) => ack.forbidden ?? []))) {
    for (const { id, text = '' } of [...exported, ...deliveries]) if (text.includes(forbidden)) broken('denied is nowhere', `${forbidden} in ${id}`);
  }
  const counts = { acknowledged: first.size, denied: [...first.values()].filter(({ status }) => status === 'denied').length, replies: outbound.size, deliveries: deliveries.length, repeated: deliveries.length - seen.size };
  return { ok: faults.length === 0, counts, faults };
}

const nameOf = (channel: string, conversation: string, id: string) => `${channel}/${conversation}/${id}`;
const isSame = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((each, index) => each === b[index]);

function push(lists: Map<string, string[]>, name: string, value: string): void {
  const list = lists.get(name);
  if (list) list.push(value);
  else lists.set(name, [value]);
}

function firstDifference(wanted: readonly string[], found: readonly string[]): string {
  const at = wanted.findIndex((each, index) => each !== found[index]);
  return at === -1 ? `${found.length - wanted.length} too many` : `number ${at} is ${found[at]}, should be ${wanted[at]}`;
}

function linesOf<Line>(folder: string, file: string): Line[] {
  return readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Line);
}

if (import.meta.main) {
  const folder = process.argv[2] ?? '.';
  const verdict = judge(linesOf<Ack>(folder, 'acks.jsonl'), linesOf<Delivery>(folder, 'deliveries.jsonl'), linesOf<Exported>(folder, 'export.jsonl'));
  process.stdout.write(`${JSON.stringify({ ...verdict, faults: verdict.faults.slice(0, 50) }, null, 2)}\n`);
  process.exitCode = verdict.ok ? 0 : 1;
}
