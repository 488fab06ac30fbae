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
// CHILDREN-6: a program enters the namespaces of the process that the caller means, not of one that reuses its pid.
// CHILDREN-7: a child that has entered a container is a part of this process until it executes its program. No process that
//   lacks CAP_SYS_PTRACE reaches its memory and descriptors meanwhile.
import { closeSync, constants, fchmodSync, fchownSync, openSync, readFileSync, writeSync } from 'node:fs';
import { kill } from 'node:process';
import {
  assert,
  type ChildProcesses,
  type ChildRequest,
  err,
  ok,
  type ProcessEnd,
  type Result,
  SHARED_LINUX,
  type StartedChild,
} from '@meseta/base';
import { boundingSteps, capabilitySteps, noNewPrivilegesStep } from './capability-steps.js';
import { type Arena, type ChildCalls, createChildCalls } from './child-calls.js';
import { type ChildEnd, openInputPipe, openTerminal } from './child-channels.js';
import {
  cgroupSteps,
  identitySteps,
  oomScoreSteps,
  pathsOf,
  programSteps,
  RECORD_PREFIX,
  recordSteps,
  SIGNAL_SET_BYTES,
  type Step,
  type Streams,
  signalSteps,
  streamSteps,
} from './child-steps.js';
import { createInitProgram } from './init-program.js';
import {
  CLONE_FLAGS,
  directorySteps,
  enterSteps,
  hasNamespace,
  isolationSteps,
  nullSteps,
  type OpenedIsolation,
  openIsolation,
} from './isolation-steps.js';
import * as libc from './libc.js';
import { pathOfDescriptor } from './mounts.js';
import { Refused, statOfDescriptor, systemError } from './system-results.js';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** O_NONBLOCK: the open waits neither for the reader of a fifo nor for the owner of a lease. */
const OPEN_OUTPUT = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const OUTPUT_MODE = 0o644;
const PR_SET_DUMPABLE = 4;
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const SIG_SETMASK = 2;
const MAX_DESCRIPTOR = 0xffffffff;
const SIGCHLD = 17;
const O_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;
/** Of /proc/PID/stat, after the name: the field 22 of proc(5). */
const START_FIELD = 19;
const SHELL = '/bin/sh';
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

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

interface Opened {
  readonly startDirectory: number;
  readonly streams: Streams;
  /** Takes the messages of a program that can't be executed. */
  readonly messages: number;
  readonly input: ChildEnd | undefined;
  readonly record: number | undefined;
  /** `cgroup.procs` of each cgroup. */
  readonly cgroups: readonly number[];
  readonly isolation: OpenedIsolation | undefined;
  /** The process whose namespaces it enters. */
  readonly entered: number | undefined;
}

/** The descriptors opened here are added to `descriptors`, also if one after them can't be opened. */
function openAll(request: ChildRequest, devNull: number, descriptors: number[]): Opened {
  const hold = (descriptor: number): number => {
    descriptors.push(descriptor);
    return descriptor;
  };
  const { record, startDirectory, linux, enter } = request;
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
    isolation:
      linux === undefined || enter !== undefined || linux.namespaces.length === 0
        ? undefined
        : openIsolation(linux, directory, request.directory.path, hold(openSync('/dev/null', O_RDONLY)), hold),
    entered: enter === undefined ? undefined : hold(openProcess(enter)),
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

/** CHILDREN-6. */
function openProcess({ pid, startTicks }: NonNullable<ChildRequest['enter']>): number {
  const opened = libc.pidfd_open(pid);
  if (opened < 0) throw new Refused(`process ${pid}: ${libc.strerror(libc.lastError())}`);
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_FIELD]) === startTicks) return opened;
  closeSync(opened);
  throw new Refused(`process ${pid} has ended`);
}

interface Starter {
  readonly calls: ChildCalls;
  readonly devNull: number;
  /** The statuses of children that ended because their program could not be executed. */
  readonly failures: Map<number, ProcessEnd>;
  /** By first process of a container, that of its pid namespace, which ends with it. */
  readonly inits: Map<number, number>;
  /** The program of the first process of a pid namespace. */
  readonly initProgram: number;
  /** The pid namespace of this process. */
  readonly ownPids: number;
  /** How many capabilities the kernel has. */
  readonly capabilityCount: number;
}

/** The calls after those that give the child what it runs with. */
const lastSteps = (arena: Arena, firstClosed: number, executing: readonly Step[]): readonly Step[] => [
  // Linux 5.9. Without it the descriptors are closed by their O_CLOEXEC.
  { name: 'close_range', arguments: [firstClosed, MAX_DESCRIPTOR, 0], mayFail: true, what: 'close descriptors' },
  {
    name: 'rt_sigprocmask',
    arguments: [SIG_SETMASK, arena.bytes(new Uint8Array(SIGNAL_SET_BYTES)), 0, SIGNAL_SET_BYTES],
    what: 'unblock signals',
  },
  ...executing,
  { name: 'exit', arguments: [NOT_EXECUTABLE], what: 'end' },
];

