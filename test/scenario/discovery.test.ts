// Discovery with real sockets: another mDNS implementation of the same machine finds the host, and no longer once it stopped. Multicast stays on the loopback interface.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { delimiter, join } from 'node:path';
import { Bonjour, type Service } from 'bonjour-service';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../host/clock.ts';
import { loadConfig } from '../../host/config.ts';
import { tailnetProbe } from '../../host/control/discovery/tailnet.ts';
import { startTestControl, type TestControl } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { aHome } from '../support/home.ts';
import { tempDir } from '../support/temp.ts';
import type { DiscoveryView } from '../../schemas/discovery.ts';

const OFF = { mdns: { enabled: false, name: '', interface: '' }, tailnet: { enabled: false } };
const onLoopback = (name: string) => ({ ...OFF, mdns: { enabled: true, name, interface: 'lo' } });
const GROUP = '224.0.0.251';

/** Whether two sockets of this machine hear each other by multicast on its loopback interface: some containers have none. */
const hasMulticast = await new Promise<boolean>((done) => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const end = (answer: boolean) => {
    clearTimeout(late);
    socket.close(() => done(answer));
  };
  const late = setTimeout(() => end(false), 1000);
  socket.on('error', () => end(false));
  socket.on('message', (text) => text.toString() === 'is anybody there' && end(true));
  socket.bind(0, '0.0.0.0', () => {
    try {
      socket.addMembership(GROUP, '127.0.0.1');
      socket.setMulticastInterface('127.0.0.1');
      socket.send('is anybody there', socket.address().port, GROUP);
    } catch {
      end(false);
    }
  });
});
if (!hasMulticast) console.log('not run: multicast');

const viewOf = async (control: TestControl) => JSON.parse((await control.call('GET', '/api/v1/config/discovery', { token: true })).text) as DiscoveryView;

/** Somebody on the same network who looks for hosts. */
function aNeighbour() {
  const bonjour = new Bonjour({ interface: '127.0.0.1', bind: '0.0.0.0' } as object, () => undefined);
  const seen = new Map<string, Service>();
  const browser = bonjour.find({ type: 'gatehouse' });
  browser.on('up', (service: Service) => seen.set(service.name, service));
  browser.on('down', (service: Service) => seen.delete(service.name));
  return {
    seen,
    look: () => browser.update(),
    [Symbol.asyncDispose]: () => new Promise<void>((done) => {
      browser.stop();
      bonjour.destroy(() => done());
    }),
  };
}

/** Hears everything that is said by multicast DNS on the loopback interface, and says it again, garbled. */
async function aWire() {
  const heard: Buffer[] = [];
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (packet) => heard.length < 64 && heard.push(packet));
  await new Promise<void>((done) => socket.bind(5353, '0.0.0.0', () => done()));
  socket.addMembership(GROUP, '127.0.0.1');
  socket.setMulticastInterface('127.0.0.1');
  let state = 12_345;
  const random = (below: number) => ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8) % below;
  const garbled = (packet: Buffer) => {
    const copy = Buffer.from(packet);
    for (let changes = 1 + random(4); changes > 0; changes--) copy[random(copy.length)] = random(256);
    return random(4) === 0 ? copy.subarray(0, random(copy.length)) : copy;
  };
  return {
    async garble(packets: number) {
      const genuine = heard.slice();
      for (let n = 0; n < packets; n++) {
        const model = n % 4 === 0 ? undefined : genuine[random(genuine.length)];
        const packet = model ? garbled(model) : Buffer.from(Array.from({ length: random(300) }, () => random(256)));
        await new Promise<void>((done) => socket.send(packet, 5353, GROUP, () => done()));
      }
      return { genuine: genuine.length };
    },
    [Symbol.asyncDispose]: () => new Promise<void>((done) => socket.close(() => done())),
  };
}

