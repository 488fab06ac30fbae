// The port ChildProcesses on Linux: starts a process with the system calls that turn it into a program (child-calls.ts), and
// collects the exact status of every child.
//
// Owns: the children of this process; no other module waits for one. It adopts the orphans of their children
// (PR_SET_CHILD_SUBREAPER).
// Boundary: descriptors of this process are closed at an exec (Node opens all with O_CLOEXEC; descriptors.ts closes those
// that were inherited).
// CHILDREN-1: a program gets the descriptors 0, 1 and 2 and no others, default signal handlers and an empty signal mask.
// CHILDREN-2: no link is followed to an output: the directory must be the one with the identity that the caller names,
//   whatever its path leads to by now, and stdout and stderr must be regular files of the program's user.
// CHILDREN-3: a program runs with exactly the user, groups and limits that were asked for, or not at all.
// CHILDREN-4: no process that runs as this process' user gets the environment of a program of another user.
// CHILDREN-5: a program, and all that it starts, is in its cgroups from its first instruction on, or it is not started.
import { closeSync, constants, fchmodSync, fchownSync, openSync, writeSync } from 'node:fs';
import {
  type ChildProcesses,
  type ChildRequest,
  err,
  ok,
  type ProcessEnd,
  type Result,
  type StartedChild,
} from '@meseta/base';
import { type Arena, type Call, type ChildCalls, createChildCalls } from './child-calls.js';
import { type ChildEnd, openInputPipe, openTerminal } from './child-channels.js';
import * as libc from './libc.js';
import { statOfDescriptor, systemError } from './system-results.js';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** O_NONBLOCK: the open waits neither for the reader of a fifo nor for the owner of a lease. */
const OPEN_OUTPUT = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const OUTPUT_MODE = 0o644;
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const SIG_SETMASK = 2;
const SIGNALS = 64;
/** The kernel's sigset_t, and its struct sigaction. */
const SIGNAL_SET_BYTES = 8;
const SIGACTION_BYTES = 32;
const AT_FDCWD = -100;
/** More than a line of /proc/PID/stat. */
const RECORD_BYTES = 512;
const MAX_DESCRIPTOR = 0xffffffff;
const RECORD_PREFIX = 'first ';
const SHELL = '/bin/sh';
const RLIM_INFINITY = 2n ** 64n - 1n;
/** execvp of glibc without PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

class Refused extends Error {}

/** CHILDREN-2. */
function openDirectory({ path, identity }: ChildRequest['directory']): number {
  const directory = openSync(path, O_RDONLY | O_DIRECTORY);
  if (statOfDescriptor(directory).identity === identity) return directory;
  closeSync(directory);
  throw new Refused(`${path} was replaced`);
}

/** Opens an output for appending, without waiting for the reader of a fifo. A new one is given to the program's user. */
function openOutput(directory: number, name: string, user: ChildRequest['user']): number {
  const path = `/proc/self/fd/${directory}/${name}`;
  const output = openExisting(path, name) ?? createOutput(path, user);
  const { kind, uid } = statOfDescriptor(output);
  const wanted = user?.uid ?? process.getuid?.() ?? 0;
  if (kind === 'file' && uid === wanted && libc.fcntl(output, F_SETFL, O_WRONLY | O_APPEND) === 0) return output;
  closeSync(output);
  throw new Refused(`${name} is not a regular file of the user ${wanted}`);
}

function openExisting(path: string, name: string): number | undefined {
  try {
    return openSync(path, OPEN_OUTPUT);
  } catch (error) {
    const { code, message } = systemError(error);
    if (code === 'ENOENT') return undefined;
    throw new Refused(`${name} can't be opened: ${code === 'ELOOP' ? 'it is a symbolic link' : message}`);
  }
}

function createOutput(path: string, user: ChildRequest['user']): number {
  const output = openSync(path, OPEN_OUTPUT | O_CREAT | O_EXCL, OUTPUT_MODE);
  fchmodSync(output, OUTPUT_MODE);
  if (user !== undefined) fchownSync(output, user.uid, user.groups[0] ?? user.uid);
  return output;
}

