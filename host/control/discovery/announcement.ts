// Announces the host to its network by multicast DNS (RFC 6762, RFC 6763), and takes that back when it stops. discovery.ts starts it once the host listens.
import { EventEmitter, once } from 'node:events';
import { hostname, networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bonjour, type Service, type ServiceConfig } from 'bonjour-service';
import type { MdnsView } from '../../../schemas/discovery.ts';
import { problemOf } from '../../errors.ts';
import type { Log } from '../../log.ts';

export interface AnnouncementParts {
  readonly name: string;
  /** One interface by its name; empty for every one. */
  readonly interface: string;
  /** Where the host listens: one address, or `0.0.0.0` and `::` for all. */
  readonly host: string;
  readonly port: number;
  readonly txt: Readonly<Record<string, string>>;
  readonly log: Log;
}

const TYPE = 'gatehouse';
export const SERVICE = `_${TYPE}._tcp`;
/** So long others may take to say that a name is theirs (RFC 6762 §8.1 has three times 250 ms). */
const LISTEN_MS = 750;
/** The library asks three times itself before it announces. */
const ANNOUNCED_WITHIN_MS = 5000;
const GOODBYE_WITHIN_MS = 1000;
/** `name (2)` and so on, as RFC 6762 §9 has it. */
const MOST_NAMES = 9;
const ADDRESS_SECONDS = 120;

export interface Announcement extends AsyncDisposable {
  readonly view: MdnsView;
  /** Resolves once it is announced, or has failed. */
  readonly settled: Promise<void>;
}

/** Never throws: a host that cannot be found by its network works all the same. */
export function announce(parts: AnnouncementParts): Announcement {
  const { log, port, txt } = parts;
  const stopping = new AbortController();
  let view: MdnsView = { state: 'probing', service: SERVICE };
  let bonjour: Bonjour | undefined;

  const fail = (thrown: unknown) => {
    if (stopping.signal.aborted || view.state === 'failed') return;
    view = { state: 'failed', service: SERVICE, problem: problemOf(thrown).slice(0, 500) };
    log.warn({ err: problemOf(thrown) }, 'the host could not be announced to its network');
  };

  const begin = async () => {
    const interfaces = addressesOf(parts.interface);
    const addresses = reachable(interfaces, parts.host);
    const multicastOn = interfaces.find(({ family }) => family === 'IPv4')?.address;
    if (addresses.length === 0 || (parts.interface !== '' && multicastOn === undefined)) throw new Error(`no address of ${parts.interface || 'this machine'} is one that the host listens on`);
    // Bound to every address, or multicast would not arrive; which interface is joined and sent on is another option.
    const opened = open(parts.interface === '' ? {} : { interface: multicastOn, bind: '0.0.0.0' }, fail);
    bonjour = opened;
    const taken = await namesOn(opened, stopping.signal);
    const name = freeName(parts.name || `Gatehouse on ${machine()}`, taken);
    const service = publishedUnasked(opened, { name, type: TYPE, port, txt: { ...txt }, host: `${machine()}.local` });
    // Only where the host listens: the library would tell every address of the machine, those of other networks among them. It waits before it announces, so this comes in time.
    const own = service.records.bind(service);
    service.records = () => [...own().filter(({ type }) => type !== 'A' && type !== 'AAAA'), ...addresses.map(({ address, family }) => ({ name: service.host, type: family === 'IPv4' ? ('A' as const) : ('AAAA' as const), ttl: ADDRESS_SECONDS, data: address }))];
    await announced(service, stopping.signal);
    view = { state: 'announced', service: SERVICE, name, port, addresses: addresses.map(({ address }) => address), txt: { ...txt } };
  };

  const settled = begin().catch(fail);
  return {
    get view() {
      return view;
    },
    settled,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await settled;
      if (!bonjour) return;
      const ending = bonjour;
      // First the goodbye (RFC 6762 §10.1), so that nobody keeps a host in a list that is gone; then the socket.
      await within(GOODBYE_WITHIN_MS, (done) => ending.unpublishAll(done));
      await within(GOODBYE_WITHIN_MS, (done) => ending.destroy(done));
      view = { state: 'off', service: SERVICE };
    },
  };
}

interface Address {
  readonly address: string;
  readonly family: string;
}

/** Link-local addresses mean nothing without the interface they belong to. */
function addressesOf(name: string): readonly Address[] {
  return Object.entries(networkInterfaces())
    .flatMap(([each, addresses = []]) => (name === '' ? addresses.filter(({ internal }) => !internal) : each === name ? addresses : []))
    .filter(({ address }) => !address.toLowerCase().startsWith('fe80:'));
}

function reachable(addresses: readonly Address[], host: string): readonly Address[] {
  if (host === '::') return addresses;
  return addresses.filter(({ address, family }) => (host === '0.0.0.0' ? family === 'IPv4' : address === host));
}

const machine = () => (hostname().split('.')[0] ?? '').replaceAll(/[^A-Za-z0-9-]/g, '-').slice(0, 40) || 'host';

/** The library's own socket tells of errors by an event that ends the process where nobody listens, and has no door to it. */
function open(options: object, onError: (error: unknown) => void): Bonjour {
  const opened = new Bonjour(options, onError);
  socketOf(opened).on('error', onError);
  return opened;
}

function socketOf(opened: Bonjour): EventEmitter {
  const socket: unknown = Reflect.get(Object(Reflect.get(opened, 'server')), 'mdns');
  if (!(socket instanceof EventEmitter)) throw new Error('the library for multicast DNS is not as it was');
  return socket;
}

const isListener = (value: unknown): value is () => void => typeof value === 'function';

/** The library asks for the name once more, and whoever answers that makes it write a stack trace to the output of the host. We have asked already: nobody hears the answer. */
function publishedUnasked(opened: Bonjour, config: Partial<ServiceConfig> & Pick<ServiceConfig, 'name' | 'type' | 'port'>): Service {
  const socket = socketOf(opened);
  const listeners = () => socket.rawListeners('response').filter(isListener);
  const before = new Set(listeners());
  const service = opened.publish(config);
  for (const listener of listeners()) if (!before.has(listener)) socket.off('response', listener);
  return service;
}

/** Names of other hosts that answer in time. */
async function namesOn(opened: Bonjour, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  const browser = opened.find({ type: TYPE }, ({ name }) => names.add(name.toLowerCase()));
  try {
    await sleep(LISTEN_MS, undefined, { signal });
  } finally {
    browser.stop();
  }
  return names;
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  const names = Array.from({ length: MOST_NAMES }, (_, index) => (index === 0 ? wanted : `${wanted} (${index + 1})`));
  const free = names.find((name) => !taken.has(name.toLowerCase()));
  if (free === undefined) throw new Error(`'${wanted}' and eight names like it are taken`);
  return free;
}

async function announced(service: Service, signal: AbortSignal): Promise<void> {
  try {
    await once(service, 'up', { signal: AbortSignal.any([signal, AbortSignal.timeout(ANNOUNCED_WITHIN_MS)]) });
  } catch (cause) {
    throw new Error('multicast does not leave this machine', { cause });
  }
}

function within(ms: number, begin: (done: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(resolve, ms);
  begin(() => resolve());
  return promise.finally(() => clearTimeout(late));
}
