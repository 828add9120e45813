// The system calls a sandbox may make, as a classic BPF program for seccomp(2). Built by command-line.ts, loaded by bubblewrap just before it executes Node.
//
// An allow list: what is not named answers ENOSYS, as an older kernel would, which libc and Node are written to live with. Numbers of x86-64
// (linux/arch/x86/entry/syscalls/syscall_64.tbl); other architectures number differently and get no filter until somebody can try one there.

/** What Node, V8 and libc need to start, to run one isolate, and to speak on descriptors they were given. No sockets, no processes, no writing opens. */
const ALLOWED: Readonly<Record<string, readonly number[]>> = {
  // read write close fstat lseek pread64 pwrite64 readv writev dup dup2 fcntl fadvise64 dup3 pipe2 close_range: descriptors it has
  descriptors: [0, 1, 3, 5, 8, 17, 18, 19, 20, 32, 33, 72, 221, 292, 293, 436],
  // stat lstat access getcwd readlink statfs fstatfs getdents64 newfstatat readlinkat faccessat statx faccessat2: looking at files
  looking: [4, 6, 21, 79, 89, 137, 138, 217, 262, 267, 269, 332, 439],
  // munmap brk mremap mincore madvise membarrier: memory
  memory: [11, 12, 25, 27, 28, 324],
  // futex set_tid_address set_robust_list get_robust_list rseq arch_prctl gettid getpid getppid sched_yield sched_getparam sched_getscheduler sched_getaffinity getpriority exit exit_group: threads
  threads: [202, 218, 273, 274, 334, 158, 186, 39, 110, 24, 143, 145, 204, 140, 60, 231],
  // nanosleep gettimeofday time clock_gettime clock_getres clock_nanosleep getcpu times: time
  time: [35, 96, 201, 228, 229, 230, 309, 100],
  // rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack kill tkill tgkill restart_syscall: signals, which reach nobody else where it has a process namespace or a user of its own
  signals: [13, 14, 15, 128, 131, 62, 200, 234, 219],
  // poll select epoll_wait epoll_ctl pselect6 ppoll epoll_pwait eventfd2 epoll_create1: waiting
  waiting: [7, 23, 232, 233, 270, 271, 281, 290, 291],
  // uname getrlimit getrusage sysinfo getuid getgid geteuid getegid capget prlimit64 getrandom: what it is and may (raising a limit needs a capability it has not)
  self: [63, 97, 98, 99, 102, 104, 107, 108, 125, 302, 318],
  // execve: bubblewrap becomes Node by it; afterwards there is nothing else to execute
  start: [59],
};

const [OPEN, MMAP, MPROTECT, IOCTL, CLONE, PRCTL, OPENAT] = [2, 9, 10, 16, 56, 157, 257];
const AUDIT_ARCH_X86_64 = 0xc000003e;
/** Numbers from here on belong to the x32 ABI, which would be another door to the same calls. */
const X32 = 0x40000000;

const PROT_WRITE_EXEC = 2 | 4;
const PROT_EXEC = 4;
const MAP_ANONYMOUS = 0x20;
/** O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, and O_TMPFILE's own bit. */
const OPEN_TO_WRITE = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000;
const CLONE_THREAD = 0x10000;
/** New mount, cgroup, UTS, IPC, user, process and network namespaces. */
const CLONE_NAMESPACES = 0x7e020000;
/** TCGETS, TIOCGWINSZ (is it a terminal?), FIONBIO, FIONCLEX, FIOCLEX. */
const IOCTLS = [0x5401, 0x5413, 0x5421, 0x5450, 0x5451];
/** PR_SET_NAME, PR_GET_NAME of threads, PR_SET_VMA, by which allocators name their memory. */
const PRCTLS = [15, 16, 0x53564d41];

const EPERM = 1;
const EACCES = 13;
const EINVAL = 22;
const ENOTTY = 25;
const ENOSYS = 38;

