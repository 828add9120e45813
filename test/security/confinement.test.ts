// Code that runs directly in a sandbox process, as if it had escaped the isolate, then Node, then JavaScript: which wall denies what, and what no wall of a level denies.
// As root and as an ordinary user, with bubblewrap (where it is installed) and without; what could not be exercised here is said.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { thisMachine } from '../../host/sandbox/machine.ts';
import type { Wall } from '../../host/sandbox/walls.ts';
import type { BreakoutReport, Outcomes } from '../support/breakout.ts';
import { readableByAnyone } from '../support/readable.ts';

/** Who denies an attempt: any one of these walls. `ordinary` stands for not being root, by a user of its own or because the host is none; `user namespace` for one that is not the host's. */
type Denier = Wall | 'ordinary' | 'user namespace';

const FILES: readonly Denier[] = ['permission', 'files'];
const SOCKETS: readonly Denier[] = ['netns', 'seccomp'];
const PROCESSES: readonly Denier[] = ['uid', 'pidns', 'seccomp'];

const JAVASCRIPT: Readonly<Record<string, readonly Denier[]>> = {
  'read /etc/passwd': FILES,
  'read the repository': FILES,
  'read a private file of the host': [...FILES, 'uid'],
  'read a file anyone may read': FILES,
  'list the home of root': [...FILES, 'ordinary'],
  'read the environment of the host': [...FILES, 'uid', 'pidns', 'user namespace'],
  'open the memory of the host': [...FILES, 'uid', 'pidns', 'user namespace'],
  'read the maps of a neighbour': [...FILES, 'uid', 'pidns', 'user namespace'],
  'open the memory of a neighbour': [...FILES, 'uid', 'pidns', 'user namespace'],
  'list the descriptors of a neighbour': [...FILES, 'uid', 'pidns'],
  'read the command line of the host': FILES,
  'create a file': [...FILES, 'seccomp'],
  'create shared memory': [...FILES, 'seccomp'],
  'remove a file of the host': [...FILES, 'uid', 'seccomp'],
  'connect to a TCP port of the host': SOCKETS,
  'send UDP to the host': SOCKETS,
  'ask a name server': SOCKETS,
  'connect to a socket file of the host': ['files', 'seccomp'], // not Node's permission model, and not a network namespace
  'connect to an abstract socket of the host': SOCKETS,
  'start a program': ['permission', 'files', 'seccomp'],
  'start a worker': ['permission'], // a thread of a process that is confined as a whole
  'take a binding': ['permission'],
  'load an addon from elsewhere': ['files'], // --allow-addons is needed for isolated-vm and knows no path
  'signal the host': PROCESSES,
  'signal a neighbour': PROCESSES,
  'become root': ['ordinary', 'seccomp'],
  'change the priority of the host': PROCESSES,
  'raise its own priority': ['ordinary', 'seccomp'],
};

const KERNEL: readonly Denier[] = ['ordinary', 'seccomp'];
const SYSCALL: readonly Denier[] = ['seccomp'];

const RAW: Readonly<Record<string, readonly Denier[]>> = {
  'trace the host': [...PROCESSES, 'user namespace'],
  'trace a neighbour': [...PROCESSES, 'user namespace'],
  'read the memory of the host': [...PROCESSES, 'user namespace'],
  'write the memory of a neighbour': [...PROCESSES, 'user namespace'],
  'signal the host': PROCESSES,
  'signal everybody': ['pidns'],
  'change the priority of the host': PROCESSES,
  'pin the host to a processor': PROCESSES,
  'become real-time': KERNEL,
  'change a limit of the host': PROCESSES,
  'raise its own limit of descriptors': KERNEL,
  'allow itself core dumps': KERNEL,
  'become root': SYSCALL, // an ordinary user meets EPERM or EINVAL, by whether it has a user namespace
  'join a group': KERNEL,
  'make a network namespace': KERNEL,
  'make a mount namespace': KERNEL,
  'change its root': KERNEL,
  mount: KERNEL,
  unmount: KERNEL,
  'make a device': KERNEL,
  'open by handle': SYSCALL,
  'make an internet socket': SYSCALL,
  'make a packet socket': KERNEL,
  'make a netlink socket': SYSCALL,
  'make a socket to the hypervisor': SYSCALL, // vsock knows no namespaces
  'make a crypto socket': SYSCALL,
  'make a socket pair': SYSCALL,
  'make a file in memory': SYSCALL,
  'map memory to write and execute': SYSCALL,
  'load a program into the kernel': SYSCALL,
  'watch performance': SYSCALL,
  'use the key ring': SYSCALL,
  'handle page faults of others': SYSCALL,
  'set up a ring': SYSCALL,
  'load a kernel module': KERNEL,
  'load another kernel': KERNEL,
  'restart the machine': KERNEL,
  'read the kernel log': SYSCALL,
  'name the machine': KERNEL,
  'turn off randomisation': SYSCALL,
  'account for processes': KERNEL,
  'make a user namespace': SYSCALL,
  'start a program': SYSCALL,
};

const machine = thisMachine();
const wrapped = machine.program('bwrap') !== undefined;

