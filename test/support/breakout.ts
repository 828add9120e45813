// Code run directly in a sandbox process, as if it had escaped the isolate: first with Node's permission model around it, then without, then with raw system calls.
// A program of its own, so that confinement.test.ts can run it as root and as an ordinary user: `node breakout.ts '{"bubblewrap":true}'` prints a BreakoutReport.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, copyFileSync, globSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { SandboxCommand } from '../../host/sandbox/command-line.ts';
import { ConfinedProcess } from '../../host/sandbox/confined-process.ts';
import { detectConfinement } from '../../host/sandbox/confinement.ts';
import { thisMachine, type Machine } from '../../host/sandbox/machine.ts';
import { memoryCapBytes } from '../../host/sandbox/verdict.ts';
import type { ConfinementLevel } from '../../host/sandbox/walls.ts';
import { FAKE_PRELUDE } from './fake-child.ts';

/** By attempt: `denied: <code>`, or what it did. */
export type Outcomes = Readonly<Record<string, string>>;

export interface BreakoutReport {
  readonly level: ConfinementLevel;
  readonly isRoot: boolean;
  readonly memoryCapMb: number;
  /** JavaScript in the process, as if it had left the isolate. */
  readonly leftIsolate: Outcomes;
  /** JavaScript without Node's permission model. */
  readonly leftNode: Outcomes;
  /** Raw system calls from a program that is not Node; absent where there is no perl or the machine is not x86-64. */
  readonly rawCalls?: Outcomes;
  /** What arrived at the host's own servers while all of it ran. */
  readonly arrived: { readonly tcp: number; readonly udp: number; readonly unix: number; readonly abstract: number };
  /** Descriptors the sandbox was born with, by number. */
  readonly descriptors: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** How a process ended that wrote a large file. */
  readonly largeFile: string;
}

interface Targets {
  readonly host: number;
  readonly neighbour: number;
  readonly tcp: number;
  readonly udp: number;
  readonly unix: string;
  readonly abstract: string;
  /** A folder anybody may write to, with `public` (0644), `private` (0600), `addon.node`, and `kept/file` in a folder of the host's. */
  readonly folder: string;
  readonly repository: string;
}

/** What JavaScript tries; each expression may be a promise, and a throw or rejection is a denial. */
const javascript = ({ host, neighbour, tcp, udp, unix, abstract, folder, repository }: Targets): Readonly<Record<string, string>> => ({
  'read /etc/passwd': `fs.readFileSync('/etc/passwd')`,
  'read the repository': `fs.readFileSync(${JSON.stringify(join(repository, 'package.json'))})`,
  'read a private file of the host': `fs.readFileSync(${JSON.stringify(join(folder, 'private'))})`,
  'read a file anyone may read': `fs.readFileSync(${JSON.stringify(join(folder, 'public'))})`,
  'list the home of root': `fs.readdirSync('/root')`,
  'read the environment of the host': `fs.readFileSync('/proc/${host}/environ')`,
  'open the memory of the host': `fs.openSync('/proc/${host}/mem', 'r+')`,
  'read the maps of a neighbour': `fs.readFileSync('/proc/${neighbour}/maps')`,
  'open the memory of a neighbour': `fs.openSync('/proc/${neighbour}/mem', 'r+')`,
  'list the descriptors of a neighbour': `fs.readdirSync('/proc/${neighbour}/fd')`,
  'read the command line of the host': `fs.readFileSync('/proc/${host}/cmdline')`,
  'create a file': `fs.writeFileSync(${JSON.stringify(join(folder, 'written'))}, '')`,
  'create shared memory': `fs.writeFileSync('/dev/shm/gatehouse-breakout-${host}', '')`,
  'connect to a TCP port of the host': `new Promise((done, fail) => net.connect(${tcp}, '127.0.0.1').on('connect', () => done('connected')).on('error', fail))`,
  'send UDP to the host': `new Promise((done, fail) => { const s = dgram.createSocket('udp4').on('error', fail); s.send('x', ${udp}, '127.0.0.1', (e) => e ? fail(e) : done('sent')) })`,
  'ask a name server': `(() => { const r = new dns.Resolver({ timeout: 100, tries: 1 }); r.setServers(['127.0.0.1:${udp}']); return new Promise((done, fail) => r.resolve4('leak.example', (e) => e && e.code !== 'ETIMEOUT' ? fail(e) : done('asked'))) })()`,
  'connect to a socket file of the host': `new Promise((done, fail) => net.connect(${JSON.stringify(unix)}).on('connect', () => done('connected')).on('error', fail))`,
  'connect to an abstract socket of the host': `new Promise((done, fail) => net.connect('\\0${abstract}').on('connect', () => done('connected')).on('error', fail))`,
  'start a program': `(() => { const r = require('node:child_process').spawnSync('/bin/true'); if (r.error) throw r.error; return r.status })()`,
  'start a worker': `new Promise((done, fail) => new (require('node:worker_threads').Worker)('1', { eval: true }).on('exit', done).on('error', fail))`,
  'take a binding': `process.binding('fs')`,
  'load an addon from elsewhere': `(() => { process.dlopen({ exports: {} }, ${JSON.stringify(join(folder, 'addon.node'))}); return 'loaded' })()`,
  'signal the host': `process.kill(${host}, 0)`,
  'signal a neighbour': `process.kill(${neighbour}, 0)`,
  'become root': `(process.setuid(0), process.getuid() === 0 && process.setgroups([0]))`,
  'change the priority of the host': `os.setPriority(${host}, 1)`,
  'raise its own priority': `os.setPriority(0, -10)`,
  'remove a file of the host': `fs.rmSync(${JSON.stringify(join(folder, 'kept', 'file'))})`,
});

