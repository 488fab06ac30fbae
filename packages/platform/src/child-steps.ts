// The system calls by which a new process becomes a program: its signals, record, streams, limits and user.
import { constants } from 'node:fs';
import type { ChildRequest } from '@meseta/base';
import {
  administrationSteps,
  boundingSteps,
  capabilitySteps,
  keepCapabilitiesStep,
  keepsAdministration,
  noNewPrivilegesStep,
} from './capability-steps.js';
import type { Arena, Call } from './child-calls.js';
import * as libc from './libc.js';

const { O_RDONLY, O_RDWR, O_WRONLY } = constants;
const SIGNALS = 64;
const SIG_IGN = 1;
const SIG_SETMASK = 2;
const MAX_DESCRIPTOR = 0xffffffff;
/** The exit status of a shell for a program that it can't execute. */
export const NOT_EXECUTABLE = 126;
/** The kernel's sigset_t, and its struct sigaction. */
const SIGNAL_SET_BYTES = 8;
const SIGACTION_BYTES = 32;
const AT_FDCWD = -100;
/** More than a line of /proc/PID/stat. */
const RECORD_BYTES = 512;
const RECORD_PREFIX = 'first ';
const RLIM_INFINITY = 2n ** 64n - 1n;
/** execvp of glibc without PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/** undefined: a terminal, which the child opens. */
export type Streams = readonly [stdin: number, stdout: number, stderr: number] | undefined;

/** A call, and what failed if it fails. */
export type Step = Call & { readonly what: string };

/** CHILDREN-1: Node ignores some signals and handles others. `ignored`: a signal that the child ignores. */
export function signalSteps(arena: Arena, ignored?: number): readonly Step[] {
  const defaultAction = arena.bytes(new Uint8Array(SIGACTION_BYTES));
  const handler = new Uint8Array(SIGACTION_BYTES);
  handler[0] = SIG_IGN;
  const ignore = arena.bytes(handler);
  const steps: Step[] = [];
  for (let signal = 1; signal <= SIGNALS; signal++) {
    const values = [signal, signal === ignored ? ignore : defaultAction, 0, SIGNAL_SET_BYTES];
    // SIGKILL and SIGSTOP have no handler.
    steps.push({ name: 'rt_sigaction', arguments: values, mayFail: true, what: 'reset the signals' });
  }
  return steps;
}

/** Appends `first` and the child's line of /proc/self/stat, before the child does anything else. `line`: the memory of both. */
export function recordSteps(
  arena: Arena,
  record: number | undefined,
): { readonly steps: readonly Step[]; readonly line: Buffer } {
  if (record === undefined) return { steps: [], line: Buffer.alloc(0) };
  const text = Buffer.alloc(RECORD_BYTES, '\n');
  const prefix = text.write(RECORD_PREFIX);
  const address = arena.bytes(text);
  const what = 'write its record';
  const steps: readonly Step[] = [
    { name: 'close', arguments: [0], what },
    // The lowest free descriptor, 0.
    { name: 'openat', arguments: [AT_FDCWD, arena.text('/proc/self/stat'), O_RDONLY, 0], what },
    { name: 'read', arguments: [0, address + BigInt(prefix), RECORD_BYTES - prefix - 1], what },
    { name: 'write', arguments: [record, address, RECORD_BYTES], what },
  ];
  return { steps, line: arena.at(address, RECORD_BYTES) };
}

/** The child's line of /proc/self/stat in its record. */
export const statIn = (record: Buffer): string => record.toString('latin1', RECORD_PREFIX.length).trimEnd();

/** CHILDREN-5. The number 0 is the process that writes it (the kernel's admin-guide/cgroup-v2, Processes). */
export function cgroupSteps(arena: Arena, { cgroups }: ChildRequest, descriptors: readonly number[]): readonly Step[] {
  const self = arena.text('0');
  return descriptors.map((descriptor, index) => ({
    name: 'write',
    arguments: [descriptor, self, 1],
    what: `join the cgroup ${cgroups[index]}`,
  }));
}

/** Sets how readily the kernel kills the child, and all that it starts, when the machine has no memory left. */
export function oomScoreSteps(arena: Arena, { oomScoreAdjustment }: ChildRequest): readonly Step[] {
  if (oomScoreAdjustment === undefined) return [];
  const text = String(oomScoreAdjustment);
  const what = 'set oom_score_adj';
  return [
    { name: 'close', arguments: [0], what },
    // The lowest free descriptor, 0.
    { name: 'openat', arguments: [AT_FDCWD, arena.text('/proc/self/oom_score_adj'), O_WRONLY, 0], what },
    { name: 'write', arguments: [0, arena.text(text), text.length], what },
  ];
}

