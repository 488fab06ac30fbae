// Runs a list of system calls in a new process, the last of which usually replaces it by a program: what posix_spawn(3)
// does, with calls that it has no option for (the user, its groups, limits).
//
// Between clone and exec the child shares this process' memory while this process' thread waits, as after vfork(2). So
// nothing of Node or the C library runs in it, only the loop below, which takes the calls from memory that is ready before.
// (After a fork(2) nothing of Node could run either: V8 excludes its heap from the copy.)
//
// Owns: an arena of memory with the child's stack, and the calls and texts of one child at a time; the loop's code.
// CALLS-1: a call that fails ends the child, unless it is marked `mayFail`; so nothing after it happens.
// CALLS-2: no child holds this process up for long. Once a child has the user of a task, that user can stop it, and can delay
//   its exec by a lease of the program (fcntl(2)) or a file system of its own. Such a child is continued, and killed after a
//   time.
// Signals are blocked from before the clone until a call of the list unblocks them, so no handler of this process runs in
// the child.
import { err, ok, type Result } from '@meseta/base';
import { createChildWatchdog, START_TIMEOUT_MS } from './child-watchdog.js';
import * as libc from './libc.js';

/** A system call with up to six arguments: numbers, descriptors, or addresses of the arena. */
export interface Call {
  readonly name: CallName;
  readonly arguments: readonly (number | bigint)[];
  readonly mayFail?: boolean;
}

/** A processor: the numbers of Linux' calls (unistd.h), and the loop in its code. */
interface Machine {
  readonly numbers: Readonly<Record<CallName, number>>;
  readonly code: readonly number[];
}

const x64 = {
  numbers: {
    read: 0,
    write: 1,
    close: 3,
    rt_sigaction: 13,
    rt_sigprocmask: 14,
    exit: 60,
    execve: 59,
    fchdir: 81,
    chdir: 80,
    setsid: 112,
    setgroups: 116,
    setresuid: 117,
    setresgid: 119,
    capset: 126,
    pivot_root: 155,
    prctl: 157,
    mount: 165,
    umount2: 166,
    sethostname: 170,
    openat: 257,
    unshare: 272,
    dup3: 292,
    prlimit64: 302,
    setns: 308,
    execveat: 322,
    open_tree: 428,
    move_mount: 429,
    close_range: 436,
    openat2: 437,
    mount_setattr: 442,
  },
  // biome-ignore format: one instruction a line
  code: [
    0x48, 0x89, 0xfb,             //       mov rbx, rdi         the first call
    0x48, 0x8b, 0x03,             // next: mov rax, [rbx]       its number
    0x48, 0x8b, 0x7b, 0x08,       //       mov rdi, [rbx+8]     its arguments
    0x48, 0x8b, 0x73, 0x10,       //       mov rsi, [rbx+16]
    0x48, 0x8b, 0x53, 0x18,       //       mov rdx, [rbx+24]
    0x4c, 0x8b, 0x53, 0x20,       //       mov r10, [rbx+32]
    0x4c, 0x8b, 0x43, 0x28,       //       mov r8, [rbx+40]
    0x4c, 0x8b, 0x4b, 0x30,       //       mov r9, [rbx+48]
    0x0f, 0x05,                   //       syscall
    0x48, 0x8b, 0x4b, 0x38,       //       mov rcx, [rbx+56]    whether it may fail
    0x48, 0x89, 0x43, 0x38,       //       mov [rbx+56], rax    its result
    0x48, 0x83, 0xc3, 0x40,       //       add rbx, 64
    0x48, 0x85, 0xc0,             //       test rax, rax
    0x79, 0xd2,                   //       jns next
    0x48, 0x85, 0xc9,             //       test rcx, rcx
    0x75, 0xcd,                   //       jne next
    0xbf, 0x7e, 0x00, 0x00, 0x00, //       mov edi, 126
    0xb8, 0x3c, 0x00, 0x00, 0x00, //       mov eax, 60          exit
    0x0f, 0x05,                   //       syscall
    0x0f, 0x0b,                   //       ud2                  a filter of system calls forbids the exit
  ],
} as const;

export type CallName = keyof typeof x64.numbers;

