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
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import {
  type ChildProcesses,
  type ChildRequest,
  err,
  ok,
  type ProcessEnd,
  type Result,
  SHARED_LINUX,
  type StartedChild,
} from '@meseta/base';
import { seccompSteps } from './capability-steps.js';
import { type Arena, createChildCalls } from './child-calls.js';
import type { ChildEnd } from './child-channels.js';
import { type OpenedRequest, openRequest } from './child-descriptors.js';
import {
  cgroupSteps,
  executionSteps,
  failureOf,
  identitySteps,
  NOT_EXECUTABLE,
  oomScoreSteps,
  pathsOf,
  programSteps,
  recordSteps,
  type Step,
  signalSteps,
  statIn,
  streamSteps,
} from './child-steps.js';
import { createInitProgram } from './init-program.js';
import {
  directorySteps,
  enterSteps,
  hasNamespace,
  isolationSteps,
  nullSteps,
  sharesNamespace,
} from './isolation-steps.js';
import * as libc from './libc.js';
import { pathOfDescriptor } from './mounts.js';
import {
  endPidNamespaceOf,
  inPidNamespaceOf,
  type PidNamespaces,
  type StartAttempt,
  startInNewPidNamespace,
} from './pid-namespaces.js';
import { Refused, systemError } from './system-results.js';

const { O_RDONLY, O_RDWR } = constants;
const PR_SET_DUMPABLE = 4;
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const SHELL = '/bin/sh';
const NOT_FOUND = 127;

interface Starter extends PidNamespaces {
  /** The statuses of children that ended because their program could not be executed. */
  readonly failures: Map<number, ProcessEnd>;
}

/** Enters the child's view of the file system, and its working directory there. */
function viewSteps(arena: Arena, request: ChildRequest, opened: OpenedRequest): readonly Step[] {
  const { startDirectory, isolation, entered } = opened;
  if (isolation === undefined && entered === undefined) {
    return [{ name: 'fchdir', arguments: [startDirectory], what: 'enter the working directory' }];
  }
  const linux = request.linux ?? SHARED_LINUX;
  return [
    ...(entered === undefined ? [] : enterSteps(entered)),
    ...(entered !== undefined || isolation === undefined ? [] : isolationSteps(arena, isolation)),
    ...directorySteps(arena, linux, pathOfDescriptor(startDirectory)),
  ];
}

/** Sets the streams again that the calls before have replaced: they use descriptor 0. ISOLATION-4: by the child's user. */
function ownStreamSteps(
  { devNull }: Starter,
  arena: Arena,
  request: ChildRequest,
  { streams, isolation, entered }: OpenedRequest,
): readonly Step[] {
  if (isolation === undefined && entered === undefined) return [];
  const linux = request.linux ?? SHARED_LINUX;
  return [
    ...nullSteps(arena, linux, streams ?? [], devNull),
    ...(linux.root !== undefined && streams?.[0] === devNull
      ? []
      : [{ name: 'dup3', arguments: [streams?.[0] ?? 1, 0, 0], what: 'set its streams' } as const]),
  ];
}

const terminalOf = ({ input }: OpenedRequest): string | undefined =>
  input !== undefined && 'terminal' in input.end ? input.end.terminal : undefined;

function stepsOf(
  starter: Starter,
  arena: Arena,
  request: ChildRequest,
  opened: OpenedRequest,
  recording: readonly Step[],
): readonly Step[] {
  return [
    { name: 'setsid', arguments: [], what: 'create a session' },
    ...signalSteps(arena),
    ...recording,
    ...cgroupSteps(arena, request, opened.cgroups),
    ...oomScoreSteps(arena, request),
    ...streamSteps(arena, opened.streams, terminalOf(opened)),
    ...viewSteps(arena, request, opened),
    ...identitySteps(arena, request, starter.capabilityCount),
    ...ownStreamSteps(starter, arena, request, opened),
    ...executionSteps(arena, 3, [
      ...seccompSteps(arena, request.linux ?? SHARED_LINUX),
      ...programSteps(arena, request),
    ]),
  ];
}

