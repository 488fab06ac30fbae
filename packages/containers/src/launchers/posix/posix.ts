// The launchers posix and linux. With posix a container is a session of processes; with linux it is a cgroup of processes, and
// its plan may give it namespaces. The supervisor starts and ends them.
//
// Owns: the records of its containers in this process; the supervisor has those in the runtime directory.
// Boundary: it uses the machine through ports only. Every event is reported by `onEvent`, never during a call.
// POSIX-1: an accepted container ends in one `launchFailed` or one `exited`.
// POSIX-2: whatever this process knows of a running container can be learned again from the supervisor.
import { type ConnectLines, err, type Files, ok, type Processes, type Result } from '@meseta/base';
import { cgroupStats } from '../../processes/cgroup-stats.js';
import { type ProcessTable, readProcessTable, readStat } from '../../processes/process-table.js';
import { connectSupervisor, type SupervisorClient, type SupervisorOptions } from '../../supervisor/client.js';
import type { InputResult, RunResult } from '../../supervisor/protocol.js';
import { findContainerProcesses } from '../../supervisor/state.js';
import type { Launcher, LauncherEvent } from '../launcher.js';
import { launchRequest, processPlan } from './process-plan.js';
import { claimContainers, reportsTo } from './reports.js';
import { type PosixState, updateContainer } from './state.js';

export interface PosixOptions {
  /** Absolute. It outlives the agent's process and is best in memory (below /run). */
  readonly runtimeDir: string;
  readonly files: Files;
  readonly processes: Processes;
  readonly connectLines: ConnectLines;
  /** Starts a supervisor for the directory that is added to the arguments. */
  readonly supervisor: SupervisorOptions['command'];
  readonly onEvent: (event: LauncherEvent) => void;
}

function createState({ files, processes, onEvent }: PosixOptions): PosixState {
  const own = readStat(files, processes.self.pid);
  return {
    containers: new Map(),
    unclaimed: new Map(),
    foreignSessions: new Set(own === undefined ? [] : [own.session, own.group]),
    runs: new Map(),
    inputs: new Map(),
    connection: 0,
    onEvent,
  };
}

const TABLE_VALID_MS = 200;

/** Returns a function that reads the process table; callers within a short time share a reading. */
function createSharedTable(files: Files): () => Promise<ProcessTable> {
  let table: { readonly readMs: number; readonly reading: Promise<ProcessTable> } | undefined;
  return () => {
    const nowMs = performance.now();
    if (table === undefined || nowMs - table.readMs > TABLE_VALID_MS) {
      table = { readMs: nowMs, reading: readProcessTable(files) };
    }
    return table.reading;
  };
}

/** The posix launcher on this machine, or what the machine lacks. Connects to the supervisor of the runtime directory. */
export async function createPosixLauncher(options: PosixOptions): Promise<Result<Launcher, string>> {
  const { files, processes, connectLines, supervisor } = options;
  const directory = `${options.runtimeDir}/containers`;
  const made = await files.makeDirectory(directory, 0o700);
  if (!made.ok) return err(`runtime directory: ${made.error.message}`);
  const state = createState(options);
  const connected = await connectSupervisor({
    processes,
    connectLines,
    directory,
    command: supervisor,
    ...reportsTo(state),
  });
  return connected.ok ? ok(createCalls(state, connected.value, options)) : connected;
}

function createCalls(state: PosixState, supervisor: SupervisorClient, options: PosixOptions): Launcher {
  const { files, processes } = options;
  const readSharedTable = createSharedTable(files);
  let requests = 0;
  // Several agents may share a supervisor.
  const nextRequest = (): string => `${processes.self.pid}-${requests++}`;
  return {
    launch(containerId, plan) {
      const launch = { plan, connection: state.connection, isRepeated: false };
      const facts = { containerId, phase: 'launching', pid: undefined, startTicks: undefined } as const;
      state.containers.set(containerId, { ...facts, cgroup: plan.cgroup, isDestroyed: false, launch });
      supervisor.send(launchRequest(containerId, plan));
    },
    async exec(containerId, plan, timeoutMs) {
      const id = nextRequest();
      supervisor.send({ kind: 'run', id, containerId, plan: processPlan(plan), timeoutMs });
      const result = await new Promise<RunResult>((resolve) => state.runs.set(id, resolve));
      if (result.kind === 'failed') return err(result.message);
      return ok({ status: result.status, timedOut: result.timedOut });
    },
    async send(id, input) {
      if (state.containers.get(id)?.phase !== 'running') return 'closed';
      const request = nextRequest();
      const answered = new Promise<InputResult>((resolve) => state.inputs.set(request, resolve));
      supervisor.send({ kind: 'input', id, request, input });
      return answered;
    },
    signal: (id, signal) => supervisor.send({ kind: 'signal', id, signal }),
    destroy(containerId) {
      if (updateContainer(state, containerId, { isDestroyed: true })?.phase === 'ended') return;
      supervisor.send({ kind: 'destroy', id: containerId });
    },
    async processes(containerId) {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'running') return [];
      if (container.cgroup !== undefined) return cgroupStats(files, container.cgroup);
      return findContainerProcesses(await readSharedTable(), container, state.foreignSessions);
    },
    remove(containerId) {
      if (state.containers.get(containerId)?.phase !== 'ended') return;
      state.containers.delete(containerId);
      supervisor.send({ kind: 'remove', id: containerId });
    },
    recover: async () => claimContainers(state),
    close: async () => supervisor.close(),
  };
}
