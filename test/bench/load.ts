// A host driven through its channel face in the same process: no HTTP in the figures, everything else real.
import { createHmac } from 'node:crypto';
import { subscribe } from '../../host/events.ts';
import type { ChannelFace, Host } from '../../host/host.ts';
import { systemClock } from '../../host/clock.ts';
import { loadConfig } from '../../host/config.ts';
import { startHost } from '../../host/host.ts';
import { createLog } from '../../host/log.ts';
import { NO_TRACING, type Tracing } from '../../host/tracing.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { aHome, type TestPlugin } from '../support/home.ts';

export interface Load extends AsyncDisposable {
  readonly host: Host;
  /** Sends one message and resolves with milliseconds once its reply is delivered and settled. */
  readonly roundTrip: (lane: number, sender?: string) => Promise<number>;
}

export interface LoadOptions {
  /** Messages a second that one sender may send. Default a million. */
  readonly senderPerSecond?: number;
  readonly tracing?: Tracing;
}

/** What a source is told instead of being taken. */
export class NotAccepted extends Error {
  readonly status: number;
  constructor(status: number, body: string) {
    super(`not accepted: ${status} ${body}`);
    this.status = status;
  }
}

/** The least a plugin of each kind can do, so that the figure is the host's: a channel without signatures, a gate for one direction, a skill that repeats. */
const bare = (senderPerSecond: number): readonly TestPlugin[] => [
  {
    name: 'door',
    kind: 'channel',
    source: `gatehouse.register({ kind: 'channel', handlers: { receive: async (request) => ({ messages: [JSON.parse(request.body)] }), send: async () => ({ actions: [] }) } });`,
    manifest: { channel: { abilities: ['receive', 'send'], ingress: [{ method: 'POST', path: '/messages', verify: { scheme: 'none' } }] } },
    enablement: { required: true, admit: { senderPerSecond } },
  },
  {
    name: 'gate',
    kind: 'moderation',
    source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message }) => message.text.toLowerCase().includes('spam') ? { effect: 'deny', reason: 'spam' } : { effect: 'pass' } } });`,
    manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['inbound'] } },
    enablement: { required: true },
  },
  {
    name: 'repeat',
    kind: 'skill',
    source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => ({ replies: [{ text: message.text }] }) } });`,
    manifest: { skill: {} },
    enablement: { required: true },
  },
];

/** `bare`: four calls a message into three processes. `first-party`: webhook with signatures, wordlist in both directions, echo; five calls. */
export async function startLoad(plugins: 'bare' | 'first-party' = 'bare', { senderPerSecond = 1_000_000, tracing = NO_TRACING }: LoadOptions = {}): Promise<Load> {
  const home = await aHome(plugins === 'bare' ? bare(senderPerSecond) : []);
  if (plugins === 'first-party') {
    await addWebhook(home, { required: true, admit: { senderPerSecond } });
    await addFirstParty(home, 'wordlist', { required: true });
    await addFirstParty(home, 'echo', { required: true });
  }
  const config = loadConfig({ home: home.path, env: {}, cwd: home.path, listen: '127.0.0.1:0' });
  const host = await startHost({ config, clock: systemClock, tracing, log: createLog('error') });
  await host.booted;
  const instance = plugins === 'bare' ? 'door' : 'webhook';
  const face = host.channel(instance) as ChannelFace;

  const waiting = new Map<string, () => void>();
  const unsubscribe = subscribe('message.outcome', ({ answers, direction, outcome }) => {
    if (direction === 'outbound' && outcome === 'delivered' && answers !== undefined) waiting.get(answers)?.();
  });
  let count = 0;

  return {
    host,
    async roundTrip(lane, sender = `sender-${lane}`) {
      const conversation = `lane-${lane}`;
      const body = Buffer.from(JSON.stringify({ id: `m${++count}`, conversation, sender: { id: sender }, text: `echo hello number ${count}, a message of ordinary length as people write them in a chat` }));
      const startedAt = performance.now();
      const signature: Record<string, string> = plugins === 'bare' ? {} : { 'x-gatehouse-signature': `sha256=${createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex')}` };
      const answer = await face.http({ method: 'POST', path: '/messages', target: `/channels/${instance}/messages`, query: {}, headers: { 'content-type': 'application/json', ...signature }, body });
      if (answer.status !== 202) throw new NotAccepted(answer.status, String(answer.body));
      // The reply takes two commits more, so nobody can have settled it yet.
      const { messageId } = JSON.parse(String(answer.body)) as { messageId: string };
      await new Promise<void>((resolve) => waiting.set(messageId, resolve));
      waiting.delete(messageId);
      return performance.now() - startedAt;
    },
    async [Symbol.asyncDispose]() {
      unsubscribe();
      await host.stop('bench over');
      await home[Symbol.asyncDispose]();
    },
  };
}

/** The value below which `share` of all lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