/** A session that has no terminal gets the first one that its leader opens (tty_ioctl(4)). */
export function streamSteps(arena: Arena, streams: Streams, terminal: string | undefined): readonly Step[] {
  const what = 'set its streams';
  const set = (from: number, to: number): Step => ({ name: 'dup3', arguments: [from, to, 0], what });
  if (streams !== undefined) return streams.map(set);
  return [
    { name: 'close', arguments: [0], what },
    { name: 'openat', arguments: [AT_FDCWD, arena.text(terminal ?? '/dev/null'), O_RDWR, 0], what },
    set(0, 1),
    set(0, 2),
  ];
}

/** CHILDREN-3: limits are raised, and capabilities limited, before the user is given up. */
export function identitySteps(
  arena: Arena,
  { user, limits, linux }: ChildRequest,
  capabilityCount: number,
): readonly Step[] {
  const capabilities = linux?.capabilities;
  const isRoot = user === undefined || user.uid === 0;
  const keepsAdmin = linux !== undefined && keepsAdministration(linux);
  // Root has it in any case.
  const [keeping, kept] = keepsAdmin && !isRoot ? [[keepCapabilitiesStep()], administrationSteps(arena)] : [[], []];
  return [
    ...limits.map(({ resource, soft, hard }): Step => {
      const value = arena.bytes(bytesOf(BigUint64Array.of(limitValue(soft), limitValue(hard))));
      return { name: 'prlimit64', arguments: [0, resource, value, 0], what: `set the limit ${resource}` };
    }),
    ...(capabilities === undefined ? keeping : boundingSteps(capabilities, capabilityCount)),
    ...(user === undefined ? [] : userSteps(arena, user)),
    ...(capabilities === undefined ? kept : capabilitySteps(arena, capabilities, isRoot, keepsAdmin)),
    ...(linux?.noNewPrivileges === true ? [noNewPrivilegesStep()] : []),
  ];
}

function userSteps(arena: Arena, { uid, groups }: NonNullable<ChildRequest['user']>): readonly Step[] {
  const gid = groups[0] ?? uid;
  const list = arena.bytes(bytesOf(Uint32Array.from(groups)));
  return [
    { name: 'setgroups', arguments: [groups.length, list], what: `set the groups of the user ${uid}` },
    { name: 'setresgid', arguments: [gid, gid, gid], what: `become the group ${gid}` },
    { name: 'setresuid', arguments: [uid, uid, uid], what: `become the user ${uid}` },
  ];
}

/** Like execvp, in the PATH of the new environment. CHILDREN-4: the environment appears here only. */
export function programSteps(arena: Arena, request: ChildRequest): readonly Step[] {
  const { program, argv } = request;
  const environment = arena.texts(Object.entries(request.environment).map(([name, value]) => `${name}=${value}`));
  const words = arena.texts(argv);
  const what = `execute ${program}`;
  return pathsOf(request).map((path) => ({
    name: 'execve',
    arguments: [arena.text(path), words, environment],
    mayFail: true,
    what,
  }));
}

/** Where a program may be, in the order in which execvp tries them. */
export function pathsOf({ program, environment }: ChildRequest): readonly string[] {
  if (program.includes('/')) return [program];
  const directories = (environment['PATH'] ?? DEFAULT_PATH).split(':');
  return directories.map((directory) => `${directory === '' ? '.' : directory}/${program}`);
}

/** The last calls of a child: it closes its descriptors from `firstClosed` on, and executes its program. */
export const executionSteps = (arena: Arena, firstClosed: number, executing: readonly Step[]): readonly Step[] => [
  // Linux 5.9. Without it the descriptors are closed by their O_CLOEXEC.
  { name: 'close_range', arguments: [firstClosed, MAX_DESCRIPTOR, 0], mayFail: true, what: 'close descriptors' },
  {
    name: 'rt_sigprocmask',
    arguments: [SIG_SETMASK, arena.bytes(new Uint8Array(SIGNAL_SET_BYTES)), 0, SIGNAL_SET_BYTES],
    what: 'unblock signals',
  },
  ...executing,
  // It fails where a filter of system calls forbids it.
  { name: 'exit', arguments: [NOT_EXECUTABLE], what: executing.at(-1)?.what ?? 'end' },
];

/** Which call ended the child; undefined: none did. */
export function failureOf(steps: readonly Step[], errors: readonly number[]): string | undefined {
  const failed = steps.findIndex(({ mayFail }, index) => mayFail !== true && errors[index] !== 0);
  return failed < 0 ? undefined : `Failed to ${steps[failed]?.what}: ${libc.strerror(errors[failed] ?? 0)}`;
}

const limitValue = (value: number | undefined): bigint => (value === undefined ? RLIM_INFINITY : BigInt(value));

const bytesOf = (words: Uint32Array | BigUint64Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
