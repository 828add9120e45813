// What a fetch costs: through a sandboxed plugin, broker and egress to a server on loopback in a process of its own, over kept and over fresh connections, with TLS where openssl can make a certificate.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setDefaultCACertificates } from 'node:tls';
import { Broker } from '../../host/broker/broker.ts';
import { MinuteQuotas } from '../../host/broker/quota.ts';
import { httpFetch } from '../../host/capabilities/http-fetch.ts';
import { systemClock } from '../../host/clock.ts';
import { Egress } from '../../host/egress/egress.ts';
import { SandboxPool } from '../../host/sandbox/pool.ts';
import type { Grant } from '../../schemas/capability.ts';
import { aCall, silentLog } from '../support/sandboxes.ts';
import { tempDir } from '../support/temp.ts';

const PLUGIN = `gatehouse.register({ kind: 'tool', handlers: { call: async ({ arguments: { url, count } }, ctx) => { for (let i = 0; i < count; i += 1) await ctx.http.fetch(url); return {}; } } });`;

const SERVER = `
const { readFileSync } = require('node:fs');
const answer = (request, response) => { if (request.url === '/fresh') response.setHeader('connection', 'close'); response.end('{"weather":"fine"}'); };
const [key, cert] = process.argv.slice(1);
const server = key ? require('node:https').createServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer) : require('node:http').createServer(answer);
server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)));
process.stdin.resume().on('end', () => process.exit());
`;

export async function egress({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await using dir = await tempDir();
  await measure('http', [], smoke ? 200 : 3000);
  const files = certificate(dir.path);
  if (files) await measure('https', files, smoke ? 200 : 3000);
  else console.log('egress https not run: openssl');
}

/** Key and certificate, trusted by this process; undefined without openssl. */
function certificate(dir: string): string[] | undefined {
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=bench', '-addext', 'subjectAltName=DNS:bench.test'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  setDefaultCACertificates([readFileSync(cert, 'utf8')]);
  return [key, cert];
}

async function measure(scheme: 'http' | 'https', files: readonly string[], forMs: number): Promise<void> {
  const server = spawn(process.execPath, ['-e', SERVER, ...files], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [text] = (await once(server.stdout, 'data')) as [Buffer];
  const port = Number(text);
  const origin = `${scheme}://bench.test:${port}`;
  const grants: Grant[] = [{ name: 'http.fetch', origins: [origin], methods: ['GET'], quota: { perMinute: 1_000_000 } }];
  const quotas = new MinuteQuotas(systemClock);
  await using requests = new Egress({ clock: systemClock, minutes: quotas, connects: { take: () => true }, bytes: { used: () => 0, add: () => undefined }, resolve: async () => [], allow: [{ host: 'bench.test', scheme, port, address: '127.0.0.1' }], listen: { host: '127.0.0.1', port: 0 } });
  const broker = new Broker({ log: silentLog, quotas, operations: [httpFetch({ egress: requests, secretOf: () => undefined })] });
  await using pool = new SandboxPool({ warm: 0, clock: systemClock, log: silentLog });
  const spec = { instance: 'bench', plugin: 'bench.fetcher', kind: 'tool', source: PLUGIN, config: {}, limits: { heapMb: 32, cpuMsPerCall: 5000, wallMsPerCall: 60_000, concurrency: 64 }, jitless: true } as const;
  const sandbox = await pool.open(spec, { onHostCall: (call) => broker.serve({ instance: 'bench', plugin: 'bench.fetcher', grants }, call), onLog: () => undefined });

  for (const path of ['kept', 'fresh']) {
    for (const inFlight of [1, 4]) {
      let count = 0;
      const [beganAt, before] = [performance.now(), process.cpuUsage()];
      const lane = async (name: number) => {
        for (let call = 0; performance.now() - beganAt < forMs; call += 1) {
          const scope = broker.open(`${path}-${inFlight}-${name}-${call}`);
          const result = await sandbox.call({ ...aCall({ tool: 'fetch', arguments: { url: `${origin}/${path}`, count: 50 } }, 'call'), callId: scope.callId });
          broker.close(scope);
          if (!result.ok) throw new Error(result.message);
          count += 50;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, (_, name) => lane(name)));
      const { user, system } = process.cpuUsage(before);
      console.log(`egress ${scheme} ${path} inFlight=${inFlight} fetchesPerS=${Math.round((count / (performance.now() - beganAt)) * 1000)} hostCpuUs=${Math.round((user + system) / count)}`);
    }
  }
  await sandbox.stop(0);
  server.stdin.end();
  await once(server, 'exit');
}