/** x86-64 numbers and arguments, as perl. `$host`, `$neighbour` and `@buffer` are in scope. EFAULT and EINVAL mean that permission was not what was missing. */
const RAW: Readonly<Record<string, string>> = {
  'trace the host': '101, 0x4206, $host, 0, 0',
  'trace a neighbour': '101, 0x4206, $neighbour, 0, 0',
  'read the memory of the host': '310, $host, $iov, 1, $iov, 1, 0',
  'write the memory of a neighbour': '311, $neighbour, $iov, 1, $iov, 1, 0',
  'signal the host': '62, $host, 0',
  'signal everybody': '62, -1, 0',
  'change the priority of the host': '141, 0, $host, 1',
  'pin the host to a processor': '203, $host, 8, $mask',
  'become real-time': '144, 0, 1, $one',
  'change a limit of the host': '302, $host, 7, $limit, 0',
  'raise its own limit of descriptors': '302, 0, 7, $limit, 0',
  'allow itself core dumps': '302, 0, 4, $limit, 0',
  'become root': '105, 0',
  'join a group': '116, 1, $zero',
  'make a network namespace': '272, 0x40000000',
  'make a mount namespace': '272, 0x00020000',
  'change its root': '161, $root',
  'mount': '165, $tmpfs, $root, $tmpfs, 0, 0',
  'unmount': '166, $root, 2',
  'make a device': '133, $device, 0020666, 0x101',
  'open by handle': '304, 0, $buffer, 0',
  'make an internet socket': '41, 2, 1, 0',
  'make a packet socket': '41, 17, 3, 0',
  'make a netlink socket': '41, 16, 3, 0',
  'make a socket to the hypervisor': '41, 40, 1, 0',
  'make a crypto socket': '41, 38, 5, 0',
  'make a socket pair': '53, 1, 1, 0, $buffer',
  'make a file in memory': '319, $device, 0',
  'map memory to write and execute': '9, 0, 4096, 7, 0x22, -1, 0',
  'load a program into the kernel': '321, 5, $buffer, 48',
  'watch performance': '298, $buffer, 0, -1, -1, 0',
  'use the key ring': '250, 0, -3, 0',
  'handle page faults of others': '323, 0',
  'set up a ring': '425, 4, $buffer',
  'load a kernel module': '175, $buffer, 0, $device',
  'load another kernel': '246, 0, 0, 0, 0',
  'restart the machine': '169, 0, 0, 0, 0',
  'read the kernel log': '103, 3, $buffer, 64',
  'name the machine': '170, $device, 1',
  'turn off randomisation': '135, 0x0040000',
  'account for processes': '163, 0',
  // Last: what comes after it is tried with the powers it gives.
  'make a user namespace': '272, 0x10000000',
};

