// A host with four gates that do what the text in front of them says, a skill that says what it is told, and two doors: the webhook and the webchat. For test/scenario/gates.test.ts and its neighbours.
import { createHash } from 'node:crypto';
import type { MessageView } from '../../schemas/control.ts';
import type { Enablement } from '../../schemas/enablement.ts';
import type { Rooms } from '../../schemas/policy.ts';
import { newConversation, openChat } from './chat.ts';
import { eventually } from './eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from './first-party.ts';
import { startGatehouse, type Gatehouse } from './gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from './home.ts';
import { webhookClient } from './webhook.ts';

/** In the order in which they are asked: phase before order, order before id. Their names and orders would make it another one. */
export const GATES = ['zeta', 'omega', 'beta', 'gamma'] as const;
export type GateName = (typeof GATES)[number];

const PLACES: Readonly<Record<GateName, { readonly phase: 'validation' | 'policy'; readonly order: number }>> = {
  zeta: { phase: 'validation', order: 900 },
  omega: { phase: 'policy', order: 1 },
  beta: { phase: 'policy', order: 2 },
  gamma: { phase: 'policy', order: 2 },
};

/**
 * `[inbound zeta deny]` in a text is for the gate zeta on the way in. Words in `canary…` are what `modify` takes out. With `-once`, the same message passes at the next
 * try; what a spinning gate remembers is gone with its process, so it goes by the message's record.
 */
const GATE = `
const tried = new Set();
const decide = {
  pass: () => ({ effect: 'pass' }),
  deny: (gate) => ({ effect: 'deny', reason: 'denied by ' + gate }),
  modify: (gate, text, order) => ({ effect: 'modify', text: text.replace(order, '<' + gate + '>').replace(/canary\\w+/g, '****'), reason: 'masked by ' + gate }),
  empty: () => ({ effect: 'modify', text: ' \\u200b ', reason: 'nothing left' }),
  flag: (gate) => ({ effect: 'flag', labels: ['noted-' + gate], reason: 'odd' }),
  read: (gate, text, order, message) => ({ effect: 'flag', labels: message.flags.map((flag) => gate + '-saw-' + flag.replace(':', '-')), reason: JSON.stringify(message.provenance || []) }),
  forge: () => ({ effect: 'flag', labels: ['timeout:zeta'], reason: 'it was zeta' }),
  throw: () => { throw new Error('no'); },
  hang: () => new Promise(() => {}),
  spin: () => { for (;;); },
};
gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message, direction }, ctx) => {
  for (const [order, way, gate, effect, once] of message.text.matchAll(/\\[(\\w+) (\\w+) (\\w+?)(-once)?\\]/g)) {
    if (way !== direction || gate !== ctx.instance) continue;
    const name = JSON.stringify([message.conversation, message.senderMessageId, order]);
    if (once && (tried.has(name) || message.stages.some((each) => each.instance === gate && each.decision === 'unavailable' && /^CALL_/.test(each.reason)))) break;
    tried.add(name);
    return decide[effect](gate, message.text, order, message);
  }
  return { effect: 'pass' };
} } });`;

