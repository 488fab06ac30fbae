// Opens what a new process is given: its directory, the files of its output, its input, cgroups, mounts, and the process whose
// namespaces it enters. Everything is opened in this process, before the child exists, so that no step of the child follows a
// path that a task can change.
//
// The functions throw `Refused` or the error of a system call; child-processes.ts has the rules (CHILDREN-2, CHILDREN-6).
import { closeSync, constants, fchmodSync, fchownSync, openSync, readFileSync } from 'node:fs';
import type { ChildRequest, ProcessIdentity } from '@meseta/base';
import { type ChildEnd, openInputPipe, openTerminal } from './child-channels.js';
import type { Streams } from './child-steps.js';
import { type OpenedIsolation, type OpenedParent, openIsolation, requireNamespaces } from './isolation-steps.js';
import * as libc from './libc.js';
import { Refused, statOfDescriptor, systemError } from './system-results.js';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const O_PATH = 0o10000000;
/** O_NONBLOCK: the open waits neither for the reader of a fifo nor for the owner of a lease. */
const OPEN_OUTPUT = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const OUTPUT_MODE = 0o644;
/** The index of the start time in /proc/PID/stat, after the name: the field 22 of proc(5). */
const START_FIELD = 19;

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

/** The open descriptors of all that a request names. */
export interface OpenedRequest {
  readonly startDirectory: number;
  readonly streams: Streams;
  /** Takes the message that a program can't be executed. */
  readonly messages: number;
  readonly input: ChildEnd | undefined;
  readonly record: number | undefined;
  /** `cgroup.procs` of each cgroup. */
  readonly cgroups: readonly number[];
  readonly isolation: OpenedIsolation | undefined;
  /** The process (pidfd_open(2)) whose namespaces it enters. */
  readonly entered: number | undefined;
  readonly parent: OpenedParent | undefined;
}

/**
 * Opens what a request names, or throws. The descriptors are added to `descriptors`, also if a later one can't be opened; the
 * caller closes them.
 */
export function openRequest(request: ChildRequest, devNull: number, descriptors: number[]): OpenedRequest {
  const closeLater = (descriptor: number): number => {
    descriptors.push(descriptor);
    return descriptor;
  };
  const { record, startDirectory, linux, enter } = request;
  const ownLinux = enter === undefined ? linux : undefined;
  if (ownLinux !== undefined) requireNamespaces(ownLinux);
  const parent = request.parent && openParent(request.parent, closeLater);
  const directory = closeLater(openDirectory(request.directory));
  const openStream = (name: string): number =>
    request.output === 'files' ? closeLater(openOutput(directory, name, request.user)) : devNull;
  const stdout = openStream('stdout');
  const stderr = request.input?.kind === 'terminal' ? stdout : openStream('stderr');
  const opened = {
    startDirectory: startDirectory === undefined ? directory : closeLater(openDirectory(startDirectory)),
    messages: stderr,
    record: record === undefined ? undefined : closeLater(openSync(record, O_WRONLY | O_APPEND)),
    cgroups: request.cgroups.map((cgroup) => closeLater(openSync(`${cgroup}/cgroup.procs`, O_WRONLY))),
    isolation:
      ownLinux === undefined || ownLinux.namespaces.length === 0
        ? undefined
        : openIsolation(ownLinux, { directory, path: request.directory.path, parent }, closeLater),
    parent,
    entered: enter === undefined ? undefined : closeLater(openProcess(enter)),
  };
  // Last, as the caller releases it and does not close it.
  const input = openInput(request, stdout === devNull ? undefined : stdout);
  const stdin = input !== undefined && 'descriptor' in input.end ? input.end.descriptor : devNull;
  const isTerminal = input !== undefined && 'terminal' in input.end;
  return { ...opened, input, streams: isTerminal ? undefined : [stdin, stdout, stderr] };
}

function openInput({ input, user }: ChildRequest, stdout: number | undefined): ChildEnd | undefined {
  if (input === undefined) return undefined;
  if (input.kind === 'pipe') return openInputPipe();
  const owner = user && { uid: user.uid, gid: user.groups[0] ?? user.uid };
  return openTerminal(owner, input.window, stdout === undefined ? undefined : duplicate(stdout));
}

/** Another descriptor of an open file, which appends as the first one does. */
function duplicate(descriptor: number): number {
  return libc.checked(libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 3), 'duplicate a descriptor');
}

/** CHILDREN-6: the root directory is that of the process which has the id before and after. */
function openParent(identity: ProcessIdentity, closeLater: (descriptor: number) => number): OpenedParent {
  const root = closeLater(openSync(`/proc/${identity.pid}/root`, O_PATH | O_DIRECTORY));
  return { root, process: closeLater(openProcess(identity)) };
}

/** CHILDREN-6. */
function openProcess({ pid, startTicks }: ProcessIdentity): number {
  const opened = libc.checked(libc.pidfd_open(pid), `process ${pid}`);
  if (startTicksOf(pid) === startTicks) return opened;
  closeSync(opened);
  throw new Refused(`process ${pid} has ended`);
}

function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_FIELD]);
  } catch {
    return undefined;
  }
}
