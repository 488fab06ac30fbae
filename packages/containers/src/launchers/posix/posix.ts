// The posix launcher: a container is a session of processes, without isolation.
//
// Owns: the records of its containers, their runtime files, the fifo of the supervisors' events, the spawner.
// Boundary: it uses the machine through ports only. Every event is reported by `onEvent`, never during a call.
// POSIX-1: an accepted container ends in one `launchFailed` or one `exited`.
// POSIX-2: whatever this process knows of a running container can be read again from the container's runtime files.
// POSIX-3: calls repeated for a container grow neither its record nor its runtime files.
// POSIX-4: no signal is sent to a process that reuses the pid of a container's ended first process.
import { type ContainerId, err, type Files, ok, type Processes, type Result } from '@meseta/base';
import type { LaunchPlan, LaunchTools } from '../../plan/plan.js';
import { createTableReader, type ProcessTable, readProcessTable, readStat } from '../../processes/process-table.js';
import { parseStatus } from '../../supervisor/exit-record.js';
import { perlSupervision } from '../../supervisor/perl.js';
import { shellSupervision } from '../../supervisor/shell.js';
import { createSpawner, type Spawner, type Supervision } from '../../supervisor/spawner.js';
import type { Launcher, LauncherEvent } from '../launcher.js';
import { createEndings, type Endings, watchSupervisors } from './endings.js';
import { recoverContainers } from './recovery.js';
import { sendPendingSignals, signalContainer } from './signals.js';
import {
  type Container,
  findContainerProcesses,
  type PosixState,
  planHeader,
  runtimeFile,
  updateContainer,
} from './state.js';

export interface PosixOptions {
  /** Absolute. It outlives the agent's process and is best in memory (below /run). */
  readonly runtimeDir: string;
  readonly files: Files;
  readonly processes: Processes;
  readonly tools: LaunchTools;
  readonly onEvent: (event: LauncherEvent) => void;
}

interface PosixLauncher {
  readonly state: PosixState;
  readonly supervision: Supervision;
  readonly spawner: Spawner;
  readonly endings: Endings;
  /** Signals that are sent at the same time share a reading. */
  readonly readTable: () => Promise<ProcessTable>;
}

function reportLaunchFailed({ state }: PosixLauncher, containerId: ContainerId, message: string): void {
  const container = state.containers.get(containerId);
  if (container === undefined || container.phase === 'ended') return;
  updateContainer(state, containerId, { phase: 'ended' });
  state.onEvent({ kind: 'launchFailed', containerId, message });
}

/** Writes the plan, and hands the container to the spawner. */
async function launch(launcher: PosixLauncher, containerId: ContainerId, plan: LaunchPlan): Promise<void> {
  const { state, supervision, spawner } = launcher;
  state.containers.set(containerId, {
    containerId,
    phase: 'launching',
    pid: undefined,
    startTicks: undefined,
    supervisorPid: undefined,
    destroyed: false,
    status: undefined,
    sentSignals: new Set(),
    pendingSignals: [],
    launchedMs: performance.now(),
  });
  const text = supervision.planText(plan);
  if (!text.ok) return reportLaunchFailed(launcher, containerId, text.error);
  const planPath = runtimeFile(state, containerId, 'plan');
  const header = planHeader(state.bootId, plan);
  const written = await state.files.write(planPath, header + text.value, { mode: 0o600 });
  if (!written.ok) return reportLaunchFailed(launcher, containerId, `runtime directory: ${written.error.message}`);
  if (state.containers.get(containerId)?.destroyed === true) {
    return reportLaunchFailed(launcher, containerId, 'destroyed before it was launched');
  }
  if (!state.closed) spawner.launch(containerId);
}

function onStarted(launcher: PosixLauncher, containerId: ContainerId, pid: number, supervisorPid: number): void {
  const { state } = launcher;
  const container = state.containers.get(containerId);
  if (container === undefined || container.phase !== 'launching') return;
  const startTicks = readStat(state.files, pid)?.startTicks;
  updateContainer(state, containerId, { phase: 'running', pid, startTicks, supervisorPid, pendingSignals: [] });
  state.onEvent({ kind: 'started', containerId, pid });
  if (container.destroyed) launcher.endings.destroy(containerId);
  else sendPendingSignals(state, launcher.readTable, container);
}