const SCENES: readonly { readonly who: string; readonly bubblewrap: boolean; readonly ordinary: boolean; readonly cannot: string | undefined }[] = [false, true].flatMap((bubblewrap) =>
  [false, true].map((ordinary) => ({
    who: `${ordinary === machine.isRoot ? 'an ordinary user' : 'the host’s own user'}, ${bubblewrap ? 'with' : 'without'} bubblewrap`,
    bubblewrap,
    ordinary,
    cannot: bubblewrap && !wrapped ? 'bubblewrap is not installed' : ordinary && !machine.isRoot ? 'only root can become another user' : ordinary && !readableByAnyone(resolve('test/support/breakout.ts')) ? 'the checkout lies in a folder that other users may not enter' : undefined,
  })),
);

for (const { who, bubblewrap, ordinary, cannot } of SCENES) {
  if (cannot !== undefined) console.error(`confinement not exercised as ${who}: ${cannot}`);
  describe.skipIf(cannot !== undefined)(`confinement as ${who}`, () => {
    let report: Promise<BreakoutReport>;
    beforeAll(async () => {
      report = breakOut({ bubblewrap, ordinary });
      await report;
    });

    it('denies what its walls are for, to code that left the isolate', async () => {
      const { leftIsolate, ...seen } = await report;
      expect(undenied(seen, leftIsolate, JAVASCRIPT)).toEqual([]);
    });

    it('denies what the operating system’s walls are for, to code that left Node', async () => {
      const { leftNode, ...seen } = await report;
      expect(undenied(seen, leftNode, JAVASCRIPT, ['permission'])).toEqual([]);
    });

    it('denies raw system calls by user, namespace and list', async (context) => {
      const { rawCalls, ...seen } = await report;
      expect(undenied(seen, rawCalls ?? context.skip('no perl here, or no x86-64'), RAW)).toEqual([]);
    });

    it('lets nothing arrive at servers of the host, but at socket files where files are not walled', async () => {
      const { arrived, level } = await report;
      expect(arrived).toEqual({ tcp: 0, udp: 0, unix: level.walls.includes('files') ? 0 : 2, abstract: 0 });
    });

    it('gives birth to a process with five descriptors, an empty environment, and no room to write', async () => {
      const { descriptors, environment, largeFile, level } = await report;
      const given = Object.entries(descriptors).filter(([, kind]) => !['event', 'pipe'].includes(kind)); // what Node makes for itself
      expect(given).toEqual([['0', 'device'], ['1', 'device'], ['2', 'socket'], ['3', 'socket'], ['4', 'file']]);
      expect({ PWD: '/', ...environment }).toEqual({ TZ: 'UTC', LC_ALL: 'C', PWD: '/' });
      expect(largeFile).toMatch(level.walls.includes('files') ? /^(EACCES|ENOENT|EROFS)$/ : level.walls.includes('rlimits') ? /^EFBIG$/ : /./);
    });

    it('is told with what it does not deny', async () => {
      const { level, leftIsolate, leftNode, rawCalls } = await report;
      console.error(`confinement as ${who}: ${level.name}\n  left the isolate: ${open(leftIsolate).join(', ') || 'nothing'}\n  left Node: ${open(leftNode).join(', ') || 'nothing'}\n  raw calls: ${rawCalls ? open(rawCalls).join(', ') || 'nothing' : 'not tried'}`);
      expect(level.walls).toEqual(expect.arrayContaining(bubblewrap ? ['pidns', 'files'] : ['permission']));
    });
  });
}

function breakOut({ bubblewrap, ordinary }: { readonly bubblewrap: boolean; readonly ordinary: boolean }): Promise<BreakoutReport> {
  return new Promise((done, fail) => {
    const user = ordinary ? { uid: 65_534, gid: 65_534 } : {};
    execFile(process.execPath, [resolve('test/support/breakout.ts'), JSON.stringify({ bubblewrap })], { ...user, cwd: '/', env: { PATH: process.env.PATH ?? '' }, timeout: 60_000, maxBuffer: 2 ** 20 }, (error, stdout, stderr) => {
      if (error) fail(new Error(`${error.message}\n${stderr}`));
      else done(JSON.parse(stdout) as BreakoutReport);
    });
  });
}

/** Attempts that a wall of this level should have denied and did not. */
function undenied({ level, isRoot }: Pick<BreakoutReport, 'level' | 'isRoot'>, outcomes: Outcomes, deniers: Readonly<Record<string, readonly Denier[]>>, gone: readonly Wall[] = []): string[] {
  const stands = (denier: Denier) => {
    if (denier === 'ordinary') return !isRoot || level.walls.includes('uid');
    if (denier === 'user namespace') return level.walls.includes('pidns') || (!isRoot && level.walls.includes('netns'));
    return level.walls.includes(denier) && !gone.includes(denier);
  };
  expect(Object.keys(outcomes).toSorted()).toEqual(Object.keys(deniers).toSorted());
  return open(outcomes).filter((name) => deniers[name]?.some(stands)).map((name) => `${name}: ${outcomes[name]}`);
}

const open = (outcomes: Outcomes) => Object.entries(outcomes).filter(([, outcome]) => !outcome.startsWith('denied')).map(([name]) => name);