const bytesOf = (words: readonly number[]): readonly number[] =>
  words.flatMap((word) => [word & 0xff, (word >> 8) & 0xff, (word >> 16) & 0xff, word >>> 24]);

const arm64: Machine = {
  numbers: {
    read: 63,
    write: 64,
    close: 57,
    rt_sigaction: 134,
    rt_sigprocmask: 135,
    exit: 93,
    execve: 221,
    fchdir: 50,
    chdir: 49,
    setsid: 157,
    setgroups: 159,
    setresuid: 147,
    setresgid: 149,
    capset: 91,
    pivot_root: 41,
    prctl: 167,
    mount: 40,
    umount2: 39,
    sethostname: 161,
    openat: 56,
    unshare: 97,
    dup3: 24,
    prlimit64: 261,
    setns: 268,
    execveat: 281,
    open_tree: 428,
    move_mount: 429,
    close_range: 436,
    openat2: 437,
    mount_setattr: 442,
  },
  // biome-ignore format: one instruction a line
  code: bytesOf([
    0xaa0003e9, //       mov  x9, x0           the first call
    0xf9400128, // next: ldr  x8, [x9]         its number
    0xa9408520, //       ldp  x0, x1, [x9, #8] its arguments
    0xa9418d22, //       ldp  x2, x3, [x9, #24]
    0xa9429524, //       ldp  x4, x5, [x9, #40]
    0xd4000001, //       svc  #0
    0xf9401d2a, //       ldr  x10, [x9, #56]   whether it may fail
    0xf9001d20, //       str  x0, [x9, #56]    its result
    0x91010129, //       add  x9, x9, #64
    0xb6ffff00, //       tbz  x0, #63, next
    0xb5fffeea, //       cbnz x10, next
    0xd2800fc0, //       mov  x0, #126
    0xd2800ba8, //       mov  x8, #93          exit
    0xd4000001, //       svc  #0
    0x00000000, //       udf  #0               a filter of system calls forbids the exit
  ]),
};

const machines: Readonly<Record<string, Machine>> = { x64, arm64 };

const PAGE_BYTES = 4096;
const STACK_BYTES = 64 * 1024;
/** More than the kernel takes (execve(2): at most 6 MiB). Pages that are not used take no memory. */
const ARENA_BYTES = 8 * 1024 * 1024;
const CALL_BYTES = 64;
const RESULT_OFFSET = 56;

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
const MAP_FAILED = 2n ** 64n - 1n;
const CLONE_VM = 0x100;
const CLONE_VFORK = 0x4000;
const CLONE_PARENT_SETTID = 0x100000;
const SIGCHLD = 17;
const SIG_SETMASK = 2;
/** sigset_t has 128 bytes in glibc and musl. */
const allSignals = new Uint8Array(128).fill(0xff);

/** Memory for the calls and texts of one child. */
export interface Arena {
  /** The address of a copy of the bytes. */
  bytes(content: Uint8Array): bigint;
  /** The address of a text that ends with NUL. */
  text(value: string): bigint;
  /** The address of an array of the addresses of texts, which ends with 0. */
  texts(values: readonly string[]): bigint;
  /** The memory at an address that was returned before. */
  at(address: bigint, bytes: number): Buffer;
}

export interface FinishedCalls {
  readonly pid: number;
  /** errno of each call: 0 if it succeeded or wasn't reached. */
  readonly errors: readonly number[];
}

export interface ChildCalls {
  /**
   * Runs the calls in a new process, until one that replaces it by a program. Returns then, or when the process has ended.
   * `plan` returns the calls; their texts are in the arena. A plan that is too large is an error. `namespaces`: those of
   * clone(2) that the process gets.
   */
  run(plan: (arena: Arena) => readonly Call[], namespaces?: number): Result<FinishedCalls, string>;
}

class TooLarge extends Error {}

