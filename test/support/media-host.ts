// A channel that hands over what is posted to it, a server that has files, and a host between them: the arena of the media tests.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Capability } from '../../schemas/capability.ts';
import type { Enablement } from '../../schemas/enablement.ts';
import type { HostConfig } from '../../schemas/host-config.ts';
import type { MediaBlock } from '../../schemas/media.ts';
import type { MediaPolicy } from '../../schemas/policy.ts';
import type { Gatehouse } from './gatehouse.ts';
import { aHome, type TestHome, type TestPlugin } from './home.ts';
import { bytesOf, type Recipe } from './media-bytes.ts';
import { startReceiver, type Receiver, type ReceiverAnswer } from './receiver.ts';

/** Answers `GET /<name>` with the file of that name, as octets unless it says otherwise; what it does not have is 404, and `reset` cuts the connection. */
export async function startFileServer(files: Readonly<Record<string, Recipe | ReceiverAnswer>>): Promise<Receiver> {
  return await startReceiver(({ target }) => {
    if (target === '/reset') return 'reset';
    const file = files[target.slice(1).split('?')[0] ?? ''];
    if (file === undefined) return { status: 404 };
    if (typeof file === 'object' && 'status' in file) return file;
    return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: bytesOf(file) };
  });
}

export interface GalleryOptions {
  readonly media?: MediaPolicy;
  readonly enablement?: Partial<Enablement>;
  readonly instances?: readonly string[];
  readonly config?: HostConfig;
  /** More handlers of the channel, as JavaScript. */
  readonly handlers?: string;
  readonly abilities?: readonly ('receive' | 'send' | 'media')[];
  /** More of what it may do. */
  readonly capabilities?: readonly Capability[];
  /** Origins that it may fetch from beside the server's. */
  readonly origins?: readonly string[];
}

/** A home whose channel `gallery` (or the instances named) may fetch from the servers, and has them stored. */
export async function aGallery(servers: readonly Receiver[], { media = { inbound: 'store' }, enablement = {}, instances = ['gallery'], config = {}, handlers = '', abilities = ['receive', 'send'], capabilities: more = [], origins = [] }: GalleryOptions = {}): Promise<TestHome> {
  const allowed = [...servers.map(({ origin }) => origin), ...origins];
  const capabilities = [{ name: 'http.fetch' as const, origins: allowed.map((_, index) => ({ config: `/o${index}` })), methods: ['GET' as const, 'POST' as const] }, ...more];
  const plugin = (name: string): TestPlugin => ({
    name,
    kind: 'channel',
    source: `gatehouse.register({ kind: 'channel', handlers: {
      receive: async (request) => ({ messages: [JSON.parse(request.body)] }),
      send: async () => ({ actions: [] }),
      ${handlers}
    } });`,
    manifest: {
      capabilities,
      config: { type: 'object', additionalProperties: false, properties: Object.fromEntries(allowed.map((_, index) => [`o${index}`, { type: 'string' }])) },
      channel: { abilities: [...abilities], ingress: [{ method: 'POST', path: '/in', verify: { scheme: 'none' } }] },
    },
    enablement: { grants: capabilities, config: Object.fromEntries(allowed.map((origin, index) => [`o${index}`, origin])), media, ...enablement },
  });
  return await aHome(instances.map(plugin), { egress: { allow: servers.map(({ exception }) => exception) }, ...config });
}

export interface Said {
  readonly status: number;
  readonly messageId: string;
  readonly code?: string;
  readonly detail?: string;
}

/** Posts a message with these blocks, and says what its source was told. */
export async function post(gatehouse: Pick<Gatehouse, 'address'>, id: string, media: readonly object[], { channel = 'gallery', conversation = 'c', text = 'look' } = {}): Promise<Said> {
  const response = await fetch(`${gatehouse.address}/channels/${channel}/in`, { method: 'POST', body: JSON.stringify({ id, conversation, sender: { id: 's' }, text, media }) });
  return { ...((await response.json()) as Said), status: response.status };
}

/** The blocks of a message as the host has it. */
export async function mediaOf(gatehouse: Pick<Gatehouse, 'api'>, messageId: string): Promise<readonly MediaBlock[]> {
  return (await gatehouse.api(`/messages/${messageId}`)).json<{ media?: MediaBlock[] }>().media ?? [];
}

/** What lies in the data directory: names below `media/`, drafts included. */
export async function filesOf(home: Pick<TestHome, 'path'>): Promise<string[]> {
  const dir = join(home.path, 'data/media');
  return (await readdir(dir, { recursive: true, withFileTypes: true })).filter((each) => each.isFile()).map(({ name }) => name).toSorted();
}
