// The pid namespaces of containers. A new one begins with a process that only sleeps (init-program.ts), so that the command of
// the container is the second process: it gets the default action of signals, and the kernel collects orphans, as on the machine.
//
// Owns: the first processes of the namespaces, by the pids of the commands.
// PID-NAMESPACES-1: a namespace ends with the command that it was made for, also with one that was not started: its first process is
//   killed, and with it the kernel kills all others.
// PID-NAMESPACES-2: after each call this process makes its children in its own pid namespace again, or it ends.
import { closeSync } from 'node:fs';
import { kill } from 'node:process';
import { assert, type ChildRequest, err, ok, type Result, type StartedChild } from '@meseta/base';
import { boundingSteps, capabilitySteps, noNewPrivilegesStep } from './capability-steps.js';
import type { Arena, ChildCalls } from './child-calls.js';
import type { OpenedRequest } from './child-descriptors.js';
import {
  cgroupSteps,
  executionSteps,
  failureOf,
  recordSteps,
  type Step,
  signalSteps,
  statIn,
  streamSteps,
} from './child-steps.js';
import { CLONE_FLAGS, isolationSteps, nullSteps, type OpenedIsolation } from './isolation-steps.js';
import * as libc from './libc.js';

const SIGCHLD = 17;
const O_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;

/** `script`: the program is a script without an interpreter line, and was not started. */
export type StartAttempt = StartedChild & { readonly script?: string };

/** The namespaces of this process' children, and what new ones are made with. */
export interface PidNamespaces {
  /** The first process of the namespace that was made for a command. */
  readonly firstProcessOf: Map<number, number>;
  readonly calls: ChildCalls;
  readonly devNull: number;
  /** The program of the first process of a namespace. */
  readonly initProgram: number;
  /** The pid namespace of this process. */
  readonly ownPidNamespace: number;
  /** How many capabilities the kernel has. */
  readonly capabilityCount: number;
}

/** The first process of a pid namespace has no capabilities, and can't get any. */
const NO_CAPABILITIES = { effective: [], bounding: [] };

function initSteps(
  { devNull, initProgram, capabilityCount }: PidNamespaces,
  arena: Arena,
  request: ChildRequest,
  { cgroups }: OpenedRequest,
  isolation: OpenedIsolation,
  recording: readonly Step[],
): readonly Step[] {
  const name = arena.texts(['meseta-init']);
  const values = [3, arena.text(''), name, arena.texts([]), AT_EMPTY_PATH];
  return [
    { name: 'setsid', arguments: [], what: 'create a session' },
    ...signalSteps(arena, SIGCHLD),
    ...recording,
    ...cgroupSteps(arena, request, cgroups),
    ...streamSteps(arena, [devNull, devNull, devNull], undefined),
    ...isolationSteps(arena, isolation),
    { name: 'chdir', arguments: [arena.text('/')], what: 'enter its root' },
    { name: 'dup3', arguments: [devNull, 0, 0], what: 'set its streams' },
    ...nullSteps(arena, isolation.plan, [devNull, devNull, devNull], devNull),
    ...boundingSteps(NO_CAPABILITIES, capabilityCount),
    ...capabilitySteps(arena, NO_CAPABILITIES, true, false),
    noNewPrivilegesStep(),
    { name: 'dup3', arguments: [initProgram, 3, O_CLOEXEC], what: 'open its program' },
    ...executionSteps(arena, 4, [{ name: 'execveat', arguments: values, mayFail: true, what: 'execute its program' }]),
  ];
}

/** Starts the first process of a new pid namespace, which makes the other namespaces too. */
function startFirstProcess(
  namespaces: PidNamespaces,
  request: ChildRequest,
  opened: OpenedRequest,
  isolation: OpenedIsolation,
): Result<StartedChild, string> {
  let steps: readonly Step[] = [];
  let line: Buffer = Buffer.alloc(0);
  const run = namespaces.calls.run((arena) => {
    // The record is that of the command, if there is one.
    const recorded = recordSteps(arena, request.isPause === true ? opened.record : undefined);
    line = recorded.line;
    steps = initSteps(namespaces, arena, request, opened, isolation, recorded.steps);
    return steps;
  }, CLONE_FLAGS.pid);
  if (!run.ok) return run;
  const { pid, errors } = run.value;
  const execution = steps.findIndex(({ name }) => name === 'execveat');
  const problem = failureOf(steps, errors);
  if (problem === undefined && errors[execution] === 0) return ok({ pid, stat: statIn(line) });
  libc.collectChild(pid);
  return err(problem ?? `Failed to execute its program: ${libc.strerror(errors[execution] ?? 0)}`);
}

/** Calls `run` while children of this process are made in the pid namespace of another process. PID-NAMESPACES-2. */
export function inPidNamespaceOf<T>(
  { ownPidNamespace }: Pick<PidNamespaces, 'ownPidNamespace'>,
  process: number,
  run: () => Result<T, string>,
): Result<T, string> {
  if (libc.setns(process, CLONE_FLAGS.pid) !== 0) {
    return err(`Failed to enter the pid namespace of the container: ${libc.strerror(libc.lastError())}`);
  }
  try {
    return run();
  } finally {
    assert(libc.setns(ownPidNamespace, CLONE_FLAGS.pid) === 0, 'back in the own pid namespace');
  }
}

/**
 * Starts a command by `run` in a new pid namespace; `entered` is the first process of that. A pause is that process itself.
 * PID-NAMESPACES-1.
 */
export function startInNewPidNamespace(
  namespaces: PidNamespaces,
  request: ChildRequest,
  opened: OpenedRequest,
  isolation: OpenedIsolation,
  run: (entered: number) => Result<StartAttempt, string>,
): Result<StartAttempt, string> {
  const first = startFirstProcess(namespaces, request, opened, isolation);
  if (!first.ok || request.isPause === true) return first;
  const { pid } = first.value;
  const process = libc.pidfd_open(pid);
  let isUsed = false;
  try {
    if (process < 0) return err(`Failed to open its pid namespace: ${libc.strerror(libc.lastError())}`);
    const started = inPidNamespaceOf(namespaces, process, () => run(process));
    isUsed = started.ok && started.value.script === undefined;
    if (started.ok && isUsed) namespaces.firstProcessOf.set(started.value.pid, pid);
    return started;
  } finally {
    if (process >= 0) closeSync(process);
    // Its end waits for those of the processes in its namespace, so it is collected later, as every child is.
    if (!isUsed) kill(pid, 'SIGKILL');
  }
}

/** Ends the namespace that was made for a command, which has been collected. PID-NAMESPACES-1. */
export function endPidNamespaceOf({ firstProcessOf }: PidNamespaces, command: number): void {
  const first = firstProcessOf.get(command);
  firstProcessOf.delete(command);
  // It is collected after all processes of its namespace, so its pid is still its own.
  if (first !== undefined) kill(first, 'SIGKILL');
}
