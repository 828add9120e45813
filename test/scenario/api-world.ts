// A running host in which every operation of the API has something real to do, and how each is asked: what api-walk.test.ts walks over. Who adds a route adds its case here.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { aReviewer, trustReviewers } from '../support/approvals.ts';
import { eventually } from '../support/eventually.ts';
import { addFirstParty, addWebhook, WEBHOOK_SECRET } from '../support/first-party.ts';
import { startGatehouse, type Gatehouse } from '../support/gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from '../support/home.ts';
import { signatureOf, webhookClient } from '../support/webhook.ts';

/** How one operation is asked so that it succeeds. */
export interface ApiCase {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiWorld extends AsyncDisposable {
  readonly gatehouse: Gatehouse;
  /** What a GET answers with. */
  readonly get: <T = Record<string, string>>(path: string) => Promise<T>;
  /** What earlier cases were answered, by operation. */
  readonly answers: Map<string, Record<string, string>>;
  /** Letters by conversation. */
  readonly letters: Readonly<Record<string, string>>;
  /** Of a conversation whose run does not end by itself. */
  readonly busySession: string;
  readonly session: string;
  readonly replyId: string;
  /** Codes of strangers who wait to be let in. */
  readonly codes: readonly [string, string];
  readonly approval: unknown;
}

const skill = (name: string, prefix: string, respond: string, more: Partial<TestPlugin> = {}): TestPlugin => ({
  name, kind: 'skill', source: `gatehouse.register({ kind: 'skill', handlers: { respond: async ({ message }) => { ${respond} } } });`, manifest: { skill: { triggers: { prefixes: [`${prefix} `] } }, limits: { wallMsPerCall: 60_000 } }, ...more,
});

const PLUGINS: readonly TestPlugin[] = [
  skill('parrot', 'say', 'return { replies: [{ text: message.text }] };'),
  skill('fragile', 'break', 'throw new Error("broken");'),
  skill('endless', 'wait', 'await new Promise(() => {});'),
  skill('reviewed', 'never', 'return { replies: [] };', { enablement: { approvals: 1 } }),
  // Takes what no other channel here does.
  {
    name: 'door', kind: 'channel',
    source: `gatehouse.register({ kind: 'channel', handlers: { receive: async () => ({ respond: { status: 200, body: 'taken' } }), send: async () => ({ actions: [] }) } });`,
    manifest: { channel: { abilities: ['receive', 'send'], ingress: (['GET', 'PUT', 'DELETE'] as const).map((method) => ({ method, path: '/things', verify: { scheme: 'none' as const } })) } },
  },
];

export async function anApiWorld(): Promise<ApiWorld> {
  await using parts = new AsyncDisposableStack();
  const home: TestHome = parts.use(await aHome(PLUGINS));
  const ada = aReviewer('ada');
  await trustReviewers(home.path, ada);
  await addWebhook(home);
  await addFirstParty(home, 'webchat');
  const webhook: object = JSON.parse(await readFile(join(home.path, 'manifests/plugins/webhook.json'), 'utf8'));
  await home.write('manifests/plugins/guarded.json', { ...webhook, instance: 'guarded', admit: { access: 'pairing' } });
  const gatehouse = parts.use(await startGatehouse(home));
  const get = async <T = Record<string, string>>(path: string) => (await gatehouse.api(path)).json<T>();

  const client = webhookClient(gatehouse.address, WEBHOOK_SECRET);
  const guarded = webhookClient(gatehouse.address, WEBHOOK_SECRET, 'guarded');
  const { body: { messageId } } = await client.post({ id: '1', conversation: 'c', text: 'say hello' });
  for (const conversation of ['dropped', 'replayed', 'kept']) await client.post({ id: conversation, conversation, text: 'break this' });
  await client.post({ id: 'w', conversation: 'busy', text: 'wait here' });
  for (const stranger of ['eve', 'mal']) await guarded.post({ id: stranger, conversation: stranger, sender: stranger, text: 'say hello' });

  const code = (stranger: string) => eventually(async () => {
    const found = (await guarded.replies(stranger)).items.flatMap(({ text }) => /\b[A-HJ-NP-Z2-9]{8}\b/.exec(text)?.[0] ?? [])[0];
    expect(found).toBeDefined();
    return found ?? '';
  });
  const codes = [await code('eve'), await code('mal')] as const;
  const replyId = await eventually(async () => {
    const { replies } = await get<{ replies?: { id: string; outcome: string }[] }>(`/messages/${String(messageId)}`);
    expect(replies?.[0]?.outcome).toBe('delivered');
    return replies?.[0]?.id ?? '';
  });
  const letters = await eventually(async () => {
    const { items } = await get<{ items: { id: string; conversation: string }[] }>('/dead-letters');
    expect(items).toHaveLength(3);
    return Object.fromEntries(items.map(({ id, conversation }) => [conversation, id]));
  }, 120_000);
  const { items: sessions } = await get<{ items: { key: string }[] }>('/sessions');
  const sessionOf = (conversation: string) => sessions.find(({ key }) => key.endsWith(conversation))?.key ?? '';
  const { plugin, version, digest, grantsDigest = '' } = gatehouse.host.plugins.show('reviewed');
  const { bytes } = await ada.signs({ subject: `${plugin}-${version}`, packageDigest: digest ?? '', grantsDigest, instance: 'reviewed' });

  const stack = parts.move();
  return {
    gatehouse, get, answers: new Map(), letters, codes, replyId, approval: JSON.parse(bytes.toString()),
    busySession: sessionOf('busy'), session: sessionOf(':c'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

type Cases = Readonly<Record<string, (world: ApiWorld) => ApiCase | Promise<ApiCase>>>;

const plain = (): ApiCase => ({});
const parrot = (): ApiCase => ({ params: { instance: 'parrot' } });
const because = (instance: string) => (): ApiCase => ({ params: { instance }, body: { reason: 'a walk through the API' } });
const made = (operation: string, member: string, param = member) => ({ answers }: ApiWorld): ApiCase => ({ params: { [param]: answers.get(operation)?.[member] ?? '' } });
const fromNow = (world: ApiWorld) => world.get<{ hash: string; written: Record<string, unknown> }>('/config');

/** In this order: what is taken away last has been looked at before. */
export const CASES: Cases = {
  getHealth: plain, getReadiness: plain, getMetrics: plain, getOpenApi: plain,
  getStatus: plain, getLastHour: plain,
  followEvents: () => ({ query: 'after=&types=plugin.state' }),
  listPlugins: plain, getPlugin: parrot,
  listPackages: () => ({ query: 'used=true&outcome=pass' }), getPackage: ({ gatehouse }) => ({ params: { digest: gatehouse.host.plugins.show('parrot').digest ?? '' } }),
  findNames: () => ({ params: { instance: 'webhook' }, query: 'text=ada&kind=person&limit=5' }),
  scanPlugin: parrot, listScans: plain,
  disablePlugin: because('parrot'), enablePlugin: parrot,
  quarantinePlugin: because('parrot'), listQuarantine: plain, getQuarantine: parrot, getEvidence: parrot, releasePlugin: because('parrot'),
  reloadHome: plain,
  addApproval: ({ approval }) => ({ body: approval }), listApprovals: plain, getApproval: made('addApproval', 'id'), revokeApproval: (world) => ({ ...made('addApproval', 'id')(world), body: { reason: 'seen enough' } }),
  revoke: () => ({ body: { plugin: 'acme.nothing', range: '<2.0.0', reason: 'it steals' } }), listRevocations: plain, liftRevocation: () => ({ body: { plugin: 'acme.nothing', range: '<2.0.0', reason: 'it does not' } }),
  sendMessage: () => ({ body: { channel: 'webhook', to: 'c', text: 'hello from here' } }), listMessages: () => ({ query: 'limit=2&direction=inbound' }), getMessage: made('sendMessage', 'messageId', 'id'),
  listSessions: plain, getSession: ({ session }) => ({ params: { key: session } }), resetSession: ({ session }) => ({ params: { key: session } }),
  listLanes: plain, getLane: ({ busySession }) => ({ params: { key: busySession } }), setLaneMode: ({ busySession }) => ({ params: { key: busySession }, body: { mode: 'collect' } }), interruptLane: ({ busySession }) => ({ params: { key: busySession } }),
  listDeliveries: plain, getDelivery: ({ replyId }) => ({ params: { id: replyId } }),
  listDeadLetters: plain, getDeadLetter: ({ letters }) => ({ params: { id: letters['kept'] ?? '' } }), dropDeadLetter: ({ letters }) => ({ params: { id: letters['dropped'] ?? '' } }), replayDeadLetter: ({ letters }) => ({ params: { id: letters['replayed'] ?? '' } }), replayDeadLetters: () => ({ body: {} }),
  listPairings: plain, approvePairing: ({ codes }) => ({ params: { code: codes[0] } }), denyPairing: ({ codes }) => ({ params: { code: codes[1] } }), getPairing: made('approvePairing', 'id'), revokePairing: made('approvePairing', 'id'),
  createInvite: () => ({ body: { instance: 'webchat' } }), listInvites: plain, withdrawInvite: made('createInvite', 'id'),
  listCosts: plain, getCosts: parrot, getStats: plain,
  listAuditEntries: () => ({ query: 'limit=200' }), getAuditHead: plain, proveAuditEntry: () => ({ params: { index: '0' } }), proveAuditConsistency: () => ({ query: 'first=1' }), exportAudit: plain,
  exportData: () => ({ query: 'what=sessions,kv' }),
  getConfig: plain, getNetworkPolicy: plain, getDiscovery: plain, validateConfig: async (world) => ({ body: { config: (await fromNow(world)).written } }),
  patchConfig: async (world) => ({ body: { baseHash: (await fromNow(world)).hash, patch: { log: { level: 'warn' } }, reason: 'less noise' } }),
  replaceConfig: async (world) => {
    const { hash, written } = await fromNow(world);
    return { body: { baseHash: hash, config: { ...written, log: { level: 'error' } } } };
  },
  listConfigHistory: plain,
  rollBackConfig: async (world) => ({ body: { baseHash: (await fromNow(world)).hash, hash: world.answers.get('patchConfig')?.['hash'] ?? '' } }),
  createBackup: plain, listBackups: plain,
  getBackup: made('createBackup', 'name'),
  deleteBackup: async (world) => {
    const wanted = made('createBackup', 'name')(world);
    await eventually(async () => expect((await world.get(`/backups/${wanted.params?.['name']}`))['state']).toBe('done'), 120_000);
    return wanted;
  },
  createToken: () => ({ body: { label: 'a walker', scopes: ['status:read'] } }), listTokens: plain, getOwnToken: plain, getToken: made('createToken', 'id'), rotateToken: made('createToken', 'id'), revokeToken: made('createToken', 'id'),
  postToChannel: () => {
    const text = JSON.stringify({ id: 'walk', conversation: 'walk', sender: { id: 'ada' }, text: 'say this' });
    return { params: { instance: 'webhook', path: 'messages' }, body: text, headers: { 'x-gatehouse-signature': signatureOf(WEBHOOK_SECRET, text) } };
  },
  readFromChannel: () => ({ params: { instance: 'door', path: 'things' } }), putToChannel: () => ({ params: { instance: 'door', path: 'things' }, body: 'a thing' }), deleteFromChannel: () => ({ params: { instance: 'door', path: 'things' } }),
};

/** Operations whose success another test shows. */
export const ELSEWHERE: Readonly<Record<string, string>> = { getFile: 'test/scenario/media-outbound.test.ts' };

/** What nothing is called, for each name of a path. */
export const NOBODY: Readonly<Record<string, string>> = { instance: 'nobody', id: 'f'.repeat(32), key: 'nobody:nothing', name: '20000101T000000Z', index: '999999999', code: '22222222' };