/** Starts the program in namespaces of its own, in those of another process, or in those of this process. */
function startInNamespaces(
  starter: Starter,
  request: ChildRequest,
  opened: OpenedRequest,
): Result<StartAttempt, string> {
  const { isolation, entered, parent } = opened;
  if (isolation !== undefined && sharesNamespace(isolation.plan, 'pid')) {
    return parent === undefined
      ? err('Failed to enter the pid namespace of the parent container: it has none')
      : inPidNamespaceOf(starter, parent.process, () => startProgram(starter, request, opened));
  }
  if (entered !== undefined) return inPidNamespaceOf(starter, entered, () => startProgram(starter, request, opened));
  if (isolation === undefined || !hasNamespace(isolation.plan, 'pid')) return startProgram(starter, request, opened);
  return startInNewPidNamespace(starter, request, opened, isolation, (process) =>
    startProgram(starter, request, { ...opened, entered: process }),
  );
}

function startProgram(starter: Starter, request: ChildRequest, opened: OpenedRequest): Result<StartAttempt, string> {
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
  const child: StartedChild = { pid, stat: statIn(line) };
  const problem = failureOf(steps, errors);
  if (problem !== undefined) {
    libc.collectChild(pid);
    return err(problem);
  }
  const attempts = errors.filter((_, index) => steps[index]?.name === 'execve');
  // The attempts after the one that succeeded were not made.
  if (attempts.includes(0)) return ok(child);
  const script = pathsOf(request)[attempts.indexOf(libc.errno.ENOEXEC)];
  if (script !== undefined && request.program !== SHELL) {
    libc.collectChild(pid);
    return ok({ ...child, script });
  }
  reportNotExecuted(starter, request, opened, pid, attempts);
  return ok(child);
}

/** As a shell reports it: by a message on the program's standard error and an exit status. */
function reportNotExecuted(
  { failures }: Starter,
  { program }: ChildRequest,
  { messages }: OpenedRequest,
  pid: number,
  attempts: readonly number[],
): void {
  const { ENOENT, ENOTDIR } = libc.errno;
  const error = attempts.find((it) => it !== ENOENT && it !== ENOTDIR) ?? ENOENT;
  failures.set(pid, { kind: 'exited', code: error === ENOENT ? NOT_FOUND : NOT_EXECUTABLE });
  try {
    writeSync(messages, `Failed to execute ${program}: ${libc.strerror(error)}\n`);
  } catch {
    // What the disk does not take is dropped, as the program's own writes would fail.
  }
}

/** Whether a call has failed, in contrast to a broken invariant. */
const isExpected = (error: unknown): boolean => error instanceof Refused || (error instanceof Error && 'code' in error);

function start(starter: Starter, request: ChildRequest): Result<StartedChild, string> {
  const descriptors: number[] = [];
  let input: ChildEnd | undefined;
  let started: Result<StartAttempt, string>;
  try {
    const opened = openRequest(request, starter.devNull, descriptors);
    input = opened.input;
    started = startInNamespaces(starter, request, opened);
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

/** wait(2): the low seven bits are the signal, the next byte the exit status. */
const endOf = (status: number): ProcessEnd =>
  (status & 0x7f) === 0 ? { kind: 'exited', code: (status >> 8) & 0xff } : { kind: 'signaled', signal: status & 0x7f };

function reap(starter: Starter, onEnded: (pid: number, end: ProcessEnd) => void): void {
  const { failures } = starter;
  const status = new Int32Array(1);
  for (;;) {
    const pid = libc.waitpid(-1, status, WNOHANG);
    if (pid <= 0) return;
    const end = failures.get(pid) ?? endOf(status[0] ?? 0);
    failures.delete(pid);
    endPidNamespaceOf(starter, pid);
    onEnded(pid, end);
  }
}

/** The port on this machine, or why it can't start children. */
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
    firstProcessOf: new Map(),
    initProgram: initProgram.value,
    ownPidNamespace: openSync('/proc/self/ns/pid', O_RDONLY),
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
