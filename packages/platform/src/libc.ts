// The functions of the C library that Node has no interface to, called through koffi. The supervisor, the helper process of
// images and an agent with network/cni load this module; a master and other agents do not.
//
// Boundary: results are the C functions' own; `lastError` has the reason of a failure, with which `checked` throws. Addresses
// are bigints.
import { constants } from 'node:os';
import koffi from 'koffi';
import { Refused } from './system-results.js';

/** The C library that the process has loaded already (glibc or musl). */
const library = koffi.load(null);

const define = <T extends (...values: never[]) => unknown>(declaration: string): T =>
  library.func(declaration) as unknown as T;

type Numbers = (...values: number[]) => number;

export const clone: (code: bigint, stack: bigint, flags: number, argument: bigint, pid: bigint) => number = define(
  'int clone(uintptr_t code, uintptr_t stack, int flags, uintptr_t argument, uintptr_t pid)',
);
export const waitpid: (pid: number, status: Int32Array, options: number) => number = define(
  'int waitpid(int pid, void *status, int options)',
);
/** Waits until a child has ended, and collects it. */
export const collectChild = (pid: number): number => waitpid(pid, new Int32Array(1), 0);
/** koffi returns a number where it fits. */
const mapMemory: (...values: (number | bigint)[]) => number | bigint = define(
  'uintptr_t mmap(uintptr_t, size_t bytes, int protection, int flags, int descriptor, int64_t offset)',
);
/** New memory that no file is behind. */
export const mmap = (bytes: bigint, protection: number, flags: number): bigint =>
  BigInt(mapMemory(0, bytes, protection, flags, -1, 0));
export const mprotect: (at: bigint, bytes: bigint, protection: number) => number = define(
  'int mprotect(uintptr_t, size_t bytes, int protection)',
);
export const prctl: Numbers = define('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
/** With an integer as argument, as all commands used here have. */
export const fcntl: Numbers = define('int fcntl(int descriptor, int command, int argument)');
export const flock: Numbers = define('int flock(int descriptor, int operation)');
/** With an array as argument, as all requests used here have. */
export const ioctl: (descriptor: number, request: number, argument: Uint16Array) => number = define(
  'int ioctl(int descriptor, unsigned long request, void *argument)',
);
export const pipe2: (ends: Int32Array, flags: number) => number = define('int pipe2(void *ends, int flags)');
export const sigprocmask: (how: number, mask: Uint8Array, before: Uint8Array | null) => number = define(
  'int sigprocmask(int how, void *mask, void *before)',
);
export const getsockopt: (
  descriptor: number,
  level: number,
  option: number,
  value: Int32Array,
  size: Int32Array,
) => number = define('int getsockopt(int, int, int, void *value, void *size)');
export const unlockpt: Numbers = define('int unlockpt(int descriptor)');
export const ptsname_r: (descriptor: number, name: Uint8Array, size: bigint) => number = define(
  'int ptsname_r(int descriptor, void *name, size_t size)',
);
export const setns: Numbers = define('int setns(int descriptor, int kind)');
export const unshare: Numbers = define('int unshare(int kinds)');
export const mount: (source: string, target: string, type: string | null, flags: number, data: null) => number = define(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)',
);
export const umount2: (target: string, flags: number) => number = define('int umount2(const char *target, int flags)');
export const socket: Numbers = define('int socket(int family, int type, int protocol)');
export const memfd_create: (name: string, flags: number) => number = define(
  'int memfd_create(const char *name, unsigned int flags)',
);
export const mknod: (path: string, mode: number, device: number) => number = define(
  'int mknod(const char *path, unsigned int mode, uint64_t device)',
);

/** Calls that older C libraries have no function for; their numbers are the same on all processors. */
const SYS_OPEN_TREE = 428;
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const SYS_PIDFD_OPEN = 434;
const SYS_OPENAT2 = 437;
const SYS_MOUNT_SETATTR = 442;

const callWithPath: (call: number, descriptor: number, path: string, flags: number) => number = define(
  'int syscall(long call, long descriptor, const char *path, long flags)',
);
const callWithText: (call: number, text: string, flags: number) => number = define(
  'int syscall(long call, const char *text, long flags)',
);
const callWithNumbers: (call: number, first: number, second: number, third: number) => number = define(
  'int syscall(long call, long first, long second, long third)',
);
const callWithTexts: (
  call: number,
  descriptor: number,
  command: number,
  key: string | null,
  value: string | null,
  more: number,
) => number = define('int syscall(long call, long, long, const char *key, const char *value, long more)');
const callWithStruct: (call: number, descriptor: number, path: string, struct: Uint8Array, bytes: number) => number =
  define('int syscall(long call, long descriptor, const char *path, void *struct_, long bytes)');
const callWithFlagsAndStruct: (
  call: number,
  descriptor: number,
  path: string,
  flags: number,
  struct: Uint8Array,
  bytes: number,
) => number = define('int syscall(long, long descriptor, const char *path, long flags, void *struct_, long bytes)');

export const open_tree = (descriptor: number, path: string, flags: number): number =>
  callWithPath(SYS_OPEN_TREE, descriptor, path, flags);