/** Enters the child's view of the file system, and its working directory there. */
function placeSteps({ devNull }: Starter, arena: Arena, request: ChildRequest, opened: Opened): readonly Step[] {
  const { startDirectory, streams, isolation, entered } = opened;
  if (isolation === undefined && entered === undefined) {
    return [{ name: 'fchdir', arguments: [startDirectory], what: 'enter the working directory' }];
  }
  const linux = request.linux ?? SHARED_LINUX;
  return [
    ...(entered === undefined ? [] : enterSteps(entered)),
    ...(entered !== undefined || isolation === undefined ? [] : isolationSteps(arena, isolation)),
    ...directorySteps(arena, linux, pathOfDescriptor(startDirectory)),
    ...nullSteps(arena, linux, streams ?? [], devNull),
    // The calls before use descriptor 0.
    ...(linux.root !== undefined && streams?.[0] === devNull
      ? []
      : [{ name: 'dup3', arguments: [streams?.[0] ?? 1, 0, 0], what: 'set its streams' } as const]),
  ];
}

const terminalOf = ({ input }: Opened): string | undefined =>
  input !== undefined && 'terminal' in input.end ? input.end.terminal : undefined;

function stepsOf(
  starter: Starter,
  arena: Arena,
  request: ChildRequest,
  opened: Opened,
  recording: readonly Step[],
): readonly Step[] {
  return [
    { name: 'setsid', arguments: [], what: 'create a session' },
    ...signalSteps(arena),
    ...recording,
    ...cgroupSteps(arena, request, opened.cgroups),
    ...oomScoreSteps(arena, request),
    ...streamSteps(arena, opened.streams, terminalOf(opened)),
    ...placeSteps(starter, arena, request, opened),
    ...identitySteps(arena, request, starter.capabilityCount),
    ...lastSteps(arena, 3, programSteps(arena, request)),
  ];
}

/** What failed of the calls, if the child ended for that. */
function failureOf(steps: readonly Step[], errors: readonly number[]): string | undefined {
  const failed = steps.findIndex(({ mayFail }, index) => mayFail !== true && errors[index] !== 0);
  return failed < 0 ? undefined : `Failed to ${steps[failed]?.what}: ${libc.strerror(errors[failed] ?? 0)}`;
}

/** The first process of a pid namespace has no capabilities, and can't get any. */
const NO_CAPABILITIES = { effective: [], bounding: [] };

function initSteps(
  { devNull, initProgram, capabilityCount }: Starter,
  arena: Arena,
  request: ChildRequest,
  { cgroups }: Opened,
  isolation: OpenedIsolation,
): readonly Step[] {
  const name = arena.texts(['meseta-init']);
  const values = [3, arena.text(''), name, arena.texts([]), AT_EMPTY_PATH];
  return [
    { name: 'setsid', arguments: [], what: 'create a session' },
    ...signalSteps(arena, SIGCHLD),
    ...cgroupSteps(arena, request, cgroups),
    ...streamSteps(arena, [devNull, devNull, devNull], undefined),
    ...isolationSteps(arena, isolation),
    { name: 'chdir', arguments: [arena.text('/')], what: 'enter its root' },
    { name: 'dup3', arguments: [devNull, 0, 0], what: 'set its streams' },
    ...nullSteps(arena, isolation.plan, [devNull, devNull, devNull], devNull),
    ...boundingSteps(NO_CAPABILITIES, capabilityCount),
    ...capabilitySteps(arena, NO_CAPABILITIES, true),
    noNewPrivilegesStep(),
    { name: 'dup3', arguments: [initProgram, 3, O_CLOEXEC], what: 'open its program' },
    ...lastSteps(arena, 4, [{ name: 'execveat', arguments: values, mayFail: true, what: 'execute its program' }]),
  ];
}

/** Starts the first process of a new pid namespace, which makes the other namespaces too. */
function startInit(
  starter: Starter,
  request: ChildRequest,
  opened: Opened,
  isolation: OpenedIsolation,
): Result<number, string> {
  let steps: readonly Step[] = [];
  const run = starter.calls.run((arena) => {
    steps = initSteps(starter, arena, request, opened, isolation);
    return steps;
  }, CLONE_FLAGS.pid);
  if (!run.ok) return run;
  const { pid, errors } = run.value;
  const executing = steps.findIndex(({ name }) => name === 'execveat');
  const problem = failureOf(steps, errors);
  if (problem === undefined && errors[executing] === 0) return ok(pid);
  awaitEnd(pid);
  return err(problem ?? `Failed to execute its program: ${libc.strerror(errors[executing] ?? 0)}`);
}

/** Calls `run` while children of this process are made in the pid namespace of another process. */
function inPidsOf<T>({ ownPids }: Starter, process: number, run: () => Result<T, string>): Result<T, string> {
  if (libc.setns(process, CLONE_FLAGS.pid) !== 0) {
    return err(`Failed to enter the pid namespace of the container: ${libc.strerror(libc.lastError())}`);
  }
  try {
    return run();
  } finally {
    assert(libc.setns(ownPids, CLONE_FLAGS.pid) === 0, 'back in the own pid namespace');
  }
}

