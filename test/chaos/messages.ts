// What senders say under fire, and what must become of it: plain replies, replies counted in kv, a tool call, a masked word, denials on the way in and on the way out.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestHome } from '../support/home.ts';
import { addFirstParty, addWebhook } from '../support/first-party.ts';
import type { Ack } from './records.ts';

/** Unlike anything else, so that it can be searched for in raw bytes. */
export const newCanary = (what: string): string => `canary${what}${randomBytes(12).toString('hex')}`;

export interface Canaries {
  /** In messages that the gate refuses. */
  readonly denied: string;
  /** In replies that the gate refuses. */
  readonly refused: string;
  /** The word that the gate masks. */
  readonly masked: string;
  /** In messages that are accepted: what a search of the store must find. */
  readonly control: string;
}

export const newCanaries = (): Canaries => ({ denied: newCanary('d'), refused: newCanary('r'), masked: newCanary('m'), control: newCanary('c') });

export interface Saying extends Pick<Ack, 'id' | 'text' | 'expect' | 'forbidden'> {}

/** A message names the words of a refused reply in two halves, the second first: the words themselves stand nowhere. */
const HALF = 15;

/** Message number `n` (from 0) of a conversation. Of eight, two are counted by the tally, one of these with a tool call. */
export function saying(conversation: string, n: number, canaries: Canaries): Saying {
  const id = `${conversation.slice(0, 12)}-${n}`;
  const tallied = 2 * Math.floor(n / 8);
  switch (n % 8) {
    case 1:
      return { id, text: 'tally', expect: { reply: `tally ${tallied + 1}` } };
    case 2:
      return { id, text: `a trojan horse ${canaries.denied}`, expect: 'nothing', forbidden: canaries.denied };
    case 3:
      return { id, text: `echo ${canaries.masked} ${id}`, expect: { reply: `${'*'.repeat(canaries.masked.length)} ${id}` }, forbidden: canaries.masked };
    case 4:
      return { id, text: 'tally with the clock', expect: { reply: `tally ${tallied + 2}` } };
    case 6:
      return { id, text: `leak ${canaries.refused.slice(HALF)} ${canaries.refused.slice(0, HALF)}`, expect: 'silence' };
    default:
      return { id, text: `echo ${canaries.control} ${id}`, expect: { reply: `${canaries.control} ${id}` } };
  }
}

/** Counts in kv, calls a tool, and says what the gate refuses: a count that is off by one is a commit that was counted twice or not at all. */
const TALLY = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  if (message.text.startsWith('leak ')) return { replies: [{ text: 'a trojan horse ' + message.text.slice(5).split(' ').reverse().join('') }] };
  if (!message.text.startsWith('tally')) return null;
  const key = 'tally:' + message.instance + ':' + message.conversation;
  const count = ((await ctx.kv.get(key)) ?? 0) + 1;
  if (message.text.includes('clock')) await ctx.tool.call('gatehouse.clock/now', {});
  await ctx.kv.set(key, count);
  return { replies: [{ text: 'tally ' + count }] };
} } });`;

const LIMITS = { wallMsPerCall: 5000 };

/** Three channels (replies read, replies posted to `replyUrl`, replies on sockets), a gate both ways, two skills, a tool. */
export async function addPlugins(home: TestHome, canaries: Canaries, replyUrl: string): Promise<void> {
  const admit = { senderPerSecond: 1_000_000 };
  await addWebhook(home, { required: true, admit });
  const reads = JSON.parse(await readFile(join(home.path, 'manifests/plugins/webhook.json'), 'utf8')) as object;
  await home.write('manifests/plugins/poster.json', { ...reads, instance: 'poster', config: { replyUrl } });
  await addFirstParty(home, 'webchat', { required: true, admit });
  const rules = [{ match: 'phrase', text: 'trojan horse', effect: 'deny', reason: 'No trojan horses past this gate.' }, { match: 'contains', text: canaries.masked, effect: 'mask' }];
  await addFirstParty(home, 'wordlist', { required: true, config: { rules } });
  await addFirstParty(home, 'clock');
  await addFirstParty(home, 'echo');
  await home.add({
    name: 'tally',
    kind: 'skill',
    source: TALLY,
    manifest: { capabilities: [{ name: 'kv', quotaBytes: 1_000_000 }, { name: 'tool.call', tools: ['gatehouse.clock/now'] }], limits: LIMITS },
    enablement: { required: true },
  });
}
