// A channel that hands over what is posted to it, and a way to ask a skill something through it: `await ask(gatehouse, 'name …')` is the JSON it answered with.
import { expect } from 'vitest';
import { eventually } from './eventually.ts';
import type { Gatehouse } from './gatehouse.ts';
import type { TestPlugin } from './home.ts';

export const DOOR: TestPlugin = {
  name: 'door',
  kind: 'channel',
  source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
  manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] } },
};

let asked = 0;

/** Each question in a conversation of its own, so that questions do not wait for each other. */
export async function ask<T = Record<string, unknown>>(gatehouse: Pick<Gatehouse, 'fetch' | 'api'>, text: string, withinMs = 120_000): Promise<T> {
  const conversation = `c${++asked}`;
  const posted = await gatehouse.fetch('/channels/door/in', { method: 'POST', body: JSON.stringify({ id: 'q', conversation, sender: { id: conversation }, text }) });
  expect(posted.status).toBe(202);
  return await eventually(async () => {
    const { items } = (await gatehouse.api(`/messages?instance=door&direction=outbound&conversation=${conversation}`)).json<{ items: { text: string }[] }>();
    expect(items).toHaveLength(1);
    return JSON.parse(items[0]?.text ?? 'null') as T;
  }, withinMs);
}
