// A real nginx on loopback with the configuration that docs/ops/nginx.conf shows, its ports and paths put in. Tests that need it say `not run: nginx` where it is not installed.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';

const CONFIG = resolve(import.meta.dirname, '../../docs/ops/nginx.conf');

// Debian keeps it where an ordinary user's PATH does not lead.
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;

/** Whether nginx is installed. */
export const NGINX = (() => {
  try {
    execFileSync('nginx', ['-v'], { env: { PATH }, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** The example as it stands in docs/ops, with `upstream`, the two ports and the folder of certificates put in. Throws when the file does not have what is to be replaced. */
export function exampleConfig({ upstream, port, mtlsPort, certificates }: { readonly upstream: string; readonly port: number; readonly mtlsPort: number; readonly certificates: string }): string {
  const changes = { '    server 127.0.0.1:4280;': `    server ${upstream};`, 'listen 443 ssl;': `listen 127.0.0.1:${port} ssl;`, 'listen 8443 ssl;': `listen 127.0.0.1:${mtlsPort} ssl;`, '/etc/ssl/gatehouse/': `${certificates}/` };
  return Object.entries(changes).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`docs/ops/nginx.conf has no '${from}'`);
    return text.replaceAll(from, to);
  }, readFileSync(CONFIG, 'utf8'));
}

/** Runs until it is disposed. `servers` goes into its http block; resolves once every port answers. */
export async function startNginx(dir: string, servers: string, ports: readonly number[]): Promise<AsyncDisposable> {
  mkdirSync(dir, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(dir, kind)};`).join(' ');
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  writeFileSync(join(dir, 'nginx.conf'), `${user} daemon off; worker_processes 1; pid ${join(dir, 'pid')}; error_log stderr warn;\nevents { worker_connections 256; }\nhttp { access_log off; ${temporary}\n${servers}\n}\n`);
  const child = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr'], { env: { PATH }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  const dispose = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  try {
    await Promise.race([Promise.all(ports.map((port) => eventually(() => answers(port)))), exited.then(() => Promise.reject(new Error(`nginx ended: ${said}`)))]);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { [Symbol.asyncDispose]: dispose };
}

function answers(port: number): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done();
    });
    socket.once('error', fail);
  });
}