/** In namespaces of its own, or of another process, or in those of this process. */
function startPlaced(starter: Starter, request: ChildRequest, opened: Opened): Result<Started, string> {
  const { isolation, entered } = opened;
  if (entered !== undefined) return inPidsOf(starter, entered, () => startOpened(starter, request, opened));
  if (isolation === undefined || !hasNamespace(isolation.plan, 'pid')) return startOpened(starter, request, opened);
  const init = startInit(starter, request, opened, isolation);
  if (!init.ok) return init;
  const process = libc.pidfd_open(init.value);
  const started =
    process < 0
      ? err(`Failed to open its pid namespace: ${libc.strerror(libc.lastError())}`)
      : inPidsOf(starter, process, () => startOpened(starter, request, { ...opened, entered: process }));
  if (process >= 0) closeSync(process);
  if (started.ok && started.value.script === undefined) {
    starter.inits.set(started.value.pid, init.value);
    return started;
  }
  // Its end waits for that of a process in its namespace which can't end yet: it is collected by `reap`.
  kill(init.value, 'SIGKILL');
  return started;
}

/** `script`: the program has no interpreter line, and was not started. */
type Started = StartedChild & { readonly script?: string };

function startOpened(starter: Starter, request: ChildRequest, opened: Opened): Result<Started, string> {
  let steps: readonly Step[] = [];
  let line: Buffer = Buffer.alloc(0);
  const run = starter.calls.run((arena) => {
    const { steps: recording, line: written } = recordSteps(arena, opened.record);
    line = written;
    steps = stepsOf(starter, arena, request, opened, recording);
    return steps;
  });
  if (!run.ok) return run;
  const { pid, errors } = run.value;
  const child: StartedChild = { pid, stat: line.toString('latin1', RECORD_PREFIX.length).trimEnd() };
  const problem = failureOf(steps, errors);
  if (problem !== undefined) {
    awaitEnd(pid);
    return err(problem);
  }
  const attempts = errors.filter((_, index) => steps[index]?.name === 'execve');
  // The attempts after the one that succeeded were not made.
  if (attempts.includes(0)) return ok(child);
  const script = pathsOf(request)[attempts.indexOf(libc.errno.ENOEXEC)];
  if (script !== undefined && request.program !== SHELL) {
    awaitEnd(pid);
    return ok({ ...child, script });
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

/** A failed call, in contrast to a broken invariant. */
const isExpected = (error: unknown): boolean => error instanceof Refused || (error instanceof Error && 'code' in error);

function start(starter: Starter, request: ChildRequest): Result<StartedChild, string> {
  const descriptors: number[] = [];
  let input: ChildEnd | undefined;
  let started: Result<Started, string>;
  try {
    const opened = openAll(request, starter.devNull, descriptors);
    input = opened.input;
    started = startPlaced(starter, request, opened);
  } catch (error) {
    if (!isExpected(error)) throw error;
    started = err(systemError(error).message);
  }
  for (const descriptor of descriptors) closeSync(descriptor);
  const script = started.ok ? started.value.script : undefined;
  input?.release(started.ok && script === undefined);
  if (script !== undefined) {
    // A script without an interpreter line: like execvp.
    return start(starter, { ...request, program: SHELL, argv: ['sh', script, ...request.argv.slice(1)] });
  }
  return started.ok && input !== undefined ? ok({ ...started.value, channel: input.channel }) : started;
}

const awaitEnd = (pid: number): number => libc.waitpid(pid, new Int32Array(1), 0);

/** wait(2): the low seven bits are the signal, the next byte the exit status. */
const endOf = (status: number): ProcessEnd =>
  (status & 0x7f) === 0 ? { kind: 'exited', code: (status >> 8) & 0xff } : { kind: 'signaled', signal: status & 0x7f };

function reap({ failures, inits }: Starter, onEnded: (pid: number, end: ProcessEnd) => void): void {
  const status = new Int32Array(1);
  for (;;) {
    const pid = libc.waitpid(-1, status, WNOHANG);
    if (pid <= 0) return;
    const end = failures.get(pid) ?? endOf(status[0] ?? 0);
    failures.delete(pid);
    const init = inits.get(pid);
    // It is reaped after the processes of its namespace: its pid is still its own.
    if (init !== undefined) kill(init, 'SIGKILL');
    inits.delete(pid);
    onEnded(pid, end);
  }
}

/** Why this machine can't start children, or the port. */
export function createChildProcesses(): Result<ChildProcesses, string> {
  const calls = createChildCalls();
  if (!calls.ok) return calls;
  libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // CHILDREN-7 (ptrace(2), "Ptrace access mode checking"). An exec resets it.
  libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const initProgram = createInitProgram();
  if (!initProgram.ok) return initProgram;
  const starter: Starter = {
    calls: calls.value,
    devNull: openSync('/dev/null', O_RDWR),
    failures: new Map(),
    inits: new Map(),
    initProgram: initProgram.value,
    ownPids: openSync('/proc/self/ns/pid', O_RDONLY),
    capabilityCount: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')) + 1,
  };
  return ok({
    start: (request) => start(starter, request),
    watch(onEnded) {
      process.on('SIGCHLD', () => reap(starter, onEnded));
      reap(starter, onEnded);
    },
  });
}
