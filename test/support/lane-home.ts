// A home whose skill says what it was given and waits when it is asked to: for tests of lanes. One unguarded channel, `door`.
import type { HostConfig } from '../../schemas/host-config.ts';
import type { MessageView } from '../../schemas/control.ts';
import type { Enablement } from '../../schemas/enablement.ts';
import { aHome, type TestHome } from './home.ts';

/** What the skill was given, as it answers. */
export interface Heard {
  readonly id: string;
  readonly text: string;
  readonly collected?: number;
  readonly dropped?: number;
}

/** `hold` in a text: it answers once `go` was said, wherever. `slow`: after 60 ms. `mark`: it writes before it waits, and `marks` asks what was kept. `fail`: it throws until `go`. */
const SCRIBE = `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
  const { text, senderMessageId: id, collected, dropped } = message;
  if (text === 'go') { await ctx.kv.set('go', true); return { replies: [] }; }
  if (text.includes('marks')) return { replies: [{ text: JSON.stringify({ id, text: String((await ctx.kv.get('mark')) ?? 'none') }) }] };
  if (text.includes('mark')) await ctx.kv.set('mark', text);
  if (text.includes('fail') && !(await ctx.kv.get('go'))) throw new Error('not yet');
  if (text.includes('slow')) await ctx.sleep(60);
  while (text.includes('hold') && !(await ctx.kv.get('go'))) await ctx.sleep(10);
  return { replies: [{ text: JSON.stringify({ id, text, collected, dropped }) }] };
} } });`;

const DOOR = `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`;

export async function aLaneHome(door: Partial<Enablement> = {}, config: HostConfig = {}): Promise<TestHome> {
  const home = await aHome([], config);
  await home.add({ name: 'door', kind: 'channel', source: DOOR, manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } }, enablement: { admit: { senderPerSecond: 100_000 }, ...door } });
  await home.add({ name: 'scribe', kind: 'skill', source: SCRIBE, manifest: { skill: {}, limits: { wallMsPerCall: 30_000 }, capabilities: [{ name: 'kv', quotaBytes: 10_000 }] } });
  return home;
}

/** `401 CODE`, or `202`. */
export async function say(address: string, id: string, text: string, conversation = 'c'): Promise<string> {
  const response = await fetch(`${address}/channels/door/in`, { method: 'POST', body: JSON.stringify({ id, conversation, sender: { id: 'someone' }, text }) });
  const { code } = (await response.json()) as { code?: string };
  return code === undefined ? String(response.status) : `${response.status} ${code}`;
}

/** Ids are made in order. */
const inOrder = (items: readonly MessageView[]) => items.toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** What the skill heard of a conversation, from its answers. */
export const heardIn = (items: readonly MessageView[]): Heard[] => inOrder(items).filter(({ direction }) => direction === 'outbound').map(({ text = '' }) => JSON.parse(text) as Heard);

/** `id outcome CODE`, and with whom it ran. */
export function fatesIn(items: readonly MessageView[]): string[] {
  const inbound = inOrder(items).filter(({ direction }) => direction === 'inbound');
  const names = new Map(inbound.map(({ id, senderMessageId = '' }) => [id, senderMessageId]));
  return inbound.map(({ senderMessageId, outcome, code, ranWith }) => [senderMessageId, outcome, ...(code === undefined ? [] : [code]), ...(ranWith === undefined ? [] : [`with ${names.get(ranWith)}`])].join(' '));
}
