// A long queue, made the honest way: messages are accepted over HTTP by a host whose replies all wait for a gate in quarantine; then the host is killed and the
// operator takes the gate away, so that the next start finds the whole queue and nothing in its way.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from './first-party.ts';
import { aHome, type TestHome } from './home.ts';
import { startProcess, type HostProcess } from './process.ts';
import { webhookClient } from './webhook.ts';

const GATE = `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async () => ({ effect: 'pass' }) } });`;
const SENDERS = 64;

export interface Queue extends AsyncDisposable {
  readonly home: TestHome;
  readonly messages: number;
  readonly conversations: number;
  /** Starts a host over the queue; `readyMs` is from launching the process to `/readyz` 200. */
  start(): Promise<{ readonly host: HostProcess; readonly readyMs: number }>;
  /** What a conversation was answered, in order. */
  replies(host: HostProcess, conversation: number): Promise<readonly string[]>;
}

/** `messages` accepted messages without an answer, spread over `conversations`. */
export async function aQueue(messages: number, conversations: number): Promise<Queue> {
  const home = await aHome();
  await addWebhook(home, { required: true, admit: { senderPerSecond: 1_000_000 } });
  await addFirstParty(home, 'echo', { required: true });
  await home.add({ name: 'closed', kind: 'moderation', source: GATE, manifest: { moderation: { mode: 'gate', phase: 'policy', directions: ['outbound'] } } });
  if (messages > 0) {
    await using host = await startProcess(home.path);
    await api(host, home, '/plugins/closed/quarantine', { reason: 'makes a queue' });
    const client = webhookClient(host.address, WEBHOOK_SECRET);
    let next = 0;
    await Promise.all(
      Array.from({ length: SENDERS }, async (_, sender) => {
        // Each sender has conversations of its own, so that their order is the order of acknowledgements.
        for (let n = 0; ; n += 1) {
          const conversation = sender + SENDERS * (n % Math.ceil(conversations / SENDERS));
          if (next >= messages) return;
          if (conversation >= conversations) continue;
          next += 1;
          const { status } = await client.post({ id: `m${n}`, conversation: `c${conversation}`, sender: `s${sender}`, text: `echo ${n}` });
          if (status !== 202) throw new Error(`not accepted: ${status}`);
        }
      }),
    );
    host.child.kill('SIGKILL');
    await host.exited;
  }
  const gate = join(home.path, 'manifests/plugins/closed.json');
  await writeFile(gate, JSON.stringify({ ...(JSON.parse(await readFile(gate, 'utf8')) as object), enabled: false }));

  return {
    home,
    messages,
    conversations,
    async start() {
      const startedAt = performance.now();
      const host = await startProcess(home.path);
      const { status } = await fetch(`${host.address}/readyz`);
      if (status !== 200) throw new Error(`not ready: ${status}`);
      return { host, readyMs: performance.now() - startedAt };
    },
    async replies(host, conversation) {
      const client = webhookClient(host.address, WEBHOOK_SECRET);
      const texts: string[] = [];
      for (let cursor = ''; ; ) {
        const page = await client.replies(`c${conversation}`, cursor);
        if (page.items.length === 0) return texts;
        texts.push(...page.items.map(({ text }) => text));
        cursor = page.cursor ?? '';
      }
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

/** How much still waits for an answer, as the host tells it. */
export async function waitingIn(host: HostProcess, home: TestHome): Promise<number> {
  const { lanes } = (await api(host, home, '/status')) as { lanes: { waiting: number; running: number } };
  return lanes.waiting + lanes.running;
}

async function api(host: HostProcess, home: TestHome, path: string, body?: unknown): Promise<unknown> {
  const token = (await readFile(join(home.path, 'data/admin-token'), 'utf8')).trim();
  const response = await fetch(`${host.address}/api/v1${path}`, { headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return await response.json();
}