/** The program, or undefined where this file does not know the numbers. With a JIT, memory may become executable; else only files can be. */
export function syscallFilter({ architecture, jitless }: { readonly architecture: string; readonly jitless: boolean }): Buffer | undefined {
  if (architecture !== 'x64') return undefined;
  const program = [load(ARCH), jumpIfEqual(AUDIT_ARCH_X86_64, 1, 0), KILL, load(NUMBER), jumpIfAtLeast(X32, 0, 1), refuse(ENOSYS)];
  for (const number of Object.values(ALLOWED).flat()) program.push(...when(number, [ALLOW]));
  program.push(
    ...when(OPEN, [load(argument(1)), jumpIfAnyBit(OPEN_TO_WRITE, 0, 1), refuse(EACCES), ALLOW]),
    ...when(OPENAT, [load(argument(2)), jumpIfAnyBit(OPEN_TO_WRITE, 0, 1), refuse(EACCES), ALLOW]),
    // A thread, never a process, and never a namespace.
    ...when(CLONE, [load(argument(0)), and(CLONE_THREAD | CLONE_NAMESPACES), jumpIfEqual(CLONE_THREAD, 0, 1), ALLOW, refuse(EPERM)]),
    ...when(IOCTL, [load(argument(1)), ...IOCTLS.flatMap((request) => when(request, [ALLOW])), refuse(ENOTTY)]),
    ...when(PRCTL, [load(argument(0)), ...PRCTLS.flatMap((option) => when(option, [ALLOW])), refuse(EINVAL)]),
    ...when(MPROTECT, jitless ? [load(argument(2)), jumpIfAnyBit(PROT_EXEC, 0, 1), refuse(EACCES), ALLOW] : [ALLOW]),
    ...when(MMAP, jitless ? NO_CODE_BUT_FROM_FILES : [ALLOW]),
    refuse(ENOSYS),
  );
  return Buffer.concat(program);
}

// --- Classic BPF, as in linux/filter.h: { u16 code, u8 jumpTrue, u8 jumpFalse, u32 value } ----------------------------------------------------------------

function instruction(code: number, value: number, jumpTrue = 0, jumpFalse = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(jumpTrue, 2);
  bytes.writeUInt8(jumpFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}

/** Offsets into struct seccomp_data. */
const NUMBER = 0;
const ARCH = 4;
/** The low half of an argument: flags and requests fit in it. */
const argument = (index: number) => 16 + 8 * index;

const load = (offset: number) => instruction(0x20, offset); // LD W ABS
const and = (mask: number) => instruction(0x54, mask); // ALU AND K
const jumpIfEqual = (value: number, yes: number, no: number) => instruction(0x15, value, yes, no); // JMP JEQ K
const jumpIfAtLeast = (value: number, yes: number, no: number) => instruction(0x35, value, yes, no); // JMP JGE K
const jumpIfAnyBit = (mask: number, yes: number, no: number) => instruction(0x45, mask, yes, no); // JMP JSET K
const ALLOW = instruction(0x06, 0x7fff0000); // RET SECCOMP_RET_ALLOW
const KILL = instruction(0x06, 0x80000000); // RET SECCOMP_RET_KILL_PROCESS
const refuse = (errno: number) => instruction(0x06, 0x00050000 | errno); // RET SECCOMP_RET_ERRNO

/** What to do when the loaded word equals `value`; the body must return, for it may load another word. */
const when = (value: number, body: readonly Buffer[]) => [jumpIfEqual(value, 0, body.length), ...body];

/** Memory that is executable must come from a file, and must not be writable at the same time. */
const NO_CODE_BUT_FROM_FILES = [
  load(argument(2)),
  jumpIfAnyBit(PROT_EXEC, 1, 0),
  ALLOW,
  and(PROT_WRITE_EXEC),
  jumpIfEqual(PROT_WRITE_EXEC, 3, 0),
  load(argument(3)),
  jumpIfAnyBit(MAP_ANONYMOUS, 1, 0),
  ALLOW,
  refuse(EACCES),
];