describe('discovery', () => {
  it('is off unless somebody asks for it', async () => {
    await using control = await startTestControl();
    expect(await viewOf(control)).toEqual({ mdns: { state: 'off', service: '_gatehouse._tcp' }, tailnet: { state: 'off' } });
    expect((await control.call('GET', '/api/v1/config/discovery')).status).toBe(401);
  });

  it('is refused for a host that nobody reaches, with the way out', async () => {
    await using home = await aHome([], { discovery: { mdns: { enabled: true } } });
    expect(() => loadConfig({ home: home.path, env: {}, cwd: home.path })).toThrow(expect.objectContaining({ code: 'CONFIG_UNSAFE', message: expect.stringContaining('discovery.mdns.enabled') }));
    const lan = loadConfig({ home: home.path, env: { GATEHOUSE_PROFILE: 'lan', GATEHOUSE_LISTEN: '0.0.0.0:0' }, cwd: home.path });
    expect(lan.discovery.mdns).toEqual({ enabled: true, name: '', interface: '' });
  });

  it('fails visibly and harmlessly for an interface that is not there', async () => {
    await using control = await startTestControl({ config: { discovery: { ...OFF, mdns: { enabled: true, name: '', interface: 'nowhere0' } } } });
    await eventually(async () => expect((await viewOf(control)).mdns).toMatchObject({ state: 'failed', problem: expect.stringContaining('nowhere0') }));
    expect((await control.call('GET', '/healthz')).status).toBe(200);
  });

  describe.skipIf(!hasMulticast)('by multicast DNS', () => {
    it('is found with its port and what a client needs, and says goodbye when it stops', async () => {
      await using neighbour = aNeighbour();
      const control = await startTestControl({ config: { profile: 'lan', discovery: onLoopback('Reception') } });
      const announced = await eventually(async () => {
        const { mdns } = await viewOf(control);
        expect(mdns.state).toBe('announced');
        return mdns;
      });
      const port = Number(new URL(control.control.address).port);
      const txt = { version: expect.any(String), api: 'v1', tls: '0', path: '/api/v1' };
      expect(announced).toEqual({ state: 'announced', service: '_gatehouse._tcp', name: 'Reception', port, addresses: ['127.0.0.1'], txt });
      await eventually(() => {
        neighbour.look();
        expect(neighbour.seen.get('Reception')).toMatchObject({ port, txt, host: expect.stringMatching(/^[A-Za-z0-9-]+\.local$/), addresses: ['127.0.0.1'] });
      });
      expect(JSON.stringify(neighbour.seen.get('Reception'))).not.toContain(control.adminToken);
      await control[Symbol.asyncDispose]();
      await eventually(() => expect([...neighbour.seen.keys()]).toEqual([]));
    });

    it('is announced, and writes nothing to its output, though somebody says of every name that it is theirs', async () => {
      const liar = new Bonjour({ interface: '127.0.0.1', bind: '0.0.0.0' } as object, () => undefined);
      const socket: unknown = Reflect.get(Object(Reflect.get(liar, 'server')), 'mdns');
      if (!(socket instanceof EventEmitter)) throw new Error('no socket');
      let asked = 0;
      socket.on('query', ({ questions }: { readonly questions: readonly { readonly name: string; readonly type: string }[] }) => {
        for (const { name } of questions.filter(({ type }) => type === 'ANY')) {
          asked += 1;
          Reflect.apply(Reflect.get(socket, 'respond') as () => void, socket, [[{ name, type: 'SRV', ttl: 120, data: { port: 1, target: 'liar.local' } }]]);
        }
      });
      const printed = vi.spyOn(console, 'log');
      {
        await using control = await startTestControl({ config: { profile: 'lan', discovery: onLoopback('Contested') } });
        await eventually(async () => expect((await viewOf(control)).mdns).toMatchObject({ state: 'announced', name: 'Contested' }));
      }
      expect(asked).toBeGreaterThan(0);
      expect(printed).not.toHaveBeenCalled();
      printed.mockRestore();
      await new Promise<void>((done) => liar.destroy(() => done()));
    });

    it('takes nobody’s name, and leaves no socket and no timer behind', async () => {
      await using first = await startTestControl({ config: { profile: 'lan', discovery: onLoopback('Twin') } });
      await eventually(async () => expect((await viewOf(first)).mdns.state).toBe('announced'));
      const before = process.getActiveResourcesInfo().filter((each) => each === 'UDPWRAP').length;
      {
        await using second = await startTestControl({ config: { profile: 'lan', discovery: onLoopback('Twin') } });
        await eventually(async () => expect((await viewOf(second)).mdns).toMatchObject({ state: 'announced', name: 'Twin (2)' }));
      }
      await eventually(() => expect(process.getActiveResourcesInfo().filter((each) => each === 'UDPWRAP').length).toBe(before));
      // One that is stopped before it has its name.
      await (await startTestControl({ config: { profile: 'lan', discovery: onLoopback('Short') } }))[Symbol.asyncDispose]();
      await eventually(() => expect(process.getActiveResourcesInfo().filter((each) => each === 'UDPWRAP').length).toBe(before));
    });

    it('outlives whatever the network sends to its socket, while it looks for a name and afterwards', async () => {
      await using neighbour = aNeighbour();
      await using wire = await aWire();
      await using control = await startTestControl({ config: { profile: 'lan', discovery: onLoopback('Sturdy') } });
      await eventually(async () => expect((await viewOf(control)).mdns.state).toBe('announced'));
      await eventually(() => {
        neighbour.look();
        expect(neighbour.seen.has('Sturdy')).toBe(true);
      });
      // What this host and its neighbour said, with some bytes changed, and bytes that mean nothing: to it, and to another that looks for its name meanwhile.
      const starting = startTestControl({ config: { profile: 'lan', discovery: onLoopback('Beginner') } });
      const sent = await wire.garble(4000);
      await using second = await starting;
      await eventually(async () => expect((await viewOf(second)).mdns.state).toBe('announced'));
      expect(sent.genuine).toBeGreaterThan(3);
      neighbour.seen.clear();
      await using another = aNeighbour();
      await eventually(() => {
        another.look();
        expect([...another.seen.keys()]).toEqual(expect.arrayContaining(['Sturdy', 'Beginner']));
      });
      expect((await viewOf(control)).mdns.state).toBe('announced');
    });
  });

  // A stand-in: a script in the PATH that says what the real program says. No tailnet was reached by these tests.
  describe('by what tailscale says', () => {
    afterEach(() => void vi.unstubAllEnvs());

    async function aMachineWhere(script: string | undefined) {
      const dir = await tempDir('gatehouse-tailscale-');
      await mkdir(join(dir.path, 'bin'));
      if (script !== undefined) {
        await writeFile(join(dir.path, 'bin/tailscale'), `#!/bin/sh\necho "$@" > ${dir.path}/asked\nenv > ${dir.path}/env\n${script}\n`);
        await chmod(join(dir.path, 'bin/tailscale'), 0o755);
      }
      vi.stubEnv('PATH', [join(dir.path, 'bin'), ...(script === undefined ? [] : ['/usr/bin', '/bin'])].join(delimiter));
      vi.stubEnv('GATEHOUSE_CANARY', 'not for other programs');
      return { told: (name: string) => readFile(join(dir.path, name), 'utf8'), [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
    }

    it('shows name and addresses of this machine, and asks for nothing else', async () => {
      await using machine = await aMachineWhere(`echo '{"BackendState":"Running","Self":{"DNSName":"gate.tail1234.ts.net.","TailscaleIPs":["100.101.102.103","fd7a:115c:a1e0::1"],"PrivateKey":"no"}}'`);
      await using control = await startTestControl({ config: { discovery: { ...OFF, tailnet: { enabled: true } } } });
      const views = await Promise.all([viewOf(control), viewOf(control)]);
      expect(views[1]).toEqual(views[0]);
      expect(views[0]?.tailnet).toEqual({ state: 'up', name: 'gate.tail1234.ts.net', addresses: ['100.101.102.103', 'fd7a:115c:a1e0::1'], checkedAt: expect.any(String) });
      expect(await machine.told('asked')).toBe('status --json --peers=false\n');
      expect(await machine.told('env')).not.toContain('not for other programs');
    });

    it.each([
      ['is not there', undefined, { state: 'absent' }],
      ['is stopped', `echo '{"BackendState":"Stopped"}'`, { state: 'down', problem: 'tailscale is Stopped' }],
      ['fails', 'exit 3', { state: 'failed', problem: 'tailscale ended with 3' }],
      ['talks nonsense', 'echo "<html>"', { state: 'failed', problem: 'what tailscale printed is no status' }],
      ['talks without end', 'exec yes', { state: 'failed', problem: 'tailscale printed more than 1048576 bytes' }],
      ['says nothing', 'exec sleep 60', { state: 'failed', problem: 'tailscale gave no answer within 3 seconds' }],
    ])('says so when the program %s', async (_when, script, told) => {
      await using _machine = await aMachineWhere(script);
      expect(await tailnetProbe(systemClock).look()).toMatchObject(told);
    });
  });
});