async function main({ bubblewrap }: { readonly bubblewrap: boolean }): Promise<BreakoutReport> {
  const found = thisMachine();
  const machine: Machine = bubblewrap ? found : { ...found, program: (name) => (name === 'bwrap' ? undefined : found.program(name)) };
  const { commands, started: neighbour } = await detectConfinement((each) => ConfinedProcess.start(each.command({ jitless: true })), machine);
  const command = commands.command({ jitless: true });
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gatehouse-breakout-')));
  try {
    chmodSync(folder, 0o777);
    writeFileSync(join(folder, 'public'), 'anyone', { mode: 0o644 });
    writeFileSync(join(folder, 'private'), 'secret', { mode: 0o600 });
    mkdirSync(join(folder, 'kept'), { mode: 0o755 });
    writeFileSync(join(folder, 'kept', 'file'), 'kept');
    copyFileSync(addonPath(), join(folder, 'addon.node'));
    await using servers = await listen(folder);
    const targets: Targets = { host: process.pid, neighbour: neighbour.pid, folder, repository: resolve(import.meta.dirname, '../..'), ...servers.addresses };
    const attempts = javascript(targets);
    const leftIsolate = await run(withScript(command, scriptOf(attempts)));
    const leftNode = await run(withoutNode(command, machine, [machine.node, '--jitless', '-e', scriptOf(attempts)]));
    const facts = await run<{ descriptors: Record<string, string>; environment: Record<string, string> }>(withScript(command, scriptFor(FACTS)));
    const raw = rawProgram(machine, targets);
    const rawCalls = raw ? await run(withoutNode(command, machine, raw.words, raw.files)) : undefined;
    const largeFile = await endOf(withoutNode(command, machine, [machine.node, '--jitless', '-e', `${FAKE_PRELUDE} ready(); next(); try { fs.writeFileSync(${JSON.stringify(join(folder, 'large'))}, 'x'.repeat(100)); send('written') } catch (e) { send(e.code) }`]));
    return { level: commands.level, isRoot: machine.isRoot, memoryCapMb: memoryCapBytes({ heapMb: 32, cpuMsPerCall: 50, wallMsPerCall: 2000, concurrency: 64 }) / 2 ** 20, leftIsolate, leftNode, ...(rawCalls ? { rawCalls } : {}), arrived: { ...servers.arrived }, ...facts, largeFile };
  } finally {
    neighbour.kill();
    rmSync(folder, { recursive: true, force: true });
    rmSync(`/dev/shm/gatehouse-breakout-${process.pid}`, { force: true });
  }
}

// --- Programs inside --------------------------------------------------------------------------------------------------------------------------------------

/** The very command line of a sandbox, with other code in it. */
function withScript(command: SandboxCommand, script: string): SandboxCommand {
  return { ...command, args: [...command.args.slice(0, -2), '-e', script] };
}

/** The same wrappers around any program; where there is a root of its own, `files` are put there too. */
function withoutNode(command: SandboxCommand, { node }: Machine, program: readonly string[], files: readonly string[] = []): SandboxCommand {
  const words = [command.file, ...command.args];
  const wrappers = words.slice(0, words.lastIndexOf(node));
  const sealed = wrappers.indexOf('--remount-ro');
  if (sealed > 0) wrappers.splice(sealed, 0, ...files.flatMap((file) => ['--ro-bind', file, file]));
  const [file = '', ...args] = [...wrappers, ...program];
  return { ...command, file, args };
}

const scriptFor = (body: string) => `${FAKE_PRELUDE} const [net, dns, dgram, os] = ['net', 'dns', 'dgram', 'os'].map((name) => require('node:' + name)); process.on('uncaughtException', () => {}); ready(); next(); (async () => { ${body} })();`;

/** One attempt after the other; what hangs for a second is not denied, it hangs. */
function scriptOf(attempts: Readonly<Record<string, string>>): string {
  const list = Object.entries(attempts).map(([name, expression]) => `[${JSON.stringify(name)}, async () => ${expression}]`);
  return scriptFor(`const found = {};
    for (const [name, attempt] of [${list.join(',\n')}]) {
      found[name] = await Promise.race([attempt().then((value) => 'did it: ' + String(value).slice(0, 40), (e) => 'denied: ' + (e.code ?? e.message)), new Promise((done) => setTimeout(done, 1000, 'did it: and waits'))]);
    }
    send(found);`);
}

const FACTS = `const descriptors = {};
  for (let fd = 0; fd < 64; fd++) { try { const s = fs.fstatSync(fd); descriptors[fd] = s.isSocket() ? 'socket' : s.isFIFO() ? 'pipe' : s.isFile() ? 'file' : s.isCharacterDevice() ? 'device' : s.isDirectory() ? 'folder' : 'event' } catch {} }
  send({ descriptors, environment: { ...process.env } });`;

async function run<Report = Outcomes>(command: SandboxCommand): Promise<Report> {
  const started = await ConfinedProcess.start(command);
  try {
    return await new Promise((done, fail) => {
      started.attach({ onFrame: (text) => done(JSON.parse(text) as Report), onFrameProblem: (problem) => fail(new Error(problem)) });
      started.send('{}');
      void started.ended.then(({ said, signal }) => fail(new Error(`it ended with ${signal}: ${said}`)));
    });
  } finally {
    started.kill();
    await started.ended;
    started.release();
  }
}