/** Handles the lines of the fifo. A line about a container that is unknown or has ended is late and ignored. */
function createEventReader(launcher: () => PosixLauncher): (text: string) => void {
  let incompleteLine = '';
  return (text) => {
    const lines = (incompleteLine + text).split('\n');
    incompleteLine = lines.pop() ?? '';
    for (const line of lines) {
      const [event, id = '', first = '', second = '', ...others] = line.split(' ');
      const containerId = id as ContainerId;
      if (event === 'started') onStarted(launcher(), containerId, Number(first), Number(second));
      else if (event === 'exited') void launcher().endings.shellReportedEnd(containerId, Number(first));
      else if (event === 'failed') {
        const reason = [first, second, ...others].join(' ').trim();
        reportLaunchFailed(launcher(), containerId, reason || 'its supervisor could not be started');
      }
      const status = event === 'status' ? parseStatus(`${first} ${second}`) : undefined;
      if (status !== undefined) launcher().endings.firstProcessEnded(containerId, { kind: 'exact', status });
    }
  };
}

/** The plan is removed last: recovery finds a container by its plan. */
async function removeRuntimeFiles(state: PosixState, { containerId, sentSignals }: Container): Promise<void> {
  for (const name of ['sent', 'record', 'plan'] as const) {
    if (name !== 'sent' || sentSignals.size > 0) await state.files.removeFile(runtimeFile(state, containerId, name));
  }
}

async function makeFifo(options: PosixOptions, path: string): Promise<Result<void, string>> {
  const found = await options.files.stat(path);
  if (found.ok && found.value.kind === 'other') return ok(undefined);
  const run = await options.processes.run({ program: 'mkfifo', arguments: ['-m', '600', path] }, { timeoutMs: 10_000 });
  if (!run.ok) return err(`mkfifo: ${run.error.message}`);
  const isMade = run.value.end.kind === 'exited' && run.value.end.code === 0;
  return isMade ? ok(undefined) : err(`mkfifo: ${run.value.stderr.trim()}`);
}

function createState(options: PosixOptions, directory: string): PosixState {
  const { files, processes } = options;
  const own = readStat(files, processes.self.pid);
  return {
    files,
    processes,
    directory,
    bootId: files.readTextNow('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    containers: new Map(),
    foreignSessions: new Set(own === undefined ? [] : [own.session, own.group]),
    onEvent: options.onEvent,
    closed: false,
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

/** The posix launcher on this machine, or what the machine lacks. It starts no process before the first launch. */
export async function createPosixLauncher(options: PosixOptions): Promise<Result<Launcher, string>> {
  const { files, processes, tools } = options;
  const directory = `${options.runtimeDir}/containers`;
  const made = await files.makeDirectory(directory, 0o700);
  if (!made.ok) return err(`runtime directory: ${made.error.message}`);
  const fifo = await makeFifo(options, `${directory}/events`);
  if (!fifo.ok) return fifo;

  const state = createState(options, directory);
  const { perl, perlSupervises } = tools;
  const supervision = perlSupervises && perl !== undefined ? perlSupervision(perl) : shellSupervision(tools);
  const spawner = createSpawner(processes, directory, supervision, state.foreignSessions);
  const endings = createEndings(state, () => spawner.reap());
  const launcher: PosixLauncher = { state, supervision, spawner, endings, readTable: createTableReader(files) };
  const events = files.readFifo(
    `${directory}/events`,
    createEventReader(() => launcher),
  );
  if (!events.ok) return err(events.error.message);
  const stopWatching = watchSupervisors(state, endings, async (id, reason) => {
    // Without its plan the container can't be launched by a spawner that reads its line late.
    await files.removeFile(runtimeFile(state, id, 'plan'));
    reportLaunchFailed(launcher, id, reason);
  });
  return ok({
    ...createCalls(launcher),
    async close() {
      state.closed = true;
      endings.stop();
      stopWatching();
      events.value.close();
      spawner.close();
    },
  });
}

function createCalls(launcher: PosixLauncher): Omit<Launcher, 'close'> {
  const { state, supervision, endings } = launcher;
  const { files, processes } = state;
  const readSharedTable = createSharedTable(files);
  return {
    launch: (containerId, plan) => void launch(launcher, containerId, plan),
    async exec(_containerId, plan, directory, timeoutMs) {
      const process = supervision.singleProcess(plan);
      if (!process.ok) return process;
      const run = await processes.run({ ...process.value, environment: {}, directory }, { timeoutMs });
      return run.ok ? ok({ status: run.value.end, timedOut: run.value.timedOut }) : err(run.error.message);
    },
    signal: (containerId, signal) => signalContainer(state, launcher.readTable, containerId, signal),
    destroy: (containerId) => endings.destroy(containerId),
    async processes(containerId) {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'running') return [];
      return findContainerProcesses(await readSharedTable(), container, state.foreignSessions);
    },
    remove(containerId) {
      const container = state.containers.get(containerId);
      if (container?.phase !== 'ended') return;
      state.containers.delete(containerId);
      void removeRuntimeFiles(state, container);
    },
    recover: () => recoverContainers(state),
  };
}