/** Says what follows `say`, with canaries turned round: so the words of a reply stand nowhere but in it. `show` tells what a skill sees of a message. */
const PARROT: TestPlugin = {
  name: 'parrot',
  kind: 'skill',
  source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }, ctx) => {
    const said = message.text.slice(message.text.indexOf('say ') + 4).replace(/yranac\\w*|\\w+yranac/g, (word) => [...word].reverse().join(''));
    if (message.text.includes('show')) return { replies: [{ text: JSON.stringify({ text: message.text, flags: message.flags, provenance: message.provenance, originalSha256: message.originalSha256 }) }] };
    if (!message.text.includes('tell ')) return message.text.includes('say ') ? { replies: [{ text: said }] } : { replies: [] };
    const [, instance, conversation, text] = /tell (\\S+) (\\S+) (.*)/s.exec(message.text);
    const sent = await ctx.message.send({ instance, conversation, text }).then(() => 'sent', (error) => error.code);
    return { replies: [{ text: sent }] };
  } } });`,
  manifest: { skill: {}, capabilities: [{ name: 'message.send', instances: ['webchat', 'webhook'], reason: 'Passes messages on.' }] },
};

/** Tells the log what it is told. */
const WATCHER: TestPlugin = {
  name: 'watcher',
  kind: 'moderation',
  source: `gatehouse.register({ kind: 'moderation', handlers: { evaluate: async ({ message, direction }, ctx) => { ctx.log.info(JSON.stringify({ direction, conversation: message.conversation, text: message.text, flags: message.flags, provenance: message.provenance, originalSha256: message.originalSha256 })); return { effect: 'deny', reason: 'nobody listens' }; } } });`,
  manifest: { moderation: { mode: 'observer', phase: 'validation', directions: ['inbound', 'outbound'] } },
};

export interface GateWorld extends AsyncDisposable {
  readonly home: TestHome;
  readonly gatehouse: Gatehouse;
  door(kind: DoorKind, conversation?: string): Promise<Door>;
  /** Once the gate's sandbox has started again, or will not any more: the state it is in. */
  settled(gate: GateName): Promise<string>;
  /** The messages of a conversation as operators see them. */
  stored(conversation: string, direction: 'inbound' | 'outbound'): Promise<readonly MessageView[]>;
}

export type DoorKind = 'http' | 'socket';

export interface Door extends AsyncDisposable {
  readonly conversation: string;
  /** What the sender is told: `accepted`, `held`, `duplicate`, or the code and the reason of the refusal. */
  say(text: string, id?: string): Promise<Told>;
  replies(): Promise<readonly string[]>;
}

export interface Told {
  readonly status: string;
  readonly reason?: string;
  readonly messageId?: string;
}

export interface WorldOptions {
  readonly gates?: Partial<Enablement>;
  readonly gate?: Partial<Record<GateName, Partial<Enablement>>>;
  /** Of both doors. */
  readonly rooms?: Rooms;
}

/** A call of a gate may take a second here: enough for a busy machine, and short enough to wait for. */
const LIMITS = { wallMsPerCall: 1000 };

export async function gateWorld({ gates = {}, gate = {}, rooms = {} }: WorldOptions = {}): Promise<GateWorld> {
  const home = await aHome([PARROT, WATCHER]);
  for (const name of GATES) {
    const { phase, order } = PLACES[name];
    await home.add({ name, kind: 'moderation', source: GATE, manifest: { moderation: { mode: 'gate', phase, directions: ['inbound', 'outbound'] } }, enablement: { order, limits: LIMITS, ...gates, ...gate[name] } });
  }
  await addWebhook(home, { rooms });
  await addFirstParty(home, 'webchat', { rooms });
  const gatehouse = await startGatehouse(home);
  return {
    home,
    gatehouse,
    door: (kind, conversation = newConversation()) => (kind === 'http' ? Promise.resolve(httpDoor(gatehouse, conversation)) : socketDoor(gatehouse, conversation)),
    settled: (gate) =>
      eventually(() => {
        const { state } = gatehouse.host.plugins.show(gate);
        if (state !== 'active' && state !== 'quarantined') throw new Error(`'${gate}' is ${state}`);
        return state;
      }, 120_000),
    async stored(conversation, direction) {
      const { items } = (await gatehouse.api(`/messages?conversation=${encodeURIComponent(conversation)}&direction=${direction}`)).json<{ items: MessageView[] }>();
      return items.toReversed();
    },
    async [Symbol.asyncDispose]() {
      await gatehouse[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

let ids = 0;

function httpDoor({ address }: Gatehouse, conversation: string): Door {
  const client = webhookClient(address, WEBHOOK_SECRET);
  return {
    conversation,
    async say(text, id = `say-${(ids += 1)}`) {
      const { body } = await client.post({ id, conversation, text });
      const { status, code, reason, messageId } = body as { status: string; code?: string; reason?: string; messageId?: string };
      return { status: code ?? status, ...(reason !== undefined && { reason }), ...(messageId !== undefined && { messageId }) };
    },
    replies: async () => (await client.replies(conversation)).items.map(({ text }) => text),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function socketDoor({ address }: Gatehouse, conversation: string): Promise<Door> {
  const chat = await openChat(address, { conversation });
  return {
    conversation,
    async say(text, id = `say-${(ids += 1)}`) {
      const seen = chat.frames.length;
      chat.say(text, id);
      const { status = '', code, reason, messageId } = await chat.frame((each) => each.type === 'ack' && each.id === id && chat.frames.indexOf(each) >= seen);
      return { status: code ?? status, ...(reason !== undefined && { reason }), ...(messageId !== undefined && { messageId }) };
    },
    replies: () => Promise.resolve(chat.frames.filter(({ type }) => type === 'message').map(({ text }) => text ?? '')),
    [Symbol.asyncDispose]: () => chat[Symbol.asyncDispose](),
  };
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The gates in the record of a message, in order, up to the stage that ended their round. */
export function roundBefore(stage: 'moderate' | 'screen', { stages = [] }: MessageView): string[] {
  const end = stages.findIndex((each) => each.stage === stage);
  const start = stage === 'screen' ? stages.findIndex((each) => each.stage === 'accept') : 0;
  return stages.slice(start, end).filter((each) => each.stage === 'gate').map(({ instance, decision }) => `${instance} ${decision}`);
}

/** Once its turn is over. */
export async function concluded(world: GateWorld, conversation: string): Promise<MessageView> {
  return await eventually(async () => {
    const message = (await world.stored(conversation, 'inbound')).at(-1);
    if (!message || message.outcome === 'accepted') throw new Error(`the message is ${message?.outcome ?? 'not there'}`);
    return message;
  }, 120_000);
}