function pathsOf({ program, environment }: ChildRequest): readonly string[] {
  if (program.includes('/')) return [program];
  const directories = (environment['PATH'] ?? DEFAULT_PATH).split(':');
  return directories.map((directory) => `${directory === '' ? '.' : directory}/${program}`);
}

const limitValue = (value: number | undefined): bigint => (value === undefined ? RLIM_INFINITY : BigInt(value));

const bytesOf = (words: Uint32Array | BigUint64Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

interface Opened {
  readonly startDirectory: number;
  /** undefined: a terminal, which the child opens. */
  readonly streams: readonly [stdin: number, stdout: number, stderr: number] | undefined;
  /** Takes the messages of a program that can't be executed. */
  readonly messages: number;
  readonly input: ChildEnd | undefined;
  readonly record: number | undefined;
  /** `cgroup.procs` of each cgroup. */
  readonly cgroups: readonly number[];
}

/** The descriptors opened here are added to `descriptors`, also if one after them can't be opened. */
function openAll(request: ChildRequest, devNull: number, descriptors: number[]): Opened {
  const hold = (descriptor: number): number => {
    descriptors.push(descriptor);
    return descriptor;
  };
  const { record, startDirectory } = request;
  const directory = hold(openDirectory(request.directory));
  const openStream = (name: string): number =>
    request.output === 'files' ? hold(openOutput(directory, name, request.user)) : devNull;
  const stdout = openStream('stdout');
  const stderr = request.input?.kind === 'terminal' ? stdout : openStream('stderr');
  const opened = {
    startDirectory: startDirectory === undefined ? directory : hold(openDirectory(startDirectory)),
    messages: stderr,
    record: record === undefined ? undefined : hold(openSync(record, O_WRONLY | O_APPEND)),
    cgroups: request.cgroups.map((cgroup) => hold(openSync(`${cgroup}/cgroup.procs`, O_WRONLY))),
  };
  // Last: it is not closed here.
  const input = openInput(request, stdout === devNull ? undefined : stdout);
  const stdin = input !== undefined && 'descriptor' in input.end ? input.end.descriptor : devNull;
  const isTerminal = input !== undefined && 'terminal' in input.end;
  return { ...opened, input, streams: isTerminal ? undefined : [stdin, stdout, stderr] };
}

function openInput({ input, user }: ChildRequest, stdout: number | undefined): ChildEnd | undefined {
  if (input === undefined) return undefined;
  const owner = user && { uid: user.uid, gid: user.groups[0] ?? user.uid };
  const opened =
    input.kind === 'pipe'
      ? openInputPipe()
      : openTerminal(owner, input.window, stdout === undefined ? undefined : duplicate(stdout));
  if (!opened.ok) throw new Refused(opened.error);
  return opened.value;
}

/** Another descriptor of an open file, with its mode of writing. */
function duplicate(descriptor: number): number {
  const copy = libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw new Refused(libc.strerror(libc.lastError()));
  return copy;
}

/** A call, and what failed if it fails. */
type Step = Call & { readonly what: string };

/** CHILDREN-1: Node ignores some signals and handles others. */
function signalSteps(arena: Arena): readonly Step[] {
  const byDefault = arena.bytes(new Uint8Array(SIGACTION_BYTES));
  const steps: Step[] = [];
  for (let signal = 1; signal <= SIGNALS; signal++) {
    const values = [signal, byDefault, 0, SIGNAL_SET_BYTES];
    // SIGKILL and SIGSTOP have no handler.
    steps.push({ name: 'rt_sigaction', arguments: values, mayFail: true, what: 'reset the signals' });
  }
  return steps;
}

/** Appends `first` and the child's line of /proc/self/stat, before the child does anything else. `line`: the memory of both. */
function recordSteps(
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

/** CHILDREN-5. The number 0 is the process that writes it (the kernel's admin-guide/cgroup-v2, Processes). */
function cgroupSteps(arena: Arena, { cgroups }: ChildRequest, descriptors: readonly number[]): readonly Step[] {
  const self = arena.text('0');
  return descriptors.map((descriptor, index) => ({
    name: 'write',
    arguments: [descriptor, self, 1],
    what: `join the cgroup ${cgroups[index]}`,
  }));
}

/** How readily the kernel kills it, and all that it starts, when the machine has no memory left. */
function oomScoreSteps(arena: Arena, { oomScoreAdjustment }: ChildRequest): readonly Step[] {
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
function streamSteps(arena: Arena, { streams, input }: Opened): readonly Step[] {
  const what = 'set its streams';
  const set = (from: number, to: number): Step => ({ name: 'dup3', arguments: [from, to, 0], what });
  if (streams !== undefined) return streams.map(set);
  const path = input !== undefined && 'terminal' in input.end ? input.end.terminal : '/dev/null';
  return [
    { name: 'close', arguments: [0], what },
    { name: 'openat', arguments: [AT_FDCWD, arena.text(path), O_RDWR, 0], what },
    set(0, 1),
    set(0, 2),
  ];
}

/** CHILDREN-3: limits are raised before the user is given up. */
function identitySteps(arena: Arena, { user, limits }: ChildRequest): readonly Step[] {
  const setting = limits.map(({ resource, soft, hard }): Step => {
    const value = arena.bytes(bytesOf(BigUint64Array.of(limitValue(soft), limitValue(hard))));
    return { name: 'prlimit64', arguments: [0, resource, value, 0], what: `set the limit ${resource}` };
  });
  if (user === undefined) return setting;
  const { uid, groups } = user;
  const gid = groups[0] ?? uid;
  const list = arena.bytes(bytesOf(Uint32Array.from(groups)));
  return [
    ...setting,
    { name: 'setgroups', arguments: [groups.length, list], what: `set the groups of the user ${uid}` },
    { name: 'setresgid', arguments: [gid, gid, gid], what: `become the group ${gid}` },
    { name: 'setresuid', arguments: [uid, uid, uid], what: `become the user ${uid}` },
  ];
}

/** Like execvp, in the PATH of the new environment. CHILDREN-4: the environment appears here only. */
function programSteps(arena: Arena, request: ChildRequest): readonly Step[] {
  const { program, argv } = request;
  const environment = arena.texts(Object.entries(request.environment).map(([name, value]) => `${name}=${value}`));
  const words = arena.texts(argv);
  const execute = (path: string, withWords: bigint): Step => ({
    name: 'execve',
    arguments: [arena.text(path), withWords, environment],
    mayFail: true,
    what: `execute ${program}`,
  });
  return pathsOf(request).map((path) => execute(path, words));
}

function stepsOf(arena: Arena, request: ChildRequest, opened: Opened, recording: readonly Step[]): readonly Step[] {
  const noSignals = arena.bytes(new Uint8Array(SIGNAL_SET_BYTES));
  return [
    { name: 'setsid', arguments: [], what: 'create a session' },
    ...signalSteps(arena),
    ...recording,
    ...cgroupSteps(arena, request, opened.cgroups),
    ...oomScoreSteps(arena, request),
    ...streamSteps(arena, opened),
    { name: 'fchdir', arguments: [opened.startDirectory], what: 'enter the working directory' },
    ...identitySteps(arena, request),
    // Linux 5.9. Without it the descriptors are closed by their O_CLOEXEC.
    { name: 'close_range', arguments: [3, MAX_DESCRIPTOR, 0], mayFail: true, what: 'close descriptors' },
    { name: 'rt_sigprocmask', arguments: [SIG_SETMASK, noSignals, 0, SIGNAL_SET_BYTES], what: 'unblock signals' },
    ...programSteps(arena, request),
    { name: 'exit', arguments: [NOT_EXECUTABLE], what: 'end' },
  ];
}

interface Starter {
  readonly calls: ChildCalls;
  readonly devNull: number;
  /** The statuses of children that ended because their program could not be executed. */
  readonly failures: Map<number, ProcessEnd>;
}

function startOpened(starter: Starter, request: ChildRequest, opened: Opened): Result<StartedChild, string> {
  let steps: readonly Step[] = [];
  let line: Buffer = Buffer.alloc(0);
  const run = starter.calls.run((arena) => {
    const { steps: recording, line: written } = recordSteps(arena, opened.record);
    line = written;
    steps = stepsOf(arena, request, opened, recording);
    return steps;
  });
  if (!run.ok) return run;
  const { pid, errors } = run.value;
  const child: StartedChild = { pid, stat: line.toString('latin1', RECORD_PREFIX.length).trimEnd() };
  const failed = steps.findIndex(({ mayFail }, index) => mayFail !== true && errors[index] !== 0);
  if (failed >= 0) {
    awaitEnd(pid);
    return err(`Failed to ${steps[failed]?.what}: ${libc.strerror(errors[failed] ?? 0)}`);
  }
  const attempts = errors.filter((_, index) => steps[index]?.name === 'execve');
  // The attempts after the one that succeeded were not made.
  if (attempts.includes(0)) return ok(child);
  const script = pathsOf(request)[attempts.indexOf(libc.errno.ENOEXEC)];
  if (script !== undefined && request.program !== SHELL) {
    // A script without an interpreter line: like execvp.
    awaitEnd(pid);
    return startOpened(starter, { ...request, program: SHELL, argv: ['sh', script, ...request.argv.slice(1)] }, opened);
  }
  reportNotExecuted(starter, request, opened, pid, attempts);
  return ok(child);
}

/** As a shell reports it: by a message of the program's standard error and an exit status. */
function reportNotExecuted(
  { failures }: Starter,
  { program }: ChildRequest,
  { messages }: Opened,
  pid: number,
  attempts: readonly number[],
): void {
  const { ENOENT, ENOTDIR } = libc.errno;
  const error = attempts.find((it) => it !== ENOENT && it !== ENOTDIR) ?? ENOENT;
  failures.set(pid, { kind: 'exited', code: error === ENOENT ? NOT_FOUND : NOT_EXECUTABLE });
  writeSync(messages, `Failed to execute ${program}: ${libc.strerror(error)}\n`);
}

function start(starter: Starter, request: ChildRequest): Result<StartedChild, string> {
  const descriptors: number[] = [];
  let input: ChildEnd | undefined;
  let started: Result<StartedChild, string>;
  try {
    const opened = openAll(request, starter.devNull, descriptors);
    input = opened.input;
    started = startOpened(starter, request, opened);
  } catch (error) {
    started = err(systemError(error).message);
  }
  for (const descriptor of descriptors) closeSync(descriptor);
  input?.release(started.ok);
  return started.ok && input !== undefined ? ok({ ...started.value, channel: input.channel }) : started;
}

const awaitEnd = (pid: number): number => libc.waitpid(pid, new Int32Array(1), 0);

/** wait(2): the low seven bits are the signal, the next byte the exit status. */
const endOf = (status: number): ProcessEnd =>
  (status & 0x7f) === 0 ? { kind: 'exited', code: (status >> 8) & 0xff } : { kind: 'signaled', signal: status & 0x7f };

function reap({ failures }: Starter, onEnded: (pid: number, end: ProcessEnd) => void): void {
  const status = new Int32Array(1);
  for (;;) {
    const pid = libc.waitpid(-1, status, WNOHANG);
    if (pid <= 0) return;
    const end = failures.get(pid) ?? endOf(status[0] ?? 0);
    failures.delete(pid);
    onEnded(pid, end);
  }
}

/** Why this machine can't start children, or the port. */
export function createChildProcesses(): Result<ChildProcesses, string> {
  const calls = createChildCalls();
  if (!calls.ok) return calls;
  libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const starter: Starter = { calls: calls.value, devNull: openSync('/dev/null', O_RDWR), failures: new Map() };
  return ok({
    start: (request) => start(starter, request),
    watch(onEnded) {
      process.on('SIGCHLD', () => reap(starter, onEnded));
      reap(starter, onEnded);
    },
  });
}
