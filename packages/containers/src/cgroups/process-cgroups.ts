// The cgroups by which a container's processes are found and killed: one a container, in the unified hierarchy where it is
// mounted, else in that of the freezer of version 1. Processes can't leave them, whatever sessions they create.
//
// Owns: the directory `ROOT/ID` of each container in that hierarchy.
// PROCESS-CGROUPS-1: processes are killed by one write (cgroup.kill, Linux 5.14), or while they are frozen, so that none
//   forks meanwhile and no process that reuses an id is killed.
// PROCESS-CGROUPS-2: the calls may be repeated, and may be made for a container that has no cgroup.
import { err, type Files, ok, type Processes, type Result, type SystemResult } from '@meseta/base';
import type { CgroupHierarchy, CgroupLayout } from './layout.js';
import { MAX_CONTROL_FILE_BYTES, parseKeyed, parseProcessIds } from './parse.js';
import { listCgroups, removeCgroup } from './tree.js';

const SIGKILL = 9;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;
/** A process in an uninterruptible call can't be frozen before the call returns. */
const FREEZE_TIMEOUT_MS = 500;

type Ports = { readonly files: Files; readonly processes: Pick<Processes, 'kill'> };

export interface ProcessCgroups {
  /** Where a process that writes 0 to `cgroup.procs` becomes one of the container's. */
  directoryOf(containerId: string): string;
  create(containerId: string): Promise<SystemResult<void>>;
  /** The live processes of the container, also those in cgroups that it made. Of very many, the first ones. */
  processes(containerId: string): Promise<readonly number[]>;
  /** Kills all processes; ends when there are none. The error says how many have not ended in the time. */
  kill(containerId: string, timeoutMs: number): Promise<Result<void, string>>;
  /** Removes the container's cgroup, which has no processes, and those in it. */
  remove(containerId: string): Promise<SystemResult<void>>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls `isMet` at growing intervals, until it is or the time is over. */
async function until(isMet: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; !(await isMet()); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    if (performance.now() > deadlineMs) return false;
    await pause(pauseMs);
  }
  return true;
}

export async function cgroupProcesses(files: Files, directory: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const cgroup of await listCgroups(files, directory)) {
    for (const pid of parseProcessIds(files.readTextNow(`${cgroup}/cgroup.procs`, MAX_CONTROL_FILE_BYTES) ?? '')) {
      found.push(pid);
    }
  }
  return found;
}

/** Whether no process lives in the cgroup or below it. One that is missing is empty. */
export async function isCgroupEmpty(files: Files, directory: string): Promise<boolean> {
  // Version 1 does not have it.
  const events = files.readTextNow(`${directory}/cgroup.events`);
  if (events !== undefined) return parseKeyed(events).get('populated') === 0;
  return (await cgroupProcesses(files, directory)).length === 0;
}

const hasFreezer = (files: Files, directory: string): boolean =>
  files.readTextNow(`${directory}/freezer.state`) !== undefined;

/** Freezes the processes, also those in the cgroups below, or returns at the timeout. */
async function freeze(files: Files, directory: string): Promise<void> {
  if (!hasFreezer(files, directory)) {
    await files.write(`${directory}/cgroup.freeze`, '1');
    const isFrozen = (): boolean => parseKeyed(files.readTextNow(`${directory}/cgroup.events`)).get('frozen') === 1;
    await until(isFrozen, FREEZE_TIMEOUT_MS);
    return;
  }
  // A process that is created meanwhile keeps the state FREEZING until it is written again.
  const state = `${directory}/freezer.state`;
  const isFrozen = async (): Promise<boolean> => {
    const written = await files.write(state, 'FROZEN');
    return !written.ok || files.readTextNow(state)?.trim() === 'FROZEN';
  };
  await until(isFrozen, FREEZE_TIMEOUT_MS);
}

async function thaw(files: Files, directory: string): Promise<void> {
  if (hasFreezer(files, directory)) await files.write(`${directory}/freezer.state`, 'THAWED');
  else await files.write(`${directory}/cgroup.freeze`, '0');
}

/** PROCESS-CGROUPS-1. Processes in an uninterruptible call end after it. */
export async function killCgroup({ files, processes }: Ports, directory: string): Promise<void> {
  if ((await files.stat(`${directory}/cgroup.kill`)).ok) {
    if ((await files.write(`${directory}/cgroup.kill`, '1')).ok) return;
  }
  await freeze(files, directory);
  for (const pid of await cgroupProcesses(files, directory)) processes.kill(pid, SIGKILL);
  await thaw(files, directory);
}

async function kill(ports: Ports, directory: string, timeoutMs: number): Promise<Result<void, string>> {
  const { files } = ports;
  const killed = await until(async () => {
    if (await isCgroupEmpty(files, directory)) return true;
    await killCgroup(ports, directory);
    return isCgroupEmpty(files, directory);
  }, timeoutMs);
  if (killed) return ok(undefined);
  const remaining = await cgroupProcesses(files, directory);
  return err(`${directory}: ${remaining.length} processes have not ended within ${timeoutMs} ms of SIGKILL`);
}

function chooseHierarchy({ controllers, unified }: CgroupLayout): Result<CgroupHierarchy, string> {
  const freezer = controllers.get('freezer');
  const found = [unified, freezer].find((hierarchy) => hierarchy?.isWritable);
  if (found !== undefined) return ok(found);
  return unified === undefined && freezer === undefined
    ? err('neither the cgroup2 hierarchy nor the freezer of cgroups version 1 is mounted')
    : err(`${(unified ?? freezer)?.mountPoint} is mounted read-only`);
}

/** `rootName`: `--cgroups_root`, the cgroup that those of all containers are in. */
export async function createProcessCgroups(
  ports: Ports,
  layout: CgroupLayout,
  rootName: string,
): Promise<Result<ProcessCgroups, string>> {
  const { files } = ports;
  const hierarchy = chooseHierarchy(layout);
  if (!hierarchy.ok) return hierarchy;
  const root = `${hierarchy.value.mountPoint}/${rootName}`;
  const made = await files.makeDirectory(root);
  if (!made.ok) return err(made.error.message);
  const directoryOf = (containerId: string): string => `${root}/${containerId}`;
  return ok({
    directoryOf,
    create: (containerId) => files.makeDirectory(directoryOf(containerId)),
    processes: (containerId) => cgroupProcesses(files, directoryOf(containerId)),
    kill: (containerId, timeoutMs) => kill(ports, directoryOf(containerId), timeoutMs),
    remove: (containerId) => removeCgroup(files, directoryOf(containerId)),
  });
}