export const fsopen = (type: string, flags: number): number => callWithText(SYS_FSOPEN, type, flags);
export const fsconfig = (descriptor: number, command: number, key: string | null, value: string | null): number =>
  callWithTexts(SYS_FSCONFIG, descriptor, command, key, value, 0);
export const fsmount = (descriptor: number, flags: number, attributes: number): number =>
  callWithNumbers(SYS_FSMOUNT, descriptor, flags, attributes);
export const pidfd_open = (pid: number): number => callWithNumbers(SYS_PIDFD_OPEN, pid, 0, 0);
export const openat2 = (descriptor: number, path: string, how: Uint8Array): number =>
  callWithStruct(SYS_OPENAT2, descriptor, path, how, how.length);
export const mount_setattr = (descriptor: number, path: string, flags: number, attributes: Uint8Array): number =>
  callWithFlagsAndStruct(SYS_MOUNT_SETATTR, descriptor, path, flags, attributes, attributes.length);

const callWithAttributes: (call: number, command: number, attributes: Uint8Array, bytes: number) => number = define(
  'int syscall(long call, long command, void *attributes, long bytes)',
);
/** Its number differs by processor (unistd.h). */
const SYS_BPF = process.arch === 'x64' ? 321 : 280;
export const bpf = (command: number, attributes: Uint8Array): number =>
  callWithAttributes(SYS_BPF, command, attributes, attributes.length);

const copyMemory: (to: Int32Array, from: Int32Array, bytes: number) => number | bigint = define(
  'uintptr_t memcpy(void *to, void *from, size_t bytes)',
);
/** The address of an array, valid as long as the array exists. */
export const addressOf = (numbers: Int32Array): bigint => BigInt(copyMemory(numbers, numbers, 0));

export const strerror: (error: number) => string = define('const char *strerror(int error)');

type Bytes = Uint8Array;

/** Paths and names are bytes that end with NUL. */
export const openat: (at: number, path: Bytes, flags: number, mode: number) => number = define(
  'int openat(int at, void *path, int flags, unsigned int mode)',
);
export const mkdirat: (at: number, path: Bytes, mode: number) => number = define(
  'int mkdirat(int at, void *path, unsigned int mode)',
);
export const mknodat: (at: number, path: Bytes, mode: number, device: number) => number = define(
  'int mknodat(int at, void *path, unsigned int mode, uint64_t device)',
);
export const symlinkat: (target: Bytes, at: number, path: Bytes) => number = define(
  'int symlinkat(void *target, int at, void *path)',
);
export const linkat: (fromAt: number, from: Bytes, at: number, path: Bytes, flags: number) => number = define(
  'int linkat(int fromAt, void *from, int at, void *path, int flags)',
);
export const unlinkat: (at: number, path: Bytes, flags: number) => number = define(
  'int unlinkat(int at, void *path, int flags)',
);
export const fchownat: (at: number, path: Bytes, uid: number, gid: number, flags: number) => number = define(
  'int fchownat(int at, void *path, unsigned int uid, unsigned int gid, int flags)',
);
export const fchmodat: (at: number, path: Bytes, mode: number, flags: number) => number = define(
  'int fchmodat(int at, void *path, unsigned int mode, int flags)',
);
export const utimensat: (at: number, path: Bytes, times: Bytes, flags: number) => number = define(
  'int utimensat(int at, void *path, void *times, int flags)',
);
export const fchown: Numbers = define('int fchown(int descriptor, unsigned int uid, unsigned int gid)');
export const fchmod: Numbers = define('int fchmod(int descriptor, unsigned int mode)');
export const futimens: (descriptor: number, times: Bytes) => number = define(
  'int futimens(int descriptor, void *times)',
);
/** Writes to the disk what the file system of the descriptor has in memory. */
export const syncfs: (descriptor: number) => number = define('int syncfs(int descriptor)');
export const fsetxattr: (descriptor: number, name: Bytes, value: Bytes, size: number, flags: number) => number = define(
  'int fsetxattr(int descriptor, void *name, void *value, size_t size, int flags)',
);
export const lsetxattr: (path: Bytes, name: Bytes, value: Bytes, size: number, flags: number) => number = define(
  'int lsetxattr(void *path, void *name, void *value, size_t size, int flags)',
);
export const lgetxattr: (path: Bytes, name: Bytes, value: Bytes, size: number) => number = define(
  'intptr_t lgetxattr(void *path, void *name, void *value, size_t size)',
);
export const llistxattr: (path: Bytes, list: Bytes, size: number) => number = define(
  'intptr_t llistxattr(void *path, void *list, size_t size)',
);

/** errno of the last failed call. */
export const lastError = (): number => koffi.errno();

/** The result of a call, or why it failed. */
export function checked(result: number, what: string): number {
  if (result >= 0) return result;
  throw new Refused(`${what}: ${strerror(lastError())}`);
}

/** The memory at an address. */
export const memoryAt = (address: bigint, bytes: number): ArrayBuffer => koffi.view(address, bytes);

export const { errno } = constants;