const reserve = (bytes: number): bigint =>
  libc.mmap(BigInt(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE);

const failureOf = (what: string): string => `${what}: ${libc.strerror(libc.lastError())}`;

/** The machine's loop in executable memory, which is not writable. */
function placeCode({ code }: Machine): Result<bigint, string> {
  const address = reserve(PAGE_BYTES);
  if (address === MAP_FAILED) return err(failureOf('no memory for code'));
  Buffer.from(libc.memoryAt(address, PAGE_BYTES)).set(code);
  const isExecutable = libc.mprotect(address, BigInt(PAGE_BYTES), PROT_READ | PROT_EXEC) === 0;
  return isExecutable ? ok(address) : err(failureOf('no executable memory'));
}

function createArena(start: bigint, memory: Buffer): { readonly arena: Arena; reset(): void } {
  let used = 0;
  const take = (bytes: number): number => {
    const offset = used;
    used += (bytes + 7) & ~7;
    if (used > memory.length) throw new TooLarge();
    return offset;
  };
  const bytes = (content: Uint8Array): bigint => {
    const offset = take(content.length);
    memory.set(content, offset);
    return start + BigInt(offset);
  };
  const text = (value: string): bigint => {
    const size = Buffer.byteLength(value);
    const offset = take(size + 1);
    memory.write(value, offset);
    memory[offset + size] = 0;
    return start + BigInt(offset);
  };
  const arena: Arena = {
    bytes,
    text,
    texts(values) {
      const offset = take((values.length + 1) * 8);
      for (const [index, value] of values.entries()) memory.writeBigUInt64LE(text(value), offset + index * 8);
      memory.writeBigUInt64LE(0n, offset + values.length * 8);
      return start + BigInt(offset);
    },
    at: (address, length) => memory.subarray(Number(address - start), Number(address - start) + length),
  };
  const reset = (): void => {
    used = 0;
  };
  return { arena, reset };
}

function encodeCalls(calls: readonly Call[], { numbers }: Machine): Uint8Array {
  const words = new BigInt64Array((calls.length * CALL_BYTES) / 8);
  for (const [index, { name, arguments: values, mayFail }] of calls.entries()) {
    const first = (index * CALL_BYTES) / 8;
    words[first] = BigInt(numbers[name]);
    for (const [at, value] of values.entries()) words[first + 1 + at] = BigInt(value);
    words[first + RESULT_OFFSET / 8] = mayFail === true ? 1n : 0n;
  }
  return new Uint8Array(words.buffer);
}

/** The error number of a call: its result is the negative number. A call that was not reached keeps `mayFail` in that place. */
const errorAt = (memory: Buffer, index: number): number =>
  -Number(memory.readBigInt64LE(index * CALL_BYTES + RESULT_OFFSET));

/** The function that runs calls in a child, or why this machine can't. */
export function createChildCalls(): Result<ChildCalls, string> {
  const machine = machines[process.arch];
  if (machine === undefined) return err(`the processor ${process.arch} is none of ${Object.keys(machines).join(', ')}`);
  const code = placeCode(machine);
  if (!code.ok) return code;
  const start = reserve(STACK_BYTES + ARENA_BYTES);
  if (start === MAP_FAILED) return err(failureOf('no memory for children'));
  const first = start + BigInt(STACK_BYTES);
  const { arena, reset } = createArena(first, Buffer.from(libc.memoryAt(first, ARENA_BYTES)));
  const before = new Uint8Array(allSignals.length);
  const watchdog = createChildWatchdog();
  /** The child inherits the mask. */
  const clone = (calls: bigint, namespaces: number): number => {
    libc.sigprocmask(SIG_SETMASK, allSignals, before);
    const flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD | namespaces;
    const pid = libc.clone(code.value, first, flags, calls, watchdog.pidAddress);
    libc.sigprocmask(SIG_SETMASK, before, null);
    return pid;
  };
  return ok({
    run(plan, namespaces = 0) {
      reset();
      try {
        const calls = plan(arena);
        const encoded = encodeCalls(calls, machine);
        const address = arena.bytes(encoded);
        const { value: pid, wasKilled } = watchdog.guard(() => clone(address, namespaces));
        if (pid < 0) return err(failureOf('no new process'));
        if (wasKilled) {
          libc.collectChild(pid);
          return err(`the program was not started within ${START_TIMEOUT_MS} ms`);
        }
        const results = arena.at(address, encoded.length);
        return ok({ pid, errors: calls.map((_, index) => Math.max(0, errorAt(results, index))) });
      } catch (error) {
        if (!(error instanceof TooLarge)) throw error;
        return err(`arguments and environment: larger than ${ARENA_BYTES} bytes`);
      }
    },
  });
}
