// The walls around a sandbox process by name, what a set of them is called, and how few are too few. Used by confinement.ts, which finds out which there are; told by `doctor` and `status`.

/** One wall, outermost first; a level is named by the walls it has. */
export type Wall = 'netns' | 'pidns' | 'files' | 'rlimits' | 'uid' | 'nnp' | 'seccomp' | 'permission';

export const WALL_ORDER: readonly Wall[] = ['netns', 'pidns', 'files', 'rlimits', 'uid', 'nnp', 'seccomp', 'permission'];

export const WALLS: Readonly<Record<Wall, string>> = {
  netns: 'a network and IPC namespace of its own: no way to any network but its own loopback',
  pidns: 'a process namespace of its own: it sees, signals and traces no other process',
  files: 'a root of its own, read-only: nothing but Node, its libraries and the sandbox’s code',
  rlimits: 'resource limits: no core dumps, no files beyond 8 bytes, 64 descriptors, and 64 threads where it has its own uid',
  uid: 'a user id of its own, without groups or capabilities: it reads no private file and signals no other process',
  nnp: 'no new privileges, and SIGKILL when the host dies',
  seccomp: 'a list of allowed system calls: no sockets, no new processes, no tracing, no mounts, no executable memory',
  permission: "Node's permission model: no file beyond the sandbox's own code, no child process, no worker, no inspector",
};

/** What gives a wall where it is missing, for people who run the machine. */
export const PROVIDERS: Readonly<Record<Wall, string>> = {
  netns: 'unshare (util-linux) or bubblewrap, and root or unprivileged user namespaces',
  pidns: 'bubblewrap, and unprivileged user namespaces',
  files: 'bubblewrap, and unprivileged user namespaces',
  rlimits: 'prlimit (util-linux)',
  uid: 'root, setpriv (util-linux), and code that other users may read',
  nnp: 'setpriv (util-linux)',
  seccomp: 'bubblewrap, on x86-64',
  permission: 'Node.js 24',
};

export interface MissingWall {
  readonly wall: Wall;
  /** What the machine said when it was tried. */
  readonly why: string;
}

export interface ConfinementLevel {
  /** The walls, joined by `+`. */
  readonly name: string;
  readonly walls: readonly Wall[];
  readonly missing: readonly MissingWall[];
  /** For people: what holds a sandbox here, and what does not. */
  readonly explanation: string;
}

export function levelOf(walls: readonly Wall[], reasons: ReadonlyMap<Wall, string>): ConfinementLevel {
  const present = WALL_ORDER.filter((wall) => walls.includes(wall));
  const missing = WALL_ORDER.filter((wall) => !walls.includes(wall)).map((wall) => ({ wall, why: reasons.get(wall) ?? 'it was not tried' }));
  const has = `Sandboxes have ${present.map((wall) => WALLS[wall]).join('; ')}.`;
  const lacks = missing.map(({ wall, why }) => ` Without ${WALLS[wall]} (${why}).`).join('');
  return { name: present.join('+'), walls: present, missing, explanation: has + lacks };
}

/** What a code that broke out of V8 must still meet. The walls beyond these are better to have; without one of these the network or the host's own files are open to it. */
const MINIMUM: readonly Wall[] = ['netns', 'rlimits', 'nnp', 'permission'];

/** A reason why a level is less than what `strict` demands. */
export interface Weakness {
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
}

/** Empty when the level is enough: network namespace, resource limits, no new privileges, permission model, no just-in-time compiler, and another user where the host is root. */
export function weaknessesOf(level: ConfinementLevel, { jitless, isRoot }: { readonly jitless: boolean; readonly isRoot: boolean }): readonly Weakness[] {
  const demanded = isRoot ? [...MINIMUM, 'uid' as const] : MINIMUM;
  const gaps: Weakness[] = level.missing.filter(({ wall }) => demanded.includes(wall)).map(({ wall, why }) => ({ what: wall, why, remedy: PROVIDERS[wall] }));
  if (!jitless) gaps.push({ what: 'jitless', why: 'sandbox.jitless is false in manifests/host.json', remedy: 'sandbox.jitless true' });
  return gaps;
}