/** What a script sent, or the signal that ended it. */
async function endOf(command: SandboxCommand): Promise<string> {
  const started = await ConfinedProcess.start(command);
  const sent = new Promise<string>((done) => {
    started.attach({ onFrame: (text) => done(JSON.parse(text) as string), onFrameProblem: done });
    started.send('{}');
  });
  const said = await Promise.race([sent, started.ended.then(({ signal, code }) => `ended by ${signal ?? code}`)]);
  started.kill();
  await started.ended;
  started.release();
  return said;
}

/** Perl can make any system call and is part of every Debian; its frames are written by hand. */
function rawProgram(machine: Machine, { host, neighbour, folder }: Targets): { readonly words: readonly string[]; readonly files: readonly string[] } | undefined {
  const perl = machine.program('perl');
  if (perl === undefined || machine.architecture !== 'x64') return undefined;
  const libraries = [...execFileSync('ldd', [perl], { encoding: 'utf8' }).matchAll(/(\/\S+)/g)].map(([path]) => path);
  const script = `
    open(my $out, '+<&=', 3); binmode $out; $| = 1;
    sub frame { my $text = shift; syswrite($out, pack('V', length $text) . $text) }
    my ($host, $neighbour) = (${host}, ${neighbour});
    our ($buffer, $root, $tmpfs, $device) = ("\\0" x 256, "/", "tmpfs", "${folder}/device");
    my ($one, $zero, $mask, $limit) = (pack('l', 1), pack('L', 0), pack('Q', 1), pack('QQ', 4096, 4096));
    my $iov = pack('QQ', unpack('Q', pack('P', $buffer)), 8);
    frame('{"t":"ready"}'); my $head; sysread($out, $head, 4); my $body; sysread($out, $body, unpack('V', $head));
    my @found;
    sub note { my ($name, $result) = @_; my $code = $! + 0; push @found, '"' . $name . '":"' . ($result != -1 ? "did it: $result" : ($code == 14 || $code == 22) ? "did it: errno $code" : "denied: errno $code") . '"' }
    ${Object.entries(RAW).map(([name, call]) => `$! = 0; note('${name}', syscall(${call}));`).join('\n    ')}
    $! = 0; my $pid = fork(); if (defined $pid && $pid == 0) { exec '/bin/true' or syscall(60, 1) } note('start a program', defined $pid ? 0 : -1);
    frame('{' . join(',', @found) . '}'); sleep 5;`;
  const file = join(folder, 'raw.pl'); // `perl -e` would want /dev/null, which a root of its own has not
  writeFileSync(file, script, { mode: 0o644 });
  return { words: [perl, file], files: [perl, file, ...new Set(libraries)] };
}

/** A native module of somebody else's: any will do, here a copy of the sandbox's own. */
function addonPath(): string {
  const folder = dirname(createRequire(resolve(import.meta.dirname, '../../host/sandbox/confinement.ts')).resolve('isolated-vm'));
  const [found] = globSync(`prebuilds/linux-${process.arch}/*abi${process.versions.modules}*glibc*.node`, { cwd: folder });
  if (found === undefined) throw new Error('isolated-vm has no native module for this machine');
  return join(folder, found);
}

// --- What the sandbox should not reach ----------------------------------------------------------------------------------------------------------------------

async function listen(folder: string) {
  const arrived = { tcp: 0, udp: 0, unix: 0, abstract: 0 };
  const unix = join(folder, 'socket');
  const abstract = `gatehouse-breakout-${process.pid}`;
  const server = (kind: 'tcp' | 'unix' | 'abstract') => createServer((socket) => ((arrived[kind] += 1), socket.on('error', () => {}).destroy()));
  const [tcpServer, unixServer, abstractServer] = [server('tcp'), server('unix'), server('abstract')];
  await new Promise<void>((done) => tcpServer.listen(0, '127.0.0.1', done));
  await new Promise<void>((done) => unixServer.listen(unix, done));
  chmodSync(unix, 0o777);
  await new Promise<void>((done) => abstractServer.listen(`\0${abstract}`, done));
  const udpSocket = createSocket('udp4').on('message', () => (arrived.udp += 1));
  await new Promise<void>((done) => udpSocket.bind(0, '127.0.0.1', done));
  const { port } = tcpServer.address() as { port: number };
  return {
    arrived,
    addresses: { tcp: port, udp: udpSocket.address().port, unix, abstract },
    async [Symbol.asyncDispose]() {
      for (const each of [tcpServer, unixServer, abstractServer]) each.close();
      udpSocket.close();
    },
  };
}

console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '{}') as { bubblewrap: boolean })));
process.exit();
